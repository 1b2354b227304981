import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClientError, type PushedFrame } from "../../src/client/client.ts";
import { Bench, words } from "./bench.ts";

Deno.test("what is subscribed to in one turn goes as one request, and comes in order", async () => {
  const bench = await Bench.start();
  const client = bench.connect();
  const frames: PushedFrame[] = [];
  client.subscribe("task:status", (frame) => frames.push(frame));
  client.subscribe(["task:progress"], (frame) => frames.push(frame));
  await bench.pass(100);
  assertEquals(client.state, { kind: "open" });
  assertEquals(bench.world.counts.messages, { subscribe: 1 });
  await bench.event("t", "started");
  await bench.event("t", "progress", { completed: 3 });
  await bench.event("t", "completed");
  assertEquals(words(frames.filter(({ type }) => type !== "caught_up")), ["t running", "t 3", "t completed"]);
  client.close();
  assertEquals(bench.world.clock.pending, 0, "no timer is left");
});

Deno.test("after a lost connection what happened meanwhile comes first, each event once", async () => {
  const bench = await Bench.start();
  const client = bench.connect();
  const frames: PushedFrame[] = [];
  const lives: boolean[] = [];
  client.subscribe("task:status", (frame) => frame.type === "task_status" && frames.push(frame), {
    onLive: (isLive) => lives.push(isLive),
  });
  await bench.pass(100);
  await bench.event("a", "started");
  bench.wire.cut();
  assertEquals(client.state.kind, "waiting");
  await bench.event("b", "started");
  await bench.event("a", "completed");
  await bench.pass(1_000);
  await bench.event("b", "completed");
  assertEquals(words(frames), ["a running", "b running", "a completed", "b completed"]);
  assertEquals(lives, [true, false, true]);
  client.close();
});

Deno.test("a connection that fell silent is noticed by its missing pong, and replaced", async () => {
  const bench = await Bench.start();
  const client = bench.connect();
  client.subscribe("task:status", () => {});
  await bench.pass(100);
  bench.wire.mute();
  await bench.pass(30_000 + 75_000 + 2_000);
  assertEquals([client.state.kind, bench.wire.opened], ["open", 2]);
  client.close();
});

Deno.test("who is seen again after a sleep asks at once whether anybody is there", async () => {
  const bench = await Bench.start();
  const client = bench.connect();
  await bench.pass(100);
  bench.wire.mute();
  globalThis.dispatchEvent(new Event("online"));
  await bench.pass(6_000);
  assertEquals([client.state.kind, bench.wire.opened], ["open", 2]);
  client.close();
});

Deno.test("without a network nothing is tried, and with it at once", async () => {
  const bench = await Bench.start();
  bench.wire.reachable = false;
  const client = bench.connect();
  await bench.pass(20);
  globalThis.dispatchEvent(new Event("offline"));
  const { opened } = bench.wire;
  await bench.pass(60_000);
  assertEquals([client.state.kind, bench.wire.opened], ["waiting", opened]);
  bench.wire.reachable = true;
  globalThis.dispatchEvent(new Event("online"));
  await bench.pass(30);
  assertEquals(client.state.kind, "open");
  client.close();
});

Deno.test("requests wait for a connection, are asked again on the next, and each is answered once", async () => {
  const bench = await Bench.start();
  await bench.event("t", "started");
  bench.wire.reachable = false;
  const client = bench.connect();
  const asked = [client.getTask("t"), client.getTasks({ limit: 10 }), client.getHistory("t")];
  await bench.pass(100);
  bench.wire.reachable = true;
  await bench.pass(2_000);
  const [task, list, history] = await Promise.all(asked);
  assert(task !== undefined && "status" in task && task.status === "running");
  assert(list !== undefined && "total" in list && list.total === 1);
  assert(history !== undefined && "events" in history && history.events.length === 1);
  client.close();
});

Deno.test("a request that is not answered in time is rejected, as are too many and those of a closed client", async () => {
  const bench = await Bench.start();
  bench.wire.reachable = false;
  const client = bench.connect({ maxWaiting: 1, requestTimeoutMs: 700 });
  const late = assertRejects(() => client.getTask("t"), ClientError, "no answer within 700 ms");
  await assertRejects(() => client.getTask("u"), ClientError, "more than 1 requests");
  await bench.pass(800);
  await late;
  const closed = assertRejects(() => client.getTask("t"), ClientError, "closed by its owner");
  client.close();
  await closed;
  await assertRejects(() => client.getTask("t"), ClientError, "closed by its owner");
  assertEquals(client.state, { kind: "closed", why: "closed by its owner", code: undefined });
});

Deno.test("what the gateway refuses is the caller's to know", async () => {
  const bench = await Bench.start();
  const client = bench.connect();
  const refused: ClientError[] = [];
  const frames: PushedFrame[] = [];
  client.subscribe("task:nothing", () => {}, { onError: (error) => refused.push(error) });
  client.subscribe("task:status", (frame) => frames.push(frame));
  const missing = assertRejects(() => client.getTask("nobody"), ClientError, "no task nobody");
  await bench.pass(200);
  await missing;
  assertEquals(refused.map(({ code }) => code), ["TOPIC_NOT_FOUND"]);
  await bench.event("t", "started");
  assertEquals(words(frames), ["caught_up", "t running"], "the topic beside it is held all the same");
  client.close();
});

Deno.test("a topic is given back when the last who watches it goes, and who comes later is told what the others know", async () => {
  const bench = await Bench.start();
  const client = bench.connect();
  const seen: PushedFrame[][] = [[], [], []];
  const watch = (i: number) => client.subscribe("task:id:t", (frame) => seen[i]?.push(frame));
  const first = watch(0);
  await bench.pass(100);
  await bench.event("t", "started");
  await bench.event("t", "progress", { completed: 1 });
  const second = watch(1);
  await bench.pass(5);
  assertEquals(words(seen[1] ?? []), ["t running", "t 1"]);
  first.unsubscribe();
  await bench.event("t", "paused");
  assertEquals(words(seen[1] ?? []).at(-1), "t paused");
  assertEquals(words(seen[0] ?? []).includes("t paused"), false);
  second.unsubscribe();
  await bench.pass(50);
  assertEquals([bench.world.router.topics, bench.world.counts.messages], [0, {
    subscribe: 1,
    unsubscribe: 1,
  }]);
  client.close();
});

Deno.test("a history is asked for whole though the topic is held, and nobody is told twice", async () => {
  const bench = await Bench.start();
  const client = bench.connect();
  const live: PushedFrame[] = [];
  const past: PushedFrame[] = [];
  client.subscribe("task:id:t", (frame) => frame.type === "task_status" && live.push(frame));
  await bench.pass(100);
  for (const kind of ["started", "paused", "resumed"]) await bench.event("t", kind);
  client.subscribe("task:id:t", (frame) => frame.type === "task_status" && past.push(frame), {
    replay: "all",
  });
  await bench.pass(200);
  await bench.event("t", "completed");
  const all = ["t running", "t paused", "t running", "t completed"];
  assertEquals([words(live), words(past)], [all, all]);
  client.close();
});

Deno.test("who wants the present state of a topic that others hold without it gets it", async () => {
  const bench = await Bench.start();
  await bench.event("t", "started");
  const client = bench.connect();
  client.subscribe("task:status", () => {}, { replay: "none" });
  await bench.pass(100);
  const frames: PushedFrame[] = [];
  client.subscribe("task:status", (frame) => frames.push(frame));
  await bench.pass(100);
  assertEquals(words(frames), ["t running", "caught_up"]);
  client.close();
});

Deno.test("a gap is told, and the present state follows", async () => {
  const bench = await Bench.start();
  const client = bench.connect();
  const frames: PushedFrame[] = [];
  client.subscribe("task:status", (frame) => frames.push(frame));
  await bench.pass(100);
  await bench.event("t", "started");
  bench.wire.reachable = false;
  bench.wire.cut();
  bench.world.log.recreate();
  await bench.world.restart();
  await bench.event("u", "started");
  bench.wire.reachable = true;
  await bench.pass(5_000);
  assertEquals(words(frames), ["caught_up", "t running", "gap", "u running", "caught_up"]);
  await bench.event("u", "completed");
  assertEquals(words(frames).at(-1), "u completed");
  client.close();
});

Deno.test("a gateway that goes away is left at the time it gave, and one that wants nobody back is obeyed", async () => {
  const bench = await Bench.start();
  const socket = bench.wire.socket;
  let drop: (code: number, why: string) => void = () => {};
  let tell: (text: string) => void = () => {};
  const client = bench.connect({
    open(url, listener) {
      drop = listener.ended;
      tell = listener.message;
      return socket(url, listener);
    },
  });
  await bench.pass(100);
  const drain = { reconnect_after_ms: 900, seq: 0, epoch: "e" };
  tell(JSON.stringify({ type: "drain", id: "d", timestamp: 0, data: drain }));
  await bench.pass(800);
  assertEquals(bench.wire.opened, 1);
  await bench.pass(200);
  assertEquals([bench.wire.opened, client.state.kind], [2, "open"]);
  drop(4401, "unauthorized");
  assertEquals(client.state, { kind: "closed", why: "unauthorized", code: 4401 });
  await bench.pass(60_000);
  assertEquals(bench.wire.opened, 2);
});

Deno.test("each connection has a fresh token, and none is made without", async () => {
  const bench = await Bench.start();
  const urls: string[] = [];
  let tokens = 0;
  let fails = true;
  const client = bench.connect({
    token: () => fails ? Promise.reject(new Error("away")) : Promise.resolve(`token-${++tokens}`),
    open(url, listener) {
      urls.push(new URL(url).searchParams.get("token") ?? "");
      return bench.wire.socket(url, listener);
    },
  });
  await bench.pass(400);
  assertEquals([urls, client.state.kind], [[], "waiting"]);
  fails = false;
  await bench.pass(3_000);
  bench.wire.cut();
  await bench.pass(3_000);
  assertEquals([urls, client.state.kind], [["token-1", "token-2"], "open"]);
  client.close();
});

Deno.test("waits grow to twice the one before at most, and start anew after a connection that lasted", async () => {
  const bench = await Bench.start();
  bench.wire.reachable = false;
  const client = bench.connect();
  const waits: number[] = [];
  client.onState((state) => {
    if (state.kind === "waiting") waits.push((state.retryAtMs ?? 0) - bench.world.clock.now());
  });
  await bench.pass(60_000);
  assertEquals(waits.slice(0, 8), [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  bench.wire.reachable = true;
  await bench.pass(30_000);
  bench.wire.cut();
  assertEquals(waits.at(-1), 250);
  client.close();
});

Deno.test("a task's store shows it, and says so when it may be out of date", async () => {
  const bench = await Bench.start();
  const client = bench.connect();
  const store = client.task("t");
  assertEquals(client.task("t"), store, "who asks again has the same");
  let told = 0;
  const stop = store.subscribe(() => told++);
  await bench.pass(100);
  await bench.event("t", "started");
  await bench.event("t", "progress", { completed: 1, total: 4 });
  const view = store.getSnapshot();
  assertEquals([view.status, view.progress?.percentage, view.isStale, view.connection], [
    "running",
    25,
    false,
    "open",
  ]);
  assertEquals(store.getSnapshot(), view, "the same object until it changes");
  bench.wire.cut();
  assertEquals([store.getSnapshot().isStale, store.getSnapshot().connection], [true, "waiting"]);
  await bench.pass(2_000);
  assertEquals([store.getSnapshot().isStale, store.getSnapshot().status], [false, "running"]);
  const before = told;
  stop();
  await bench.event("t", "completed");
  assertEquals([told, bench.world.router.topics], [before, 0]);
  client.close();
});

Deno.test("a list's store shows tasks that fit, the newest first, ended ones too, as they change", async () => {
  const bench = await Bench.start();
  await bench.event("old", "completed");
  await bench.event("a", "created", { type: "import" });
  const client = bench.connect();
  const all = client.tasks();
  const imports = client.tasks({ type: "import" });
  const running = client.tasks({ status: "running" });
  const stops = [all, imports, running].map((store) => store.subscribe(() => {}));
  await bench.pass(200);
  const ids = () =>
    [all, imports, running].map((store) => store.getSnapshot().tasks.map((task) => task.task_id).join(" "));
  assertEquals(ids(), ["a old", "a", ""]);
  await bench.event("b", "started");
  await bench.event("a", "started");
  await bench.pass(100);
  assertEquals(
    ids(),
    ["b a old", "a", "b a"].map((line, i) => i === 2 ? line.split(" ").reverse().join(" ") : line),
  );
  await bench.event("b", "progress", { completed: 1, total: 2 });
  await bench.event("a", "failed");
  await bench.pass(100);
  assertEquals(ids(), ["b a old", "a", "b"]);
  assertEquals(all.getSnapshot().tasks[0]?.progress.percentage, 50);
  for (const stop of stops) stop();
  client.close();
});

Deno.test("a listener that throws disturbs nobody else", async () => {
  const bench = await Bench.start();
  const client = bench.connect();
  const seen: string[] = [];
  const faults: unknown[] = [];
  const onFault = (event: ErrorEvent) => {
    event.preventDefault();
    faults.push(event.error);
  };
  globalThis.addEventListener("error", onFault);
  client.subscribe("task:status", () => {
    throw new Error("mine");
  });
  client.subscribe("task:status", (frame) => seen.push(frame.type));
  await bench.pass(100);
  await bench.event("t", "started");
  globalThis.removeEventListener("error", onFault);
  assertEquals(seen, ["caught_up", "task_status"]);
  assertEquals(faults.length, 2);
  client.close();
});
