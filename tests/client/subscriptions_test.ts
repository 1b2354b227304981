import { assertEquals } from "@std/assert";
import { ClientError } from "../../src/client/client_error.ts";
import { Subscriptions } from "../../src/client/subscriptions.ts";
import { Told } from "../../src/client/told.ts";
import type { TopicRequest } from "../../src/client/topic_request.ts";
import type { Replay, Watch } from "../../src/client/watch.ts";

const LIMITS = { max_topics: 256, max_message_bytes: 65_536, max_url_bytes: Infinity };

/** Somebody who only wants these topics held. */
function watchOf(topics: readonly string[], replay: Replay = "latest"): Watch {
  const nobody = { onFrame: () => {}, onLive: () => {}, onTruncated: () => {}, onError: () => {} };
  return { topics, replay, told: new Told(), ...nobody };
}

/** A gateway takes a request at this position, and says that its replay is over. */
function served(subscriptions: Subscriptions, request: TopicRequest | undefined, seq: number): void {
  if (request === undefined) throw new Error("nothing was asked");
  const { topics } = request;
  subscriptions.taken(request, { topics, epoch: "e", seq });
  subscriptions.pushed({ type: "caught_up", id: "c", timestamp: 0, data: { topics, seq } });
}

Deno.test("a topic that cannot be resumed just now is resumed from where it was, however far others are", () => {
  const subscriptions = new Subscriptions();
  subscriptions.add(watchOf(["task:status"]));
  served(subscriptions, subscriptions.holdings.sync(LIMITS)[0], 5);
  subscriptions.down();
  subscriptions.add(watchOf(["task:progress"]));
  const [resumed, fresh] = subscriptions.holdings.sync(LIMITS);
  const since = { epoch: "e", seq: 5 };
  assertEquals(resumed, { type: "subscribe", topics: ["task:status"], since });
  if (resumed !== undefined) subscriptions.refused(resumed, [], new ClientError("SERVER_ERROR", "later"));
  served(subscriptions, fresh, 20);
  assertEquals(subscriptions.holdings.sync(LIMITS), [{ type: "subscribe", topics: ["task:status"], since }]);
});

Deno.test("who is resumed from before where others are goes on from there when the connection is lost meanwhile", () => {
  const subscriptions = new Subscriptions();
  subscriptions.add(watchOf(["task:status"]));
  served(subscriptions, subscriptions.holdings.sync(LIMITS)[0], 5);
  subscriptions.down();
  subscriptions.add(watchOf(["task:progress"]));
  const [first, fresh] = subscriptions.holdings.sync(LIMITS);
  if (first !== undefined) subscriptions.refused(first, [], new ClientError("SERVER_ERROR", "later"));
  served(subscriptions, fresh, 20);
  const [again] = subscriptions.holdings.sync(LIMITS);
  if (again !== undefined) {
    subscriptions.taken(again, { topics: again.topics, epoch: "e", seq: 20, recovered: true });
  }
  subscriptions.moved(7);
  subscriptions.down();
  assertEquals(subscriptions.holdings.sync(LIMITS), [{
    type: "subscribe",
    topics: ["task:status", "task:progress"],
    since: { epoch: "e", seq: 7 },
  }]);
});

Deno.test("a stream that is another one now takes nothing for told that only has the same position", () => {
  const subscriptions = new Subscriptions();
  const told: string[] = [];
  const watch = watchOf(["task:progress"], "all");
  subscriptions.add({ ...watch, onFrame: ({ id }) => told.push(id) });
  for (const epoch of ["e", "f"]) {
    const [request] = subscriptions.holdings.sync(LIMITS);
    if (request !== undefined) subscriptions.taken(request, { topics: request.topics, epoch, seq: 9 });
    const progress = {
      total: 1,
      completed: 0,
      failed: 0,
      current: null,
      percentage: 0,
      status: null,
      attempt: 1,
      rate: null,
      eta_ms: null,
    };
    const data = { task_id: "t", progress };
    subscriptions.pushed({ type: "task_progress", id: "progress_3", timestamp: 0, seq: 3, data });
    subscriptions.down();
  }
  assertEquals(told, ["progress_3", "gap", "progress_3"]);
});
