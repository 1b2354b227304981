import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type Client,
  ClientError,
  connect,
  type PushedFrame,
  type TaskView,
} from "../../src/client/client.ts";
import type { Limits } from "../../src/connection/state.ts";
import { statusData } from "../../src/task/task.ts";
import { settled, World } from "../connection/world.ts";
import { byPosition, changesOf, KINDS, ofTask, positionIn, TASKS, TOPICS } from "./statuses.ts";
import { Wire } from "./wire.ts";

/** What is watched from the beginning. */
const BASE = ["task:status", ...TASKS.map((id) => `task:id:${id}`)];

/** What may happen to a client. */
const happening = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("event" as const),
      task: fc.constantFrom(...TASKS),
      kind: fc.constantFrom(...KINDS),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1, 7, 40, 400, 9_000) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("cut" as const, "mute" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("reachable" as const), is: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("online" as const, "offline" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("shown" as const, "hidden" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("ask" as const), task: fc.constantFrom(...TASKS, "nobody") }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("watch" as const),
      topics: fc.subarray(TOPICS, { minLength: 1 }),
      replay: fc.constantFrom("latest" as const, "none" as const, "all" as const),
      maxRateHz: fc.constantFrom(undefined, 0.2, 3, 50),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("unwatch" as const), which: fc.nat(5) }) },
);

/** What a watch was told of statuses. */
class Witness {
  readonly seen: string[] = [];
  readonly errors: string[] = [];
  readonly topics: readonly string[];
  isLive = false;
  /** How far the gateway was when it was live first: what happens from then on it must be told. */
  from = Infinity;

  constructor(topics: readonly string[]) {
    this.topics = topics;
  }

  becomes(isLive: boolean, head: number): void {
    this.isLive = isLive;
    if (isLive) this.from = Math.min(this.from, head);
  }

  take(frame: PushedFrame): void {
    if (frame.type === "task_status") this.seen.push(frame.id);
    if (frame.type === "gap") throw new Error("nothing was lost, so there is no gap");
  }
}

/** A page in a browser's tab, as far as a client looks at it; there is one at a time. */
class Page extends EventTarget {
  visibilityState = "visible";

  constructor() {
    super();
    Object.assign(globalThis, { document: this });
  }

  becomes(how: "shown" | "hidden"): void {
    this.visibilityState = how === "shown" ? "visible" : "hidden";
    this.dispatchEvent(new Event("visibilitychange"));
  }

  [Symbol.dispose](): void {
    Reflect.deleteProperty(globalThis, "document");
  }
}

type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

/** What a gateway takes: anything, or so little that most lives hit upon it. */
const limits = fc.record({
  maxTopics: fc.constantFrom(256, 5),
  authMs: fc.constant(10_000),
  rate: fc.constantFrom({ perSecond: 1e9, burst: 1e9 }, { perSecond: 4, burst: 3 }),
});

async function live(happenings: readonly Happening[], limits: Limits): Promise<void> {
  using page = new Page();
  const world = await World.booted({ limits });
  const wire = new Wire(world);
  const { clock } = world;
  let luck = 0;
  const client: Client = connect("ws://gateway/ws", {
    clock,
    open: wire.socket,
    random: () => (luck = (luck + 0.37) % 1),
    maxRateHz: 0.5,
  });
  const history = new Witness(["task:status"]);
  client.subscribe("task:status", (frame) => history.take(frame), {
    replay: "all",
    onLive: (isLive) => history.isLive = isLive,
    onError: ({ code }) => history.errors.push(code),
  });
  const stores = TASKS.map((id) => client.task(id));
  const views: TaskView[][] = TASKS.map(() => []);
  stores.forEach((store, i) => store.subscribe((view) => views[i]?.push(view)));
  const others: { readonly witness: Witness; readonly stop: () => void }[] = [];
  const answers: Promise<string>[] = [];
  let asked = 0;
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= Math.min(left, 200)) {
      clock.advance(Math.min(left, 200));
      await settled();
    }
  };
  for (const one of happenings) {
    switch (one.do) {
      case "event":
        world.put(one.task, one.kind, one.kind === "created" ? { tags: ["a"] } : {});
        await world.follow();
        break;
      case "pass":
        await pass(one.ms);
        break;
      case "cut":
        wire.cut();
        break;
      case "mute":
        wire.mute();
        break;
      case "reachable":
        wire.reachable = one.is;
        break;
      case "online":
      case "offline":
        globalThis.dispatchEvent(new Event(one.do));
        break;
      case "shown":
      case "hidden":
        page.becomes(one.do);
        break;
      case "restart":
        wire.cut();
        await world.restart();
        break;
      case "ask":
        asked++;
        answers.push(
          client.getTask(one.task).then(() => "answered", (error: unknown) => {
            assert(error instanceof ClientError);
            return error.code;
          }),
        );
        break;
      case "watch": {
        const witness = new Witness(one.topics);
        const { unsubscribe } = client.subscribe(one.topics, (frame) => witness.take(frame), {
          replay: one.replay,
          maxRateHz: one.maxRateHz,
          onLive: (isLive) => witness.becomes(isLive, world.projection.head),
          onError: ({ code }) => witness.errors.push(code),
        });
        others.push({ witness, stop: unsubscribe });
        break;
      }
      case "unwatch":
        others.splice(one.which, 1).forEach(({ stop }) => stop());
        break;
    }
    await settled();
  }
  wire.reachable = true;
  globalThis.dispatchEvent(new Event("online"));
  await pass(180_000);

  assertEquals(world.faults, [], "nothing failed");
  assertEquals(client.state.kind, "open");
  assertEquals((await Promise.all(answers)).length, asked, "every request came to an end");
  const changes = await changesOf(world);
  assertEquals(
    history.seen.join(),
    changes.join(),
    `every change of status, in order, once: ${history.seen} of ${changes}`,
  );
  const watched = () => new Set([...BASE, ...others.flatMap(({ witness }) => witness.topics)]).size;
  assertEquals(world.router.topics, Math.min(limits.maxTopics, watched()), "as much is held as may be");
  for (const { witness: { isLive, errors } } of others) {
    assert(isLive || errors.includes("LIMIT_EXCEEDED"), "who is not live was told that there is no room");
    assertEquals(errors.slice(1), [], "once");
  }
  while (watched() > limits.maxTopics) others.shift()?.stop();
  await pass(30_000);
  assertEquals(history.errors, []);
  assert(history.isLive && others.every(({ witness }) => witness.isLive), "all that is watched is live");
  for (const { witness } of others) {
    assertEquals(new Set(witness.seen).size, witness.seen.length, "no event twice");
    // A snapshot tells of each task what it is by then; after it, in order.
    for (const id of TASKS) {
      assertEquals(ofTask(world, witness.seen, id), ofTask(world, witness.seen, id).toSorted(byPosition));
    }
    const told = new Set(witness.seen);
    const due = changes.filter((id) => positionIn(id) > witness.from && concerns(world, id, witness.topics));
    const missed = due.filter((id) => !told.has(id));
    assertEquals(
      missed,
      [],
      `who watches ${witness.topics}, live at ${witness.from}, was told ${witness.seen}`,
    );
  }
  stores.forEach((store, i) => {
    const id = TASKS[i] ?? "";
    const record = world.projection.tasks.get(id);
    const view = store.getSnapshot();
    assertEquals(view.isStale, false);
    assertEquals(view.status, record && statusData(record.state, record.pace).status, `${id} is as it is`);
    assertEquals(
      view.progress?.completed,
      record && statusData(record.state, record.pace).progress.completed,
    );
  });
  client.close();
  await pass(10); // what was on its way
  assertEquals([wire.open, clock.pending], [0, 0], "nothing is left");
}

/** Whether a change of status belongs to one of these topics. */
function concerns(world: World, change: string, topics: readonly string[]): boolean {
  const ofTopic: Record<string, readonly string[]> = {
    "task:status": TASKS,
    "task:id:t0": ["t0"],
    "task:id:t1:status": ["t1"],
  };
  const ids = topics.flatMap((topic) => ofTopic[topic] ?? []);
  return ids.some((id) => ofTask(world, [change], id).length > 0);
}

Deno.test("whatever happens, a client ends with everything, once, and leaves no request unanswered", async () => {
  const runs = 150 * Number(Deno.env.get("RUNS") ?? 1);
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 40, size: "max" }), limits, live),
    { numRuns: runs },
  );
});
