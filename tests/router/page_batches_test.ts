import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { json, jsonBatch } from "../../src/protocol/codec.ts";
import { Block } from "../../src/projection/block.ts";
import { PageBatches, type PageFor } from "../../src/router/page_batches.ts";
import { arbitraryLog, toldBy } from "../projection/events.ts";
import { deliveriesOf, progress } from "./deliveries.ts";

const TOPICS = ["task:progress", "task:status", "task:list", "task:id:t0", "task:tag:a:status"];

const NONE: ReadonlySet<string> = new Set();
const PAGE = new Block(
  deliveriesOf({ task: "t0", kind: "started" }, progress("t0", 1), { task: "t1", kind: "paused" }),
);
const ALL = { block: PAGE, after: 0, through: 3 };

function holding(topics: readonly string[], from: number): PageFor["held"] {
  return new Map(topics.map((topic) => [topic, from]));
}

Deno.test("a page is batched once for all who hold the same topics in the same codec", () => {
  const batches = new PageBatches();
  const ask = (topics: readonly string[], codec = json) =>
    batches.batch({ ...ALL, held: holding(topics, 0), whole: NONE, codec }, 0);
  const first = ask(["task:status", "task:progress"]);
  assert(first !== undefined);
  assertStrictEquals(ask(["task:progress", "task:status"]), first);
  assert(ask(["task:status"]) !== first);
  assert(ask(["task:status", "task:progress"], jsonBatch) !== first);
  assertEquals(ask(["task:id:nobody"]), undefined);
  assertEquals(ask(["task:id:nobody"]), undefined);
});

Deno.test("who has been served a part of a page, or asked for a whole history, gets no other's batch", () => {
  const batches = new PageBatches();
  const ask = (from: number, whole: ReadonlySet<string>) =>
    batches.batch({ ...ALL, held: holding(["task:status"], from), whole, codec: json }, 0);
  const first = ask(0, NONE);
  assertEquals([first?.frames, ask(1, NONE)?.frames, ask(3, NONE)], [2, 1, undefined]);
  assert(ask(0, new Set(["task:status"])) !== first);
  assertStrictEquals(ask(0, NONE), first);
  const held = holding(["task:status"], 0);
  const cut = (after: number, through: number) =>
    batches.batch({ ...ALL, after, through, held, whole: NONE, codec: json }, 0)?.frames;
  assertEquals([cut(0, 3), cut(0, 2), cut(1, 3), cut(2, 2)], [2, 1, 1, undefined]);
});

Deno.test("a page that many hold differently does not keep a batch for each", () => {
  const batches = new PageBatches();
  const ask = (i: number) => {
    const held = holding(["task:status", `task:id:x${i}`], 0);
    return batches.batch({ ...ALL, held, whole: NONE, codec: json }, 0);
  };
  const first = ask(0);
  for (let i = 1; i < 100; i++) assertEquals(ask(i)?.frames, 2);
  assertStrictEquals(ask(0), first);
  assert(ask(99) !== ask(99), "the hundredth is made anew each time");
});

Deno.test("a block that has grown is batched anew", () => {
  const [first, second] = deliveriesOf({ task: "t0", kind: "started" }, { task: "t1", kind: "paused" });
  assert(first !== undefined && second !== undefined);
  const batches = new PageBatches();
  const block = new Block([first]);
  const ask = () =>
    batches.batch({
      block,
      after: 0,
      through: 9,
      held: holding(["task:status"], 0),
      whole: NONE,
      codec: json,
    }, 0);
  assertEquals(ask()?.frames, 1);
  block.push(second);
  assertEquals(ask()?.frames, 2);
});

Deno.test("whoever asked before, each gets what it would have got alone", () => {
  const asked = fc.record({
    topics: fc.subarray(TOPICS, { minLength: 1 }),
    from: fc.nat(6),
    whole: fc.boolean(),
    codec: fc.constantFrom(json, jsonBatch),
  });
  fc.assert(
    fc.property(arbitraryLog(["t0", "t1"], 12), fc.array(asked, { maxLength: 8 }), (log, all) => {
      const block = new Block(toldBy(log));
      const shared = new PageBatches();
      for (const { topics, from, whole, codec } of all) {
        const page = {
          block,
          after: from,
          through: 9,
          held: holding(topics, from),
          whole: whole ? new Set(topics) : NONE,
          codec,
        };
        assertEquals(
          shared.batch(page, 7),
          new PageBatches().batch({ ...page, block: new Block(block.deliveries) }, 7),
        );
      }
    }),
  );
});

Deno.test("what was batched of a page does not keep the page", async () => {
  const batches = new PageBatches();
  let collected = 0;
  const registry = new FinalizationRegistry(() => collected++);
  const ask = (i: number): void => {
    const block = new Block(deliveriesOf({ task: `t${i}`, kind: "started" }));
    registry.register(block, i);
    assertEquals(
      batches.batch({ ...ALL, block, held: holding(["task:status"], 0), whole: NONE, codec: json }, 0)
        ?.frames,
      1,
    );
  };
  for (let i = 0; i < 100; i++) ask(i);
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  for (let i = 0; i < 100 && collected < 100; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  // The last may still be on the stack of the engine.
  assert(collected >= 95, `${collected} of 100 were collected`);
  ask(0);
});

Deno.test("what was batched of a page that retention took is let go, and made anew for who wants it yet", () => {
  const batches = new PageBatches();
  const ask = () => batches.batch({ ...ALL, held: holding(["task:status"], 0), whole: NONE, codec: json }, 0);
  const first = ask();
  batches.expire(3);
  assertStrictEquals(ask(), first, "its last event is there yet");
  batches.expire(4);
  assert(ask() !== first);
  assertEquals(ask(), first);
});
