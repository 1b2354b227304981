import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  type Flow,
  type FlowEffect,
  type FlowInput,
  heldTopics,
  type Position,
  safeCursor,
  type Start,
} from "../../src/connection/flow.ts";
import { stepFlow } from "../../src/connection/flow_step.ts";
import type { Delivery } from "../../src/projection/delivery.ts";
import type { SnapshotFrame } from "../../src/router/snapshot.ts";
import { Block } from "../../src/projection/block.ts";
import { Removals } from "../../src/projection/removals.ts";
import { deliveriesOf, progress } from "../router/deliveries.ts";

const EPOCH = "e1";
const QUIET: Flow = { kind: "quiet" };
const LATEST: Start = { kind: "latest" };
const NONE: Start = { kind: "none" };
const DELIVERIES = deliveriesOf(...Array.from({ length: 60 }, (_, i) => progress("t0", i)));
const NONE_REMOVED = { told: { at: 0, count: 0 }, removals: new Removals() };

function at(head: number, cursor = head): Position {
  return { epoch: EPOCH, head, cursor, ...NONE_REMOVED };
}

function since(seq: number): Start {
  return { kind: "since", epoch: EPOCH, seq };
}

function all(from: number): Start {
  return { kind: "all", epoch: EPOCH, from, truncated: from > 0 };
}

function subscribe(topics: readonly string[], start: Start): FlowInput {
  return { kind: "subscribe", requestId: "r1", topics, start };
}

function unsubscribe(...topics: string[]): FlowInput {
  return { kind: "unsubscribe", requestId: "r2", topics };
}

/** What was decided, one step after the other from the first flow on. */
function decided(flow: Flow, ...steps: readonly (readonly [FlowInput, Position])[]): [Flow, FlowEffect[]] {
  const effects: FlowEffect[] = [];
  let next = flow;
  for (const [input, position] of steps) {
    const [after, more] = stepFlow(next, input, position);
    next = after;
    effects.push(...more);
  }
  return [next, effects];
}

/** Effects as short words, in order. */
function words(effects: readonly FlowEffect[]): string[] {
  return effects.map((effect) => {
    switch (effect.kind) {
      case "tell":
        return `${effect.type} ${effect.data.topics.join(" ")}`;
      case "gap":
        return `gap ${effect.data.reason} ${effect.data.missed_from}-${effect.data.missed_to}`;
      case "caughtUp":
        return `caught_up ${effect.data.topics.join(" ")} at ${effect.data.seq}`;
      case "leave":
        return "leave";
      case "removed":
        return `removed after ${effect.told.at}`;
      case "join":
        return `join ${[...effect.held.keys()].join(" ")} at ${effect.cursor}`;
      case "readPage": {
        const { after, upTo, tasks } = effect.wanted;
        return `read ${after}-${upTo}${tasks === undefined ? "" : ` of ${[...tasks].join(" ")}`}`;
      }
      case "walk":
        return `walk ${effect.walk.topics.join(" ")} at ${effect.walk.at}`;
      case "deliver":
        return `deliver ${effect.page.block.deliveries.map(({ seq }) => seq).join(" ")}`;
      case "write":
        return `write ${effect.payloads.length}`;
    }
  });
}

/** The page that the last of `effects` asked for. */
function paged(
  effects: readonly FlowEffect[],
  page: { through: number; deliveries?: readonly Delivery[]; missedTo?: number },
): FlowInput {
  const ask = effects.at(-1);
  assert(ask?.kind === "readPage");
  const { deliveries = [], ...rest } = page;
  return {
    kind: "page",
    wanted: ask.wanted,
    page: { block: new Block(deliveries), after: ask.wanted.after, passedFor: ask.held, ...rest },
  };
}

/** A chunk of the snapshot that the last of `effects` asked for. */
function walked(
  effects: readonly FlowEffect[],
  done: boolean,
  frames: readonly SnapshotFrame[] = [],
): FlowInput {
  const ask = effects.at(-1);
  assert(ask?.kind === "walk");
  return { kind: "walked", walk: ask.walk, frames, done };
}

function frameOf(taskId: string, tags: readonly string[] = []): SnapshotFrame {
  return { payload: new TextEncoder().encode(taskId), facet: "status", taskId, tags };
}

const LIVE: Flow = { kind: "live", held: new Map([["task:progress", 10]]) };

Deno.test("`none` goes live at once, and nothing is to be caught up", () => {
  const [flow, effects] = stepFlow(QUIET, subscribe(["task:status"], NONE), at(7));
  assertEquals(words(effects), ["subscribed task:status", "join task:status at 7"]);
  assertEquals(flow, { kind: "live", held: new Map([["task:status", 7]]) });
});

Deno.test("`latest` is a snapshot, then what happened meanwhile, then live", () => {
  const [first, asked] = stepFlow(QUIET, subscribe(["task:status"], LATEST), at(7));
  assertEquals(words(asked), ["subscribed task:status", "walk task:status at 7"]);
  const [second, again] = stepFlow(first, walked(asked, false, [frameOf("t0")]), at(8));
  assertEquals(words(again), ["write 1", "walk task:status at 7"]);
  const [third, reads] = stepFlow(second, walked(again, true), at(9));
  assertEquals(words(reads), ["write 0", "read 7-9"]);
  const [fourth, live] = stepFlow(
    third,
    paged(reads, { through: 9, deliveries: DELIVERIES.slice(7, 9) }),
    at(9),
  );
  assertEquals(words(live), ["deliver 8 9", "caught_up task:status at 9", "join task:status at 9"]);
  assertEquals(fourth.kind, "live");
});

Deno.test("`since` reads on from the cursor, page by page, as long as the head runs away", () => {
  const [first, asked] = stepFlow(QUIET, subscribe(["task:status"], since(3)), at(7));
  assertEquals(words(asked), ["subscribed task:status", "read 3-7"]);
  const [second, more] = stepFlow(first, paged(asked, { through: 5 }), at(9));
  assertEquals(words(more), ["read 5-9"]);
  const [, live] = stepFlow(second, paged(more, { through: 9 }), at(9));
  assertEquals(words(live), ["caught_up task:status at 9", "join task:status at 9"]);
});

Deno.test("a cursor at the head is caught up at once", () => {
  const [, effects] = stepFlow(QUIET, subscribe(["task:status"], since(7)), at(7));
  assertEquals(words(effects), [
    "subscribed task:status",
    "caught_up task:status at 7",
    "join task:status at 7",
  ]);
});

Deno.test("a cursor that another gateway gave, beyond this one's head, is kept", () => {
  const [flow, effects] = stepFlow(QUIET, subscribe(["task:status"], since(12)), at(7));
  assertEquals(words(effects).at(-1), "join task:status at 12");
  assertEquals(flow.kind === "live" && flow.held.get("task:status"), 12);
});

Deno.test("a topic that is added while live costs the others nothing they were due", () => {
  const [flow, effects] = stepFlow(LIVE, subscribe(["task:status"], LATEST), at(20, 15));
  assertEquals(words(effects), ["leave", "subscribed task:progress task:status", "walk task:status at 20"]);
  const [, reads] = stepFlow(flow, walked(effects, true), at(20));
  assertEquals(words(reads), ["write 0", "read 15-20"]);
});

Deno.test("a history asked for whole beside what is live moves the cursor back, not what the others are due", () => {
  const [flow, effects] = stepFlow(LIVE, subscribe(["task:status"], all(0)), at(20, 15));
  assertEquals(words(effects), ["leave", "subscribed task:progress task:status", "read 0-20"]);
  assert(flow.kind === "behind");
  assertEquals([flow.held.get("task:progress"), flow.held.get("task:status")], [15, 0]);
  assertEquals([...flow.whole], ["task:status"]);
});

Deno.test("topics already held are confirmed and nothing else", () => {
  const [flow, effects] = stepFlow(LIVE, subscribe(["task:progress"], all(0)), at(20, 15));
  assertStrictEquals(flow, LIVE);
  assertEquals(words(effects), ["subscribed task:progress"]);
});

Deno.test("only the tasks named are read for, as long as nothing else is missing", () => {
  const topics = ["task:id:a", "task:id:b:status"];
  const [, named] = stepFlow(QUIET, subscribe(topics, since(3)), at(9));
  assertEquals(words(named).at(-1), "read 3-9 of a b");
  const [, broad] = stepFlow(QUIET, subscribe([...topics, "task:tag:x"], since(3)), at(9));
  assertEquals(words(broad).at(-1), "read 3-9");
  const many = Array.from({ length: 33 }, (_, i) => `task:id:t${i}`);
  const [, crowd] = stepFlow(QUIET, subscribe(many, since(3)), at(9));
  assertEquals(words(crowd).at(-1), "read 3-9");
  // What is live needs nothing of the past.
  const [, beside] = stepFlow(LIVE, subscribe(["task:id:a"], since(3)), at(15));
  assertEquals(words(beside).at(-1), "read 3-15 of a");
});

Deno.test("the history of one task is read by itself, as far as others do not begin before its end", () => {
  const [flow, asked] = stepFlow(LIVE, subscribe(["task:id:a"], all(0)), at(50, 40));
  assertEquals(words(asked), ["leave", "subscribed task:id:a task:progress", "read 0-40 of a"]);
  const [, then] = stepFlow(flow, paged(asked, { through: 40 }), at(60));
  assertEquals(words(then), ["read 40-60"]);
});

Deno.test("a page of some tasks is no page for a topic that was added since", () => {
  const [first, asked] = stepFlow(QUIET, subscribe(["task:id:a"], since(3)), at(9));
  const [second, reads] = stepFlow(first, subscribe(["task:status"], since(3)), at(9));
  assertEquals(words(reads).at(-1), "read 3-9");
  const [third, effects] = stepFlow(second, paged(asked, { through: 9 }), at(9));
  assertStrictEquals(third, second);
  assertEquals(effects, []);
  // What was passed over for others may be for one that came meanwhile: the same is asked anew.
  const [fourth] = stepFlow(first, subscribe(["task:status"], NONE), at(9));
  const [, again] = stepFlow(fourth, paged(asked, { through: 9 }), at(11));
  assertEquals(words(again), ["read 3-9 of a"]);
});

Deno.test("a page that was asked for from elsewhere is ignored", () => {
  const [first, asked] = stepFlow(QUIET, subscribe(["task:status"], since(3)), at(9));
  const [second] = stepFlow(first, paged(asked, { through: 6 }), at(9));
  const [third, effects] = stepFlow(
    second,
    paged(asked, { through: 6, deliveries: DELIVERIES.slice(3, 6) }),
    at(9),
  );
  assertStrictEquals(third, second);
  assertEquals(effects, []);
  for (const flow of [QUIET, LIVE]) {
    assertEquals(stepFlow(flow, paged(asked, { through: 6 }), at(9)), [flow, []]);
  }
});

Deno.test("what is unsubscribed leaves, the rest is caught up to where it was", () => {
  const flow: Flow = { kind: "live", held: new Map([["task:progress", 1], ["task:status", 1]]) };
  const [after, effects] = stepFlow(flow, unsubscribe("task:status", "task:list"), at(20, 15));
  assertEquals(words(effects), ["leave", "unsubscribed task:progress", "read 15-20"]);
  assertEquals(heldTopics(after), ["task:progress"]);
  assertEquals(words(stepFlow(flow, unsubscribe("task:list"), at(20, 15))[1]), [
    "unsubscribed task:progress task:status",
  ]);
  const [quiet, last] = stepFlow(flow, unsubscribe("task:status", "task:progress"), at(20, 15));
  assertEquals([quiet, words(last)], [QUIET, ["leave", "unsubscribed "]]);
  assertEquals(words(stepFlow(QUIET, unsubscribe("task:status"), at(20))[1]), ["unsubscribed "]);
});

Deno.test("a history that nobody waits for any more is not read to its end", () => {
  const [flow] = stepFlow(LIVE, subscribe(["task:status"], all(0)), at(1_000, 15));
  const [, effects] = stepFlow(flow, unsubscribe("task:status"), at(1_000));
  assertEquals(words(effects), ["unsubscribed task:progress", "read 15-1000"]);
});

Deno.test("a snapshot goes on where it was when a topic goes, without what was only that topic's", () => {
  const [flow, asked] = stepFlow(QUIET, subscribe(["task:tag:x", "task:id:a"], LATEST), at(7));
  const [second, again] = stepFlow(flow, unsubscribe("task:tag:x"), at(7));
  assertEquals(words(again), ["unsubscribed task:id:a", "walk task:id:a at 7"]);
  const [before, after] = [asked.at(-1), again.at(-1)];
  assert(before?.kind === "walk" && after?.kind === "walk");
  assertStrictEquals(after.walk.asked, before.walk.asked, "it is the same snapshot");
  const frames = [frameOf("a", ["x"]), frameOf("b", ["x"])];
  const [, written] = stepFlow(second, walked(asked, true, frames), at(7));
  const [write] = written;
  assert(write?.kind === "write");
  assertEquals(write.payloads.map(({ bytes }) => new TextDecoder().decode(bytes)), ["a"]);
});

Deno.test("a snapshot whose topics have all gone is over", () => {
  const [flow, asked] = stepFlow(LIVE, subscribe(["task:status"], LATEST), at(15));
  const [second] = stepFlow(flow, unsubscribe("task:status"), at(15));
  assertEquals(second.kind, "live");
  assertEquals(stepFlow(second, walked(asked, true, [frameOf("a")]), at(15)), [second, []]);
});

Deno.test("several snapshots are sent one after the other, and reported over together", () => {
  const [flow, effects] = decided(
    QUIET,
    [subscribe(["task:status"], LATEST), at(7)],
    [subscribe(["task:list"], LATEST), at(9)],
  );
  assertEquals(words(effects), [
    "subscribed task:status",
    "walk task:status at 7",
    "subscribed task:list task:status",
    "walk task:status at 7",
  ]);
  const [second, next] = stepFlow(flow, walked(effects, true), at(9));
  assertEquals(words(next), ["write 0", "walk task:list at 9"]);
  const [third, reads] = stepFlow(second, walked(next, true), at(9));
  assertEquals(words(reads), ["write 0", "read 7-9"]);
  const [, live] = stepFlow(third, paged(reads, { through: 9 }), at(9));
  assertEquals(words(live), ["caught_up task:list task:status at 9", "join task:status task:list at 9"]);
});

Deno.test("who lagged reads on from its cursor and is told of no replay", () => {
  const [flow, effects] = stepFlow(LIVE, { kind: "lagged", cursor: 12 }, at(20));
  assertEquals(words(effects), ["read 12-20"]);
  const [, live] = stepFlow(flow, paged(effects, { through: 20 }), at(20));
  assertEquals(words(live), ["join task:progress at 20"]);
  for (const other of [QUIET, flow]) {
    assertEquals(stepFlow(other, { kind: "lagged", cursor: 12 }, at(20)), [other, []]);
  }
});

Deno.test("what retention took is told, and everything held begins anew with its present state", () => {
  const topics = ["task:status", "task:progress"];
  const [flow, asked] = stepFlow(QUIET, subscribe(topics, since(3)), at(50));
  const page = paged(asked, { through: 40, missedTo: 30, deliveries: DELIVERIES.slice(30, 40) });
  const [next, effects] = stepFlow(flow, page, at(60));
  assertEquals(words(effects), ["gap retention 4-30", "walk task:progress task:status at 60"]);
  const [third, live] = stepFlow(next, walked(effects, true), at(60));
  assertEquals(words(live), [
    "write 0",
    "caught_up task:progress task:status at 60",
    "join task:progress task:status at 60",
  ]);
  assertEquals(third.kind, "live");
});

Deno.test("what retention took before a whole history was begun is no gap, later it is", () => {
  const [flow, asked] = stepFlow(QUIET, subscribe(["task:status"], all(3)), at(50));
  const first = paged(asked, { through: 20, missedTo: 9, deliveries: DELIVERIES.slice(9, 20) });
  const [second, more] = stepFlow(flow, first, at(50));
  assertEquals(words(more).map((word) => word.split(" ")[0]), ["deliver", "read"]);
  const [, gap] = stepFlow(second, paged(more, { through: 50, missedTo: 30 }), at(50));
  assertEquals(words(gap), ["gap retention 21-30", "walk task:status at 50"]);
  // A topic that was live meanwhile does not make it read.
  const [beside, reads] = stepFlow(flow, subscribe(["task:list"], NONE), at(50));
  const [, told] = stepFlow(beside, paged(reads, { through: 50, missedTo: 9 }), at(50));
  assertEquals(words(told)[0], "caught_up task:status at 50");
});

Deno.test("what retention took before a topic's own beginning is no gap for it", () => {
  const [flow, asked] = stepFlow(LIVE, subscribe(["task:id:a"], all(0)), at(50, 40));
  const [, effects] = stepFlow(flow, paged(asked, { through: 50, missedTo: 35 }), at(50));
  assertEquals(words(effects), ["caught_up task:id:a at 50", "join task:progress task:id:a at 50"]);
});

Deno.test("another stream is told to all but the quiet, and everything held begins anew", () => {
  const [flow, effects] = stepFlow(LIVE, { kind: "rebuilt", reason: "epoch", served: 99 }, {
    epoch: "e2",
    head: 4,
    cursor: 4,
    ...NONE_REMOVED,
  });
  assertEquals(words(effects), ["gap epoch 1-4", "walk task:progress at 4"]);
  assertEquals(effects[0]?.kind === "gap" && effects[0].data.epoch, "e2");
  assertEquals(safeCursor(flow, at(4)), undefined);
  assertEquals(stepFlow(QUIET, { kind: "rebuilt", reason: "epoch", served: 99 }, at(4)), [QUIET, []]);
});

Deno.test("a follower that retention overtook tells from where on each lacks something", () => {
  const retention = (served: number): FlowInput => ({ kind: "rebuilt", reason: "retention", served });
  assertEquals(words(stepFlow(LIVE, retention(12), at(90))[1])[0], "gap retention 13-90");
  const [behind] = stepFlow(QUIET, subscribe(["task:status"], since(3)), at(50));
  assertEquals(words(stepFlow(behind, retention(50), at(90))[1])[0], "gap retention 4-90");
});

Deno.test("a stream that became another one while the log was asked for a cursor is a gap, or begins anew", () => {
  const position = { epoch: "e2", head: 6, cursor: 6, ...NONE_REMOVED };
  const [, cursor] = stepFlow(QUIET, subscribe(["task:status"], since(3)), position);
  assertEquals(words(cursor), ["subscribed task:status", "gap epoch 1-6", "walk task:status at 6"]);
  assertEquals(cursor[0]?.kind === "tell" && cursor[0].data.recovered, false);
  const [, whole] = stepFlow(QUIET, subscribe(["task:status"], all(400)), position);
  assertEquals(words(whole), ["subscribed task:status", "read 0-6"]);
});

Deno.test("the safe cursor is what the client has: none while a snapshot is under way", () => {
  assertEquals(safeCursor(QUIET, at(9)), 9);
  assertEquals(safeCursor(LIVE, at(9, 5)), 5);
  const [walking] = stepFlow(QUIET, subscribe(["task:status"], LATEST), at(9));
  assertEquals(safeCursor(walking, at(9)), undefined);
  const [reading] = stepFlow(QUIET, subscribe(["task:status"], since(3)), at(9));
  assertEquals(safeCursor(reading, at(9)), 3);
});

Deno.test("what `subscribed` says of a replay is what was asked for", () => {
  const data = (start: Start) => {
    const [tell] = stepFlow(QUIET, subscribe(["task:status"], start), at(9))[1];
    assert(tell?.kind === "tell");
    const { recovered, replay } = tell.data;
    return { recovered, replay };
  };
  assertEquals(data(LATEST), { recovered: undefined, replay: { mode: "latest", truncated: false } });
  assertEquals(data(NONE), { recovered: undefined, replay: { mode: "none", truncated: false } });
  assertEquals(data(all(0)), { recovered: undefined, replay: { mode: "all", truncated: false } });
  assertEquals(data(all(4)), { recovered: undefined, replay: { mode: "all", truncated: true } });
  assertEquals(data(since(3)), { recovered: true, replay: undefined });
  const gap = { missed_from: 1, missed_to: 9, reason: "epoch" } as const;
  assertEquals(data({ kind: "gap", gap }), { recovered: false, replay: undefined });
});
