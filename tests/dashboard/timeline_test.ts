import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { HistoryEvent } from "../../src/client/client.ts";
import { attemptsOf, entriesOf, lineOf } from "../../src/dashboard/timeline.ts";

/** Events in the order of the stream, a second apart. */
function events(...all: readonly (readonly [kind: string, body?: unknown])[]): HistoryEvent[] {
  return all.map(([kind, body = {}], i) => ({
    seq: i + 1,
    time: `2026-01-01T00:00:0${i}.000Z`,
    kind,
    body,
  }));
}

Deno.test("progress that nothing came between is one line", () => {
  const all = events(["created"], ["progress"], ["progress"], ["paused"], ["progress"]);
  assertEquals(entriesOf(all).map(({ events }) => events.map(({ seq }) => seq)), [[1], [2, 3], [4], [5]]);
});

Deno.test("every event is in the timeline once, in its order", () => {
  fc.assert(fc.property(fc.array(fc.constantFrom("progress", "paused", "started")), (kinds) => {
    const all = events(...kinds.map((kind) => [kind] as const));
    assertEquals(entriesOf(all).flatMap(({ events }) => events), all);
  }));
});

Deno.test("an attempt that was tried again has failed, with the reason that the next one gives", () => {
  const all = events(
    ["created"],
    ["started", { attempt: 1 }],
    ["retrying", { attempt: 2, error: { message: "connection reset" } }],
    ["progress", { attempt: 2, completed: 1 }],
    ["failed", { attempt: 2, error: "disk full" }],
  );
  assertEquals(
    attemptsOf(all).map(({ attempt, outcome, error, events }) => [attempt, outcome, error, events]),
    [[1, "failed", "connection reset", 1], [2, "failed", "disk full", 3]],
  );
});

Deno.test("an attempt of which nothing was heard for a while goes on as it was, and ends as it did", () => {
  const started = events(["started"], ["stale"], ["progress"]);
  assertEquals(attemptsOf(started).map(({ outcome }) => outcome), ["started"]);
  const ended = events(["started"], ["completed"], ["stale"]);
  assertEquals(attemptsOf(ended).map(({ outcome }) => outcome), ["completed"]);
});

Deno.test("an event's line says what its worker wrote, in few words", () => {
  const [progress, failed, completed, created] = events(
    ["progress", { total: 10, completed: 3, failed: 1, current: "a.csv" }],
    ["failed", { error: { message: "disk full" } }],
    ["completed", { result: { rows: 1 }, progress: { total: 10, completed: 10 } }],
    ["created", { name: "Import", total: 10 }],
  ).map(lineOf);
  assertEquals([progress, failed], ["3/10 · ✗ 1 · a.csv", "disk full"]);
  assertEquals([completed, created], ['10/10 · {"rows":1}', "Import"]);
});

Deno.test("whatever is in a body, its line can be told and is short", () => {
  fc.assert(fc.property(fc.jsonValue(), (body) => {
    assert(lineOf({ seq: 1, time: "", kind: "progress", body }).length <= 160);
  }));
});
