import { assertEquals } from "@std/assert";
import type { ConnectionState, PushedFrame } from "../../src/client/client.ts";
import { LiveStore } from "../../src/client/store.ts";
import { settled } from "../connection/world.ts";
import { Bench, words } from "./bench.ts";

/** What is reported as nobody's to catch, until it is disposed of. */
class Faults implements Disposable {
  readonly messages: unknown[] = [];
  readonly #note = (event: ErrorEvent): void => {
    event.preventDefault();
    this.messages.push(event.error.message);
  };

  constructor() {
    globalThis.addEventListener("error", this.#note);
  }

  [Symbol.dispose](): void {
    globalThis.removeEventListener("error", this.#note);
  }
}

function fault(): never {
  throw new Error("mine");
}

Deno.test("a listener of frames or of states that throws silences nobody else", async () => {
  using faults = new Faults();
  const bench = await Bench.start();
  const client = bench.connect();
  const seen: string[] = [];
  client.onState(fault);
  client.onState(({ kind }) => seen.push(kind));
  client.subscribe("task:status", fault, { onLive: fault });
  client.subscribe("task:status", ({ type }) => seen.push(type), { onLive: (is) => seen.push(String(is)) });
  await bench.pass(100);
  await bench.event("t", "started");
  assertEquals(seen, ["open", "caught_up", "true", "task_status"]);
  assertEquals(faults.messages, Array(4).fill("mine"));
  client.close();
});

Deno.test("a listener of a store that throws silences nobody else", async () => {
  using faults = new Faults();
  const bench = await Bench.start();
  const client = bench.connect();
  const store = client.task("t");
  const seen: unknown[] = [];
  const stops = [store.subscribe(fault), store.subscribe(({ status }) => seen.push(status))];
  const other = client.tasks();
  stops.push(other.subscribe(() => {}));
  await bench.pass(100);
  await bench.event("t", "started");
  assertEquals([seen.at(-1), other.getSnapshot().tasks.length], ["running", 1]);
  assertEquals(new Set(faults.messages), new Set(["mine"]));
  for (const stop of stops) stop();
  client.close();
});

Deno.test("where a runtime cannot report a fault it is thrown in a turn of its own", async () => {
  const { reportError } = globalThis;
  Reflect.deleteProperty(globalThis, "reportError");
  try {
    using faults = new Faults();
    const store = new LiveStore(0, (set) => {
      set(() => 1);
      return () => {};
    });
    const seen: number[] = [];
    store.subscribe(fault);
    store.subscribe((value) => seen.push(value));
    await new Promise((resolve) => setTimeout(resolve, 10));
    assertEquals([seen, faults.messages.length > 0], [[1], true]);
  } finally {
    Object.assign(globalThis, { reportError });
  }
});

Deno.test("a store that is subscribed to while it begins begins once", () => {
  let begun = 0;
  let ended = 0;
  const stops: (() => void)[] = [];
  const seen: number[] = [];
  const store = new LiveStore(0, (set) => {
    begun++;
    set(() => 1);
    return () => ended++;
  });
  stops.push(store.subscribe(() => {
    if (stops.length === 0) stops.push(store.subscribe((value) => seen.push(value)));
  }));
  assertEquals([begun, ended], [1, 0]);
  for (const stop of stops) stop();
  assertEquals([begun, ended, seen], [1, 1, [1]]);
});

Deno.test("a store that is changed by a listener tells nobody of what was after what is", () => {
  let set: (change: (value: number) => number) => void = () => {};
  const store = new LiveStore(0, (setter) => {
    set = setter;
    return () => {};
  });
  const seen: number[] = [];
  store.subscribe((value) => value === 1 && set(() => 2));
  store.subscribe((value) => seen.push(value));
  set(() => 1);
  assertEquals(seen, [0, 2]);
});

Deno.test("a state that is reached within a listener is told to all after the one before it", async () => {
  const bench = await Bench.start();
  const client = bench.connect();
  const seen: string[] = [];
  client.onState(({ kind }) => kind === "open" && client.close());
  client.onState(({ kind }) => seen.push(kind));
  await bench.pass(100);
  assertEquals(seen, ["open", "closed"]);
});

Deno.test("one function may listen to states twice, and stop once", async () => {
  const bench = await Bench.start();
  const client = bench.connect();
  const seen: ConnectionState["kind"][] = [];
  const listener = ({ kind }: ConnectionState) => seen.push(kind);
  const stop = client.onState(listener);
  client.onState(listener);
  stop();
  await bench.pass(100);
  assertEquals(seen, ["open"]);
  client.close();
});

/** A bench whose gateway has sent a batch about what is watched, and a hand that has it arrive. */
async function batched(): Promise<{ readonly bench: Bench; readonly arrive: () => void }> {
  const bench = await Bench.start();
  const status = (seq: number) => ({
    ...{ type: "task_status", id: `status_${seq}`, timestamp: 0, seq },
    data: { task_id: "t", tags: [], status: "running" },
  });
  const frames = [
    status(11),
    { type: "gap", id: "g", timestamp: 0, data: { topics: ["task:status"], epoch: "e", missed_to: 11 } },
    status(12),
    { type: "task_progress", id: "progress_13", timestamp: 0, seq: 13, data: { task_id: "t", progress: {} } },
    { type: "task_list", id: "list_12", timestamp: 0, data: { tasks: [], removed: [] } },
    { type: "caught_up", id: "c", timestamp: 0, data: { topics: ["task:status", "task:list"], seq: 12 } },
  ];
  const batch = JSON.stringify({ type: "batch", id: "b", timestamp: 0, data: { frames } });
  return { bench, arrive: () => bench.tell(batch) };
}

Deno.test("after unsubscribe() nothing comes, not even of what has arrived already", async () => {
  const { bench, arrive } = await batched();
  const client = bench.connect();
  const seen: string[] = [];
  const first = client.subscribe(["task:status", "task:list"], ({ type }) => {
    seen.push(`first ${type}`);
    if (type === "gap") {
      first.unsubscribe();
      second.unsubscribe();
    }
  }, { onLive: (is) => seen.push(`first ${is}`) });
  const second = client.subscribe(["task:status", "task:list"], ({ type }) => seen.push(`second ${type}`));
  await bench.pass(100);
  seen.length = 0;
  arrive();
  await settled();
  assertEquals(seen, ["first task_status", "second task_status", "first false", "first gap"]);
  client.close();
});

Deno.test("after close() nothing comes, not even of what has arrived already", async () => {
  const { bench, arrive } = await batched();
  const client = bench.connect();
  const seen: string[] = [];
  client.subscribe(["task:status", "task:list"], ({ type }) => {
    seen.push(type);
    if (type === "task_status") client.close();
  }, { onLive: (is) => seen.push(String(is)) });
  client.subscribe(["task:status", "task:list"], ({ type }) => seen.push(type));
  await bench.pass(100);
  seen.length = 0;
  arrive();
  await settled();
  assertEquals(seen, ["task_status", "false"], "but that it is not live any more");
});

Deno.test("who comes to a topic that others watch is called back once subscribe() has returned", async () => {
  const bench = await Bench.start();
  const client = bench.connect();
  client.subscribe(["task:status", "task:list"], () => {});
  await bench.pass(100);
  await bench.event("t", "started");
  const seen: string[] = [];
  client.subscribe(["task:status", "task:list"], (frame: PushedFrame) => seen.push(...words([frame])), {
    onLive: (is) => seen.push(String(is)),
  });
  assertEquals(seen, []);
  await Promise.resolve();
  assertEquals(seen, ["t running", "task_list", "true"]);
  client.close();
});

Deno.test("who comes to a topic amid a batch is told how things are once, and in order", async () => {
  const { bench, arrive } = await batched();
  const client = bench.connect();
  const late: string[] = [];
  client.subscribe("task:id:t", ({ id }) => {
    if (id === "status_11") client.subscribe("task:id:t", (frame) => late.push(frame.id));
  });
  await bench.pass(100);
  arrive();
  await settled();
  assertEquals(late, ["status_12", "progress_13"]);
  client.close();
});

Deno.test("who subscribes after close() is told that it is in vain", async () => {
  const bench = await Bench.start();
  const client = bench.connect();
  client.close();
  const seen: unknown[] = [];
  const { unsubscribe } = client.subscribe("task:status", () => {}, {
    onError: ({ code, message }) => seen.push([code, message]),
  });
  const store = client.task("t");
  const stop = store.subscribe(() => {});
  await settled();
  assertEquals(seen, [["CLOSED", "closed by its owner"]]);
  assertEquals([store.getSnapshot().error?.code, store.getSnapshot().isStale], ["CLOSED", true]);
  unsubscribe();
  stop();
});
