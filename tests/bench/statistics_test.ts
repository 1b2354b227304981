import { assertEquals } from "@std/assert";
import { heldAges, lagsOf } from "./lags.ts";
import { positionIn } from "./positions.ts";
import { Measured } from "./scenario.ts";
import { median, percentile } from "./statistics.ts";
import { eventOf, historicEvent, HISTORY_EVENTS, LIFE } from "./workload.ts";

Deno.test("a percentile is the value that so many do not exceed", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  assertEquals([0, 0.01, 0.5, 0.99, 1].map((q) => percentile(hundred, q)), [1, 1, 50, 99, 100]);
  assertEquals(percentile([7], 0.99), 7);
  assertEquals(percentile([], 0.5), NaN);
});

Deno.test("a median of an even number of values is the mean of the middle two", () => {
  assertEquals([median([3, 1, 2]), median([4, 1, 3, 2]), median([])], [2, 2.5, NaN]);
});

Deno.test("ratios are taken within an alternation, and their median is told", () => {
  const measured = new Measured([
    { ours: { rate: 10 }, peer: { rate: 5 } },
    { ours: { rate: 100 }, peer: { rate: 10 } },
    { ours: { rate: 3 }, peer: { rate: 1 } },
  ]);
  assertEquals(
    [measured.of("ours", "rate"), measured.worst("ours", "rate"), measured.ratio("ours", "peer", "rate")],
    [10, 100, 3],
  );
});

Deno.test("the position of a frame is found from its end", () => {
  const found = (text: string) => {
    const bytes = new TextEncoder().encode(`before${text}after`);
    return positionIn(bytes, 6, bytes.length - 5);
  };
  assertEquals(
    ['{"data":{"seq":1},"seq":1234567}', '42["task_status",{"seq":9},"offset"]', '{"seq":null}', "{}", ""]
      .map(found),
    [1_234_567, 9, undefined, undefined, undefined],
  );
});

Deno.test("lags join when an event was published with when its frame came", () => {
  const samples = [{ positions: [41, 42, 7], timesMs: [110, 125, 999] }, { positions: [42], timesMs: [121] }];
  assertEquals(lagsOf(samples, { timesMs: [100, 120], lastSeq: 42 }, 1), [10, 5, 1]);
  assertEquals(lagsOf(samples, { timesMs: [100, 120], lastSeq: null }, 41), [10, 5, 1]);
});

Deno.test("what a client holds is oldest just before newer comes, and ages while none does", () => {
  // Two tasks in turns; of the first one, event 2 (at 120) is merged into event 4 (at 140).
  const published = { timesMs: [100, 110, 120, 130, 140, 150], lastSeq: null };
  const options = { from: 0, tasks: 2, everyMs: 100 };
  const came = [{ positions: [0, 1, 4, 5], timesMs: [101, 111, 145, 152] }];
  assertEquals(heldAges(came, published, options), [1, 11, 45, 42, 10]);
  // Who gets nothing has what is as old as the first event, at every beat and at the end.
  const nothing = [{ positions: [], timesMs: [] }];
  assertEquals(heldAges(nothing, published, { ...options, tasks: 1, everyMs: 20 }), [20, 40, 50]);
});

Deno.test("each status change of a workload is one, whatever came before", () => {
  const kinds = new Map<string, string>();
  for (let n = 0; n < 5_000; n++) {
    const { taskId, kind } = eventOf("mixed", n, 10, 0);
    if (kind === "progress") continue;
    assertEquals(kind === kinds.get(taskId), false);
    kinds.set(taskId, kind);
  }
  assertEquals(kinds.size, 10);
});

Deno.test("tasks that nobody knew are created, started and completed, and tagged ones begin with their tag", () => {
  const lives = Array.from({ length: 2 * LIFE.length }, (_, n) => eventOf("lives", n, 2, 0));
  assertEquals(lives.filter(({ taskId }) => taskId === "life-1").map(({ kind }) => kind), [...LIFE]);
  const tagged = Array.from({ length: 8 }, (_, n) => eventOf("tagged", n, 2, 0));
  const second = tagged.filter(({ taskId }) => taskId === "task-1");
  assertEquals(second.map(({ kind }) => kind), ["created", "resumed", "paused", "resumed"]);
  assertEquals(JSON.parse(second[0]?.body ?? "").tags, ["user-1001"]);
});

Deno.test("a history has as many events of each task, and half of the tasks end", () => {
  const tasks = 6;
  const events = Array.from({ length: HISTORY_EVENTS * tasks }, (_, n) => historicEvent(n, tasks));
  const ofFirst = events.filter(({ taskId }) => taskId === "task-0").map(({ kind }) => kind);
  assertEquals(ofFirst.length, HISTORY_EVENTS);
  assertEquals([ofFirst[0], ofFirst[1], ofFirst.at(-1)], ["created", "started", "completed"]);
  assertEquals(events.filter(({ kind }) => kind === "completed").length, tasks / 2);
});
