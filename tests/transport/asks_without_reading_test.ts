import { assert, assertEquals } from "@std/assert";
import * as v from "valibot";
import type { Outcome } from "../../src/connection/state.ts";
import { defineMessage } from "../../src/messages/message_type.ts";
import { ServerFrameSchema } from "../../src/protocol/server_schemas.ts";
import { eventually } from "../eventually.ts";
import { eventOf, LiveGateway } from "./live_gateway.ts";
import { frame, OPCODES, RawPeer } from "./raw_peer.ts";

/** As many questions as are asked come in, so that nothing but reading holds a client back. */
const UNLIMITED = { MESSAGES_PER_SECOND: "1000000", MESSAGES_BURST: "1000000" };

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function questions(count: number, type: string, data: object = {}): Uint8Array {
  return joined(Array.from({ length: count }, (_, i) => frame(JSON.stringify({ type, id: `q${i}`, data }))));
}

Deno.test("who asks and does not read is not answered into memory, and has every answer when it reads", async () => {
  await using live = await LiveGateway.start(UNLIMITED);
  await using bystander = await live.connect("/ws?topics=task:status");
  await live.append(eventOf("job1", "completed"));
  const task = await bystander.next("task_status");
  const data = { ...task.data, result: "x".repeat(1_000_000) };
  let answers = 0;
  live.gateway.pipeline?.messages.register(defineMessage({
    type: "large",
    schema: v.object({}),
    cost: 1,
    handle: () => {
      answers++;
      return { kind: "reply", type: "task_status", data };
    },
  }));
  using asker = await RawPeer.connect(live.port);
  const asked = 80;
  await asker.send(questions(asked, "large"));
  await eventually("it begins to answer", () => answers > 0);
  for (let i = 0; i < 50; i++) assertEquals((await bystander.request("ping")).type, "pong");
  assert(answers < 20, `${answers} MB of answers, of which the kernel takes some ten`);

  for (let i = -1; i < asked; i++) {
    const next = await asker.next();
    assert(next?.opcode === OPCODES.text);
    const { id, type } = v.parse(ServerFrameSchema, JSON.parse(new TextDecoder().decode(next.payload)));
    if (i >= 0) assertEquals([id, type], [`q${i}`, "task_status"]);
  }
  assertEquals(answers, asked);
});

Deno.test("others are served as ever while one asks and does not read", async () => {
  await using live = await LiveGateway.start(UNLIMITED);
  await live.append(...Array.from({ length: 500 }, (_, i) => eventOf(`job${i}`, "created")));
  await using bystander = await live.connect("/ws?topics=task:id:mine");
  using asker = await RawPeer.connect(live.port);
  await asker.send(questions(5_000, "get_tasks", { limit: 1_000 }));
  let slowestMs = 0;
  for (let i = 0; i < 50; i++) {
    const sentMs = performance.now();
    const seq = await live.append(eventOf("mine", i % 2 === 0 ? "paused" : "resumed"));
    await bystander.find((frame) => frame.type === "task_status" && frame.seq === seq);
    assertEquals((await bystander.request("ping")).type, "pong");
    slowestMs = Math.max(slowestMs, performance.now() - sentMs);
  }
  assert(slowestMs < 2_000, `${slowestMs} ms`);
  assertEquals(live.incidents, []);
});

Deno.test("of what is asked at once no more than sixteen are being answered, and all are in the end, in order", async () => {
  await using live = await LiveGateway.start(UNLIMITED);
  const open: (() => void)[] = [];
  let most = 0;
  live.gateway.pipeline?.messages.register(defineMessage({
    type: "later",
    schema: v.object({}),
    cost: 1,
    handle: () =>
      new Promise<Outcome>((resolve) => {
        open.push(() => resolve({ kind: "reply", type: "pong", data: { server_time: 0 } }));
        most = Math.max(most, open.length);
      }),
  }));
  using asker = await RawPeer.connect(live.port);
  const asked = 500;
  await asker.send(questions(asked, "later"));
  await eventually("the first are taken in", () => open.length === 16);
  let answered = 0;
  const ids: unknown[] = [];
  const reading = (async () => {
    for (let i = -1; i < asked; i++) {
      const next = await asker.next();
      assert(next !== undefined);
      if (i >= 0) ids.push(v.parse(ServerFrameSchema, JSON.parse(new TextDecoder().decode(next.payload))).id);
    }
  })();
  while (answered < asked) {
    await eventually("there is one to answer", () => open.length > 0);
    open.shift()?.();
    answered++;
  }
  await reading;
  assertEquals([most, ids], [16, Array.from({ length: asked }, (_, i) => `q${i}`)]);
});

Deno.test("who sends pings and reads no pongs is let go before they pile up", async () => {
  await using live = await LiveGateway.start();
  await using bystander = await live.connect();
  using peer = await RawPeer.connect(live.port);
  const ping = frame("x".repeat(125), { opcode: OPCODES.ping });
  const thousand = joined(new Array<Uint8Array>(1_000).fill(ping));
  let thousands = 0;
  while (thousands < 1_000 && await peer.send(thousand).then(() => true, () => false)) thousands++;
  assert(thousands < 1_000, "it went on for ever");
  assertEquals((await bystander.request("ping")).type, "pong");
  assertEquals(live.incidents, []);
});
