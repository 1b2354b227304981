import { assertEquals } from "@std/assert";
import type { PushedFrame } from "../../src/client/client.ts";
import { SECONDS, Traffic } from "../../src/dashboard/traffic.ts";
import { NO_PROGRESS } from "../sample_task.ts";

function progress(seq: number, timestamp: number): PushedFrame {
  const data = { task_id: "a", progress: NO_PROGRESS };
  return { type: "task_progress", id: `progress_${seq}`, timestamp, data };
}

function caughtUp(seq: number): PushedFrame {
  return { type: "caught_up", id: "caught_1", timestamp: 0, data: { topics: ["task:progress"], seq } };
}

function gap(missedTo: number, reason: "epoch" | "retention"): PushedFrame {
  const data = { topics: [], missed_from: 1, missed_to: missedTo, epoch: "2", reason };
  return { type: "gap", id: "gap_1", timestamp: 0, data };
}

Deno.test("what a replay brings moves the head and is no traffic: at first, after a lost connection, after a gap", () => {
  const traffic = new Traffic();
  traffic.note(progress(40, 0), 1_000);
  traffic.note(caughtUp(50), 1_000);
  traffic.tick();
  traffic.down();
  traffic.note(progress(60, 0), 2_000);
  traffic.note(caughtUp(70), 2_000);
  traffic.tick();
  traffic.note(gap(80, "retention"), 3_000);
  traffic.note(progress(90, 0), 3_000);
  traffic.note(caughtUp(90), 3_000);
  traffic.tick();
  assertEquals([traffic.head, traffic.seconds], [90, Array(3).fill({ events: 0, lagMs: null })]);
});

Deno.test("a second counts the positions that the stream went on by, and how late its frames were", () => {
  const traffic = new Traffic();
  traffic.note(caughtUp(50), 0);
  traffic.note(progress(53, 900), 1_000);
  traffic.note(progress(52, 700), 1_000);
  traffic.note(caughtUp(54), 1_000);
  traffic.tick();
  traffic.tick();
  assertEquals(traffic.seconds, [{ events: 4, lagMs: 300 }, { events: 0, lagMs: null }]);
});

Deno.test("what comes before its time comes without lag", () => {
  const traffic = new Traffic();
  traffic.note(caughtUp(1), 0);
  traffic.note(progress(2, 5_000), 1_000);
  traffic.tick();
  assertEquals(traffic.seconds, [{ events: 1, lagMs: 0 }]);
});

Deno.test("another life of the stream begins at another position; only the last minute is remembered", () => {
  const traffic = new Traffic();
  traffic.note(caughtUp(500), 0);
  traffic.note(gap(3, "epoch"), 1_000);
  assertEquals(traffic.head, 3);
  traffic.note(gap(3, "retention"), 1_000);
  for (let i = 0; i < 100; i++) traffic.tick();
  assertEquals([traffic.head, traffic.seconds.length], [3, SECONDS]);
});

Deno.test("only the ids of events hold a position", () => {
  const traffic = new Traffic();
  const data = { tasks: [], removed: [] };
  traffic.note({ type: "task_list", id: "list_1795391221249", timestamp: 0, data }, 1_000);
  assertEquals(traffic.head, 0);
});
