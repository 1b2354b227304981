import { assertEquals } from "@std/assert";
import { Subscriptions } from "../../src/client/subscriptions.ts";
import { Told } from "../../src/client/told.ts";
import type { TopicLimits } from "../../src/client/topic_request.ts";
import type { Replay, Watch } from "../../src/client/watch.ts";

const EPOCH = "e";
const LIMITS: TopicLimits = { max_topics: 256, max_message_bytes: 65_536, max_url_bytes: Infinity };

/** What a client holds, as its gateway has it: every request is taken at once, and caught up unless told otherwise. */
class Held {
  readonly subscriptions = new Subscriptions();
  seq = 10;

  watch(topic: string, replay: Replay = "latest"): Watch {
    const watch = watchOf(topic, replay);
    this.subscriptions.add(watch);
    return watch;
  }

  /** Asks for what is watched and not held. */
  sync({ isCaughtUp = true } = {}): void {
    for (const request of this.subscriptions.holdings.sync(LIMITS)) {
      const { seq } = this;
      this.subscriptions.taken(request, { topics: [], epoch: EPOCH, seq });
      if (!isCaughtUp) continue;
      const data = { topics: request.topics, seq };
      this.subscriptions.pushed({ type: "caught_up", id: "caught_up", timestamp: 0, data });
    }
  }

  /** Something happened at the next position, which a list tells of. */
  happen(): void {
    this.seq++;
    const data = { tasks: [], removed: [] };
    this.subscriptions.pushed({
      type: "task_list",
      id: `list_${this.seq}`,
      timestamp: 0,
      seq: this.seq,
      data,
    });
  }

  resume(topics: readonly string[], seq: number): string {
    return this.subscriptions.resume(topics.map((topic) => watchOf(topic, "none")), { epoch: EPOCH, seq });
  }
}

function watchOf(topic: string, replay: Replay): Watch {
  const nothing = (): void => {};
  return {
    told: new Told(),
    topics: [topic],
    replay,
    onFrame: nothing,
    onLive: nothing,
    onTruncated: nothing,
    onError: nothing,
  };
}

Deno.test("who was brought as far as everything here only joins", () => {
  const held = new Held();
  held.watch("task:list");
  held.sync();
  assertEquals(held.resume(["task:list"], 10), "held");
  held.happen();
  assertEquals([held.resume(["task:list"], 11), held.resume(["task:list"], 12)], ["held", "held"]);
  assertEquals(held.subscriptions.cursor, { epoch: EPOCH, seq: 11 });
});

Deno.test("for who was brought less far, or to other topics, all topics go on together from there", () => {
  for (
    const [topics, seq] of [[["task:list"], 10], [["task:status"], 11], [
      ["task:list", "task:status"],
      11,
    ]] as const
  ) {
    const held = new Held();
    held.watch("task:list");
    held.watch("task:progress");
    held.sync();
    held.happen();
    assertEquals(held.resume(topics, seq), "anew");
    held.subscriptions.down();
    const all = [...new Set(["task:list", "task:progress", ...topics])];
    const requests = held.subscriptions.holdings.sync(LIMITS);
    assertEquals(requests, [{ type: "subscribe", topics: all, since: { epoch: EPOCH, seq } }]);
  }
});

Deno.test("amid a snapshot nobody only joins: the cursor does not tell how much was told by then", () => {
  const held = new Held();
  held.watch("task:list");
  held.sync();
  held.watch("task:status");
  held.sync({ isCaughtUp: false });
  held.happen();
  assertEquals(held.subscriptions.cursor, { epoch: EPOCH, seq: 10 });
  assertEquals(held.resume(["task:list"], 10), "anew");
});

Deno.test("what begins otherwise just now cannot be gone on with", () => {
  const held = new Held();
  held.watch("task:list");
  held.sync({ isCaughtUp: false });
  assertEquals([held.resume(["task:list"], 10), held.resume(["task:status", "task:list"], 10)], [
    "later",
    "later",
  ]);
  const [only] = held.subscriptions.holdings.sync(LIMITS);
  assertEquals(only, undefined, "nothing of it was added");
});

Deno.test("who goes on with a topic that another begins anew is told so", () => {
  const held = new Held();
  const told: string[] = [];
  const watch = { ...watchOf("task:status", "none"), onAnew: () => told.push("anew") };
  assertEquals(held.subscriptions.resume([watch], { epoch: EPOCH, seq: 10 }), "anew");
  held.sync();
  held.watch("task:status", "none");
  assertEquals(told, []);
  held.watch("task:status", "latest");
  assertEquals(told, ["anew"], "it is held without the present state");
});
