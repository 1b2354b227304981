import { assertEquals } from "@std/assert";
import { Asking, event } from "./asking.ts";

const topics = ["task:status"];
const subscribed = (start: object): unknown => ({ kind: "subscribe", topics, start });

/** Progress of one task, of which the log keeps the last two: positions 4 and 5. */
const FIVE = Array.from({ length: 5 }, (_, i) => event("job1", "progress", { completed: i }));

Deno.test("a whole history begins with the first record that is retained, and says when that is not the first", async () => {
  await using whole = await Asking.of(FIVE);
  const { epoch } = whole.context();
  const all = await whole.ask("subscribe", { topics, replay: "all" });
  assertEquals<unknown>(all, subscribed({ kind: "all", epoch, from: 0, truncated: false }));

  await using cut = await Asking.of(FIVE, { retainPerSubject: 2 });
  const rest = await cut.ask("subscribe", { topics, replay: "all" });
  const { epoch: other } = cut.context();
  assertEquals<unknown>(rest, subscribed({ kind: "all", epoch: other, from: 3, truncated: true }));
});

Deno.test("a cursor is gone on from as long as the log has what follows it", async () => {
  await using asking = await Asking.of(FIVE, { retainPerSubject: 2 });
  await asking.append(event("job2", "created"));
  const { epoch } = asking.context();
  for (const seq of [3, 4, 5, 6]) {
    const start = await asking.ask("subscribe", { topics, since: { epoch, seq } });
    assertEquals<unknown>(start, subscribed({ kind: "since", epoch, seq }));
  }
});

Deno.test("a cursor before what the log has is a gap up to there", async () => {
  await using asking = await Asking.of(FIVE, { retainPerSubject: 2 });
  const { epoch } = asking.context();
  for (const seq of [0, 2]) {
    const gap = { missed_from: seq + 1, missed_to: 3, reason: "retention" };
    const start = await asking.ask("subscribe", { topics, since: { epoch, seq } });
    assertEquals<unknown>(start, subscribed({ kind: "gap", gap }));
  }
});

Deno.test("a cursor of another epoch is a gap of everything", async () => {
  await using asking = await Asking.of(FIVE);
  const gap = { missed_from: 1, missed_to: 5, reason: "epoch" };
  const start = await asking.ask("subscribe", { topics, since: { epoch: "another", seq: 5 } });
  assertEquals<unknown>(start, subscribed({ kind: "gap", gap }));
});

Deno.test("a log that became another one while it was asked about a cursor is a gap of everything", async () => {
  await using asking = await Asking.of(FIVE, { retainPerSubject: 2 });
  const before = asking.context();
  await asking.log.reset();
  const gap = { missed_from: 1, missed_to: 5, reason: "epoch" };
  const since = { epoch: before.epoch, seq: 2 };
  assertEquals<unknown>(await asking.ask("subscribe", { topics, since }), subscribed({ kind: "gap", gap }));
});

Deno.test("a cursor wins over a replay asked for beside it", async () => {
  await using asking = await Asking.of(FIVE);
  const { epoch } = asking.context();
  const start = await asking.ask("subscribe", { topics, replay: "all", since: { epoch, seq: 5 } });
  assertEquals<unknown>(start, subscribed({ kind: "since", epoch, seq: 5 }));
});
