import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import * as v from "valibot";
import { LogError } from "../../src/log/event_log.ts";
import { defineMessage, refuse } from "../../src/messages/message_type.ts";
import { boundsOf } from "../projection/bounds.ts";
import type { Frame, FrameOf, FrameType } from "../websocket_client.ts";
import { type Peer, settled, World } from "./world.ts";

const NO_TAIL = boundsOf({ maxEvents: 0 });

function of<T extends FrameType>({ socket }: Peer, type: T): FrameOf<T>[] {
  return socket.frames.filter((frame): frame is FrameOf<T> => frame.type === type);
}

/** The types of the frames a peer was written, and of tasks their ids. */
function seen({ socket }: Peer): string[] {
  return socket.frames.map(({ type, id }) => /^(progress|status|list)_/.test(id) ? id : type);
}

function last({ socket }: Peer): Frame | undefined {
  return socket.frames.at(-1);
}

Deno.test("a connection is welcomed first, and subscribed as its handshake asked", async () => {
  const world = await World.booted();
  world.put("t0", "started");
  await world.follow();
  const peer = world.connect({ query: { topics: ["task:status"] } });
  assertEquals(seen(peer), ["welcome", "subscribed", "status_1", "caught_up"]);
  const bad = world.connect({ query: { topics: ["task:nonsense"] } });
  assertEquals(seen(bad), ["welcome", "error"]);
  assertEquals(of(bad, "error")[0]?.error.code, "TOPIC_NOT_FOUND");
});

Deno.test("a snapshot that the socket interrupts goes on where it was, though other topics come and go", async () => {
  const world = await World.booted();
  const ids = Array.from({ length: 250 }, (_, i) => `t${i}`);
  for (const id of ids) world.put(id, "created", { tags: ["a"] });
  await world.follow();
  const peer = world.connect();
  peer.socket.slow = true;
  peer.send("subscribe", { topics: ["task:tag:a", "task:list"] });
  peer.socket.drain();
  peer.send("subscribe", { topics: ["task:id:t3"] });
  peer.socket.drain();
  peer.send("unsubscribe", { topics: ["task:list"] });
  const before = peer.socket.frames.length;
  for (let i = 0; i < 20; i++) peer.socket.drain();
  const told = of(peer, "task_status").map(({ data }) => data.task_id);
  assertEquals(told.filter((id) => id !== "t3"), ids.filter((id) => id !== "t3"), "each once");
  assertEquals(told.filter((id) => id === "t3").length, 2, "t3 by its tag and by its name");
  assertEquals(peer.socket.frames.slice(before).filter(({ type }) => type === "task_list"), []);
  assertEquals(of(peer, "caught_up").length, 1);
  assertEquals(peer.connection.stateName, "live");
});

Deno.test("a slow reader is read to at its own pace and holds nothing", async () => {
  const world = await World.booted();
  const peer = world.connect({ query: { topics: ["task:status"], replay: "none" } });
  peer.socket.slow = true;
  for (let i = 0; i < 3_000; i++) world.put(`t${i % 50}`, i % 2 === 0 ? "paused" : "resumed");
  await world.follow();
  world.clock.advance(20);
  await world.follow();
  assertEquals(peer.connection.stateName, "live", "nothing was congested yet");
  world.put("t0", "retrying");
  await world.follow();
  const { writes } = peer.socket;
  assertEquals(peer.connection.stateName, "behind");
  for (let i = 0; i < 2_000; i++) world.put(`t${i % 50}`, i % 2 === 0 ? "paused" : "resumed");
  await world.follow();
  world.clock.advance(1_000);
  assertEquals(peer.socket.writes, writes, "nothing is written to a socket that asks for no more");
  for (let i = 0; i < 100 && peer.connection.stateName === "behind"; i++) peer.socket.drain();
  const seqs = of(peer, "task_status").map(({ seq }) => seq);
  assertEquals(seqs, Array.from({ length: 5_001 }, (_, i) => i + 1));
  assertEquals(peer.connection.stateName, "live");
});

Deno.test("a cursor of another life of the stream is a gap, then the new truth", async () => {
  const world = await World.booted();
  world.put("old", "started");
  await world.follow();
  const peer = world.connect({ query: { topics: ["task:status"] } });
  const quiet = world.connect();
  world.log.recreate();
  world.put("new", "started");
  await world.rebuild("epoch", [peer, quiet]);
  assertEquals(seen(peer).slice(4), ["gap", "status_1", "caught_up"]);
  assertEquals(of(peer, "gap")[0]?.data, {
    topics: ["task:status"],
    missed_from: 1,
    missed_to: 1,
    reason: "epoch",
    epoch: "memory-2",
  });
  assertEquals(of(peer, "task_status").at(-1)?.data.task_id, "new");
  assertEquals(seen(quiet), ["welcome"]);
  const since = { epoch: "memory-1", seq: 1 };
  const late = world.connect({ query: { topics: ["task:status"], since } });
  assertEquals(seen(late), ["welcome", "subscribed", "gap", "status_1", "caught_up"]);
});

Deno.test("a stream that is made again while the log is asked for a cursor does not make that cursor good", async () => {
  const world = await World.booted({ bounds: NO_TAIL });
  for (let i = 0; i < 9; i++) world.put("old", i % 2 === 0 ? "paused" : "resumed");
  await world.follow();
  const peer = world.connect();
  const gates: (() => void)[] = [];
  world.log.gate = () => new Promise<void>((resolve) => gates.push(resolve));
  peer.send("subscribe", { topics: ["task:status"], since: { epoch: "memory-1", seq: 2 } });
  const [asked] = gates;
  world.log.gate = () => Promise.resolve();
  world.log.recreate();
  for (let i = 0; i < 5; i++) world.put("new", i % 2 === 0 ? "paused" : "resumed");
  await world.rebuild("epoch", [peer]);
  asked?.();
  await settled();
  assertEquals(of(peer, "subscribed")[0]?.data.recovered, false);
  assertEquals(seen(peer), ["welcome", "subscribed", "gap", "status_5", "caught_up"]);
});

Deno.test("a log that is away for a while holds a replay up and loses nothing of it", async () => {
  const world = await World.booted({ bounds: NO_TAIL });
  for (let i = 0; i < 9; i++) world.put("t0", i % 2 === 0 ? "paused" : "resumed");
  await world.follow();
  const peer = world.connect({ query: { topics: ["task:status"], replay: "all" } });
  await settled();
  const other = world.connect();
  world.clock.advance(300); // what the log's extent was is forgotten
  let asked = 0;
  world.log.gate = () => {
    asked++;
    return Promise.reject(new LogError("unreachable", "away"));
  };
  other.connection.receive(JSON.stringify({
    type: "subscribe",
    id: "s",
    data: { topics: ["task:id:t0"], since: { epoch: "memory-1", seq: 3 } },
  }));
  await settled();
  assertEquals(of(other, "error").map(({ id, error }) => [id, error.code]), [["s", "SERVER_ERROR"]]);
  const third = world.connect({ query: { topics: ["task:status"], replay: "none" } });
  third.socket.slow = true;
  world.put("t0", "retrying");
  await world.follow();
  world.put("t0", "paused");
  world.clock.advance(20);
  await world.follow();
  assertEquals(third.connection.stateName, "behind");
  third.socket.slow = false;
  third.socket.drain();
  await settled();
  for (let i = 0; i < 5; i++) {
    world.clock.advance(500);
    await settled();
  }
  assert(asked >= 6 && asked <= 20, `${asked} times it was asked in vain`);
  world.log.gate = () => Promise.resolve();
  world.clock.advance(500);
  await settled();
  assertEquals(of(third, "task_status").map(({ seq }) => seq), [10, 11]);
  assertEquals(third.connection.stateName, "live");
  assertEquals(of(peer, "task_status").length, 11);
});

Deno.test("who goes while its replay waits for the log leaves no timer behind", async () => {
  const world = await World.booted({ bounds: NO_TAIL });
  world.put("t0", "started");
  await world.follow();
  world.log.gate = () => Promise.reject(new LogError("unreachable", "away"));
  const peer = world.connect();
  peer.send("subscribe", { topics: ["task:status"], since: { epoch: "memory-1", seq: 0 } });
  await settled();
  const follower = world.connect({ query: { topics: ["task:id:t0"], since: { epoch: "memory-1", seq: 1 } } });
  follower.socket.slow = true;
  follower.connection.lagged(0);
  await settled();
  assertEquals(world.clock.pending, 1);
  follower.vanish();
  peer.vanish();
  assertEquals(world.clock.pending, 0);
  const late = world.connect({ query: { topics: ["task:id:t0"], since: { epoch: "memory-1", seq: 1 } } });
  late.connection.lagged(0);
  late.vanish();
  await settled();
  assertEquals(world.clock.pending, 0, "nor does one whose answer came after it had gone");
});

Deno.test("a client that asks faster than it is answered is not read from for a while", async () => {
  const world = await World.booted();
  const answers: (() => void)[] = [];
  world.messages.register(defineMessage({
    type: "slow",
    schema: v.object({}),
    cost: 1,
    handle: () => new Promise((resolve) => answers.push(() => resolve(refuse("FORBIDDEN", "no")))),
  }));
  const peer = world.connect();
  for (let i = 0; i < 15; i++) peer.send("slow");
  assertEquals(peer.socket.reading, true);
  peer.send("slow");
  assertEquals(peer.socket.reading, false);
  answers.shift()?.();
  await settled();
  assertEquals(peer.socket.reading, true);
  for (const answer of answers) answer();
  await settled();
  assertEquals(of(peer, "error").length, 16);
});

Deno.test("a client that asks faster than it reads is not read from until it has", async () => {
  const world = await World.booted();
  const peer = world.connect();
  peer.socket.slow = true;
  peer.send("ping");
  assertEquals(peer.socket.reading, false);
  peer.socket.slow = false;
  peer.socket.drain();
  assertEquals(peer.socket.reading, true);
});

Deno.test("a handler that fails costs its client an answer and nobody anything else", async () => {
  const world = await World.booted();
  const bystander = world.connect({ query: { topics: ["task:status"], replay: "none" } });
  for (
    const [type, handle] of [
      ["throws", () => {
        throw new TypeError("secret");
      }],
      ["rejects", () => Promise.reject(new TypeError("secret"))],
    ] as const
  ) {
    world.messages.register(defineMessage({ type, schema: v.object({}), cost: 1, handle }));
  }
  const peer = world.connect();
  peer.send("throws");
  peer.send("rejects");
  await settled();
  const errors = of(peer, "error");
  assertEquals(errors.map(({ id, error }) => [id, error.code, error.details]), [
    ["r1", "SERVER_ERROR", { incident: "incident" }],
    ["r2", "SERVER_ERROR", { incident: "incident" }],
  ]);
  assert(!JSON.stringify(errors).includes("secret"), "no internals");
  assertEquals(world.faults.length, 2);
  assertEquals(peer.connection.stateName, "quiet");
  world.put("t0", "started");
  await world.follow();
  assertEquals(seen(bystander).at(-1), "status_1");
});

Deno.test("a plugin that answers rubbish ends its own connection with 1011, in the log, and no other", async () => {
  const world = await World.booted();
  const bystander = world.connect({ query: { topics: ["task:status"], replay: "none" } });
  const peer = world.connect({ query: { topics: ["task:status"], replay: "none" } });
  // A plugin in plain JavaScript may return anything.
  const handle = (() => undefined) as unknown as () => ReturnType<typeof refuse>;
  world.messages.register(defineMessage({ type: "rubbish", schema: v.object({}), cost: 1, handle }));
  peer.send("rubbish");
  assertEquals(peer.socket.closed?.code, 1011);
  assertEquals([peer.connection.stateName, world.faults.length], ["closed", 1]);
  world.put("t0", "started");
  await world.follow();
  assertEquals(seen(bystander).at(-1), "status_1");
  assertEquals(world.router.audiences, 1);
});

Deno.test("a fault in reading the past ends the connection that met it, not the process", async () => {
  const world = await World.booted();
  const peer = world.connect({ query: { topics: ["task:status"], replay: "none" } });
  peer.socket.congest();
  peer.connection.lagged(0);
  world.put("t0", "started");
  await world.follow();
  world.history.page = () => {
    throw new TypeError("a fault of ours");
  };
  peer.socket.drain();
  await settled();
  peer.connection.lagged(0);
  assertEquals([peer.socket.closed?.code, world.faults.length], [1011, 1]);
});

Deno.test("after the end nothing is written, whatever comes late", async () => {
  const world = await World.booted({ bounds: NO_TAIL });
  for (let i = 0; i < 5; i++) world.put("t0", i % 2 === 0 ? "paused" : "resumed");
  await world.follow();
  const gates: (() => void)[] = [];
  world.log.gate = () => new Promise<void>((resolve) => gates.push(resolve));
  const peer = world.connect({ query: { topics: ["task:status"], replay: "all" } });
  peer.send("get_history", { task_id: "t0" });
  peer.connection.close("idle");
  const written = peer.socket.frames.length;
  peer.send("ping");
  peer.connection.receiveBinary(new Uint8Array([0xa0]));
  world.log.gate = () => Promise.resolve();
  for (const open of gates) open();
  await settled();
  peer.connection.drain(5);
  peer.connection.lagged(0);
  peer.connection.close("internal");
  assertEquals(peer.socket.frames.length, written);
  assertEquals(peer.socket.closed?.code, 4408);
  assertEquals([peer.connection.stateName, peer.connection.lastState], ["closed", "quiet"]);
});

Deno.test("binary messages, and what is no frame, are told what they should have been", async () => {
  const world = await World.booted();
  const peer = world.connect();
  peer.connection.receiveBinary(new Uint8Array([0xa0]));
  peer.connection.receive("{");
  peer.connection.receive('{"type":"subscribe","id":"s1","data":{"topics":"task:list"}}');
  peer.connection.receive('{"type":"constructor","id":"s2"}');
  const errors = of(peer, "error");
  assertEquals(errors.map(({ error }) => error.code), Array.from({ length: 4 }, () => "INVALID_MESSAGE"));
  assertEquals(errors.slice(2).map(({ id }) => id), ["s1", "s2"]);
  assertStringIncludes(errors[2]?.error.message ?? "", "data.topics");
  assertStringIncludes(errors[3]?.error.message ?? "", "type: must be one of auth, cancel_task");
  assertEquals(Object.keys(world.counts.messages).sort(), ["subscribe", "unknown"]);
});

Deno.test("pong tells how far the client has been served, and nothing amid a snapshot", async () => {
  const world = await World.booted();
  world.put("t0", "started");
  await world.follow();
  const peer = world.connect({ query: { topics: ["task:status"], replay: "none" } });
  const pong = () => {
    const id = peer.send("ping");
    const frame = peer.socket.frames.find((one) => one.id === id);
    return frame?.type === "pong" ? frame.data.seq : undefined;
  };
  assertEquals(pong(), 1);
  world.put("t0", "paused");
  await world.follow();
  world.put("t0", "resumed");
  await world.follow();
  assertEquals(pong(), 2, "the third is pending");
  world.clock.advance(20);
  assertEquals(pong(), 3);
  world.put("t1", "progress", { completed: 1 });
  await world.follow();
  assertEquals(pong(), 3, "the fourth is pending, too");
  peer.socket.congest();
  peer.send("subscribe", { topics: ["task:list"] });
  assertEquals(pong(), undefined);
  assertEquals(last(peer)?.type, "pong");
});

Deno.test("those who drain are told once, served on, and end with 1012", async () => {
  const world = await World.booted();
  const peer = world.connect({ query: { topics: ["task:status"], replay: "none" } });
  peer.connection.drain(1_350);
  world.put("t0", "started");
  await world.follow();
  peer.send("ping");
  peer.connection.close("restart");
  assertEquals(seen(peer), ["welcome", "subscribed", "drain", "status_1", "pong"]);
  assertEquals(of(peer, "drain")[0]?.data, { reconnect_after_ms: 1_350, seq: 0, epoch: "memory-1" });
  assertEquals(peer.socket.closed, { code: 1012, reason: "service restart" });
});
