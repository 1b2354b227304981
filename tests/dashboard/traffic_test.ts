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

const LIVE = { isLive: true, nowMs: 1_000 };

Deno.test("what a replay brings moves the head and is no traffic", () => {
  const traffic = new Traffic();
  traffic.note(progress(40, 0), { isLive: false, nowMs: 1_000 });
  traffic.note(caughtUp(50), { isLive: false, nowMs: 1_000 });
  traffic.tick();
  assertEquals([traffic.head, traffic.seconds], [50, [{ events: 0, lagMs: null }]]);
});

Deno.test("a second counts the positions that the stream went on by, and how late its frames were", () => {
  const traffic = new Traffic();
  traffic.note(caughtUp(50), { isLive: false, nowMs: 0 });
  traffic.note(progress(53, 900), LIVE);
  traffic.note(progress(52, 700), LIVE);
  traffic.tick();
  traffic.tick();
  assertEquals(traffic.seconds, [{ events: 3, lagMs: 300 }, { events: 0, lagMs: null }]);
});

Deno.test("a device whose clock is behind sees no lag below nothing", () => {
  const traffic = new Traffic();
  traffic.note(caughtUp(1), { isLive: false, nowMs: 0 });
  traffic.note(progress(2, 5_000), LIVE);
  traffic.tick();
  assertEquals(traffic.seconds, [{ events: 1, lagMs: 0 }]);
});

Deno.test("another life of the stream begins at another position", () => {
  const traffic = new Traffic();
  traffic.note(caughtUp(500), { isLive: false, nowMs: 0 });
  const data = { topics: [], missed_from: 1, missed_to: 3, epoch: "2" };
  traffic.note({ type: "gap", id: "gap_1", timestamp: 0, data: { ...data, reason: "epoch" } }, LIVE);
  assertEquals(traffic.head, 3);
  traffic.note({ type: "gap", id: "gap_2", timestamp: 0, data: { ...data, reason: "retention" } }, LIVE);
  for (let i = 0; i < 100; i++) traffic.tick();
  assertEquals([traffic.head, traffic.seconds.length], [3, SECONDS]);
});

Deno.test("only the ids of events hold a position", () => {
  const traffic = new Traffic();
  const data = { tasks: [], removed: [] };
  traffic.note({ type: "task_list", id: "list_1795391221249", timestamp: 0, data }, LIVE);
  assertEquals(traffic.head, 0);
});
