import { assert, assertEquals } from "@std/assert";
import { createServer } from "node:http";
import { once } from "node:events";
import { WebSocket, WebSocketServer } from "ws";
import { decode } from "cborg";
import * as v from "valibot";
import {
  cbor,
  CODECS,
  encodeJson,
  json,
  jsonBatch,
  type Payload,
  withDeltas,
} from "../../src/protocol/codec.ts";
import type { ServerFrame } from "../../src/protocol/server_frames.ts";
import { BatchFrameSchema } from "../../src/protocol/server_schemas.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a real WebSocket client receives when these bytes are written to its socket: `count` messages. */
async function received(pieces: readonly Uint8Array[], count: number): Promise<string[]> {
  const sockets = new WebSocketServer({ noServer: true });
  const server = createServer();
  server.on("upgrade", (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, () => {
      for (const piece of pieces) socket.write(piece);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert(address !== null && typeof address === "object");
  const client = new WebSocket(`ws://127.0.0.1:${address.port}/`, { perMessageDeflate: false });
  try {
    return await new Promise((resolve, reject) => {
      const messages: string[] = [];
      client.on("error", reject);
      client.on("close", () => reject(new Error(`closed after ${messages.length} messages`)));
      client.on("message", (data, isBinary) => {
        if (isBinary) return reject(new Error("a binary message"));
        messages.push(data.toString());
        if (messages.length === count) resolve(messages);
      });
    });
  } finally {
    client.removeAllListeners("close");
    client.terminate();
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
}

/** As a codec takes it. */
const payload = (bytes: Uint8Array): Payload => ({ bytes, type: "pong", cursor: undefined });

const pong = (id: string): ServerFrame => ({ type: "pong", id, timestamp: 1, data: { server_time: 1 } });

Deno.test("a client reads every payload of a flush as a text message, at every length of header", async () => {
  const texts = [0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537, 200_000].map((n) => "x".repeat(n));
  const packed = json.pack(texts.map((text) => payload(encoder.encode(text))), 0);
  assertEquals(await received([packed], texts.length), texts);
});

Deno.test("a client reads a flush that arrives in pieces", async () => {
  const texts = ["处理 BTCUSDT", "x".repeat(126), "", "é".repeat(40_000)];
  const packed = json.pack(texts.map((text) => payload(encoder.encode(text))), 0);
  const pieces = [0, 1, 3, 20, 150, 151, 70_000].map((start, i, cuts) => packed.subarray(start, cuts[i + 1]));
  assertEquals(await received(pieces, texts.length), texts);
});

Deno.test("a message costs 2, 4 or 10 bytes of header", () => {
  const sizes = [125, 126, 65_535, 65_536].map((n) => json.pack([payload(new Uint8Array(n))], 0).length - n);
  assertEquals(sizes, [2, 4, 4, 10]);
  assertEquals(json.pack([], 0).length, 0);
});

Deno.test("several frames of one flush ride in one batch frame where that was negotiated", async () => {
  const frames = [pong("1"), pong("2"), pong("数")];
  const packed = jsonBatch.pack(frames.map((frame) => payload(encodeJson(frame))), 1_704_067_200_000);
  const [message] = await received([packed], 1);
  const batch = v.parse(BatchFrameSchema, JSON.parse(message ?? ""));
  assertEquals([batch.id, batch.timestamp], ["batch_1704067200000", 1_704_067_200_000]);
  assertEquals<readonly unknown[]>(batch.data.frames, frames);
});

Deno.test("in CBOR a flush is one binary message, of the frame or of a batch, with the members that JSON has", () => {
  const frames = [pong("1"), pong("2"), pong("数")];
  for (const count of [1, 2, 3]) {
    const some = frames.slice(0, count);
    const messages = cbor.messages(some.map((frame) => payload(encodeJson(frame))), 1_704_067_200_000);
    assertEquals(messages.map(({ binary }) => binary), [true]);
    const message = decode(messages[0]?.bytes ?? new Uint8Array());
    if (count === 1) assertEquals(message, some[0]);
    else assertEquals<readonly unknown[]>(v.parse(BatchFrameSchema, message).data.frames, some);
  }
});

Deno.test("a single frame goes as it is, and no frame as nothing, in every codec", () => {
  assertEquals(cbor.pack([], 0).length, 0);
  for (const codec of [json, jsonBatch]) {
    const one = [payload(encodeJson(pong("1")))];
    assertEquals(codec.pack(one, 0), json.pack(one, 0));
    assertEquals(codec.pack([], 0).length, 0);
  }
  assert(Object.entries(CODECS).every(([name, codec]) => name === codec.name));
});

Deno.test("who agreed on nothing of ours is told what is unknown of progress in the seed's types, everybody else by null", () => {
  const current = '"total":null, "status":null';
  const unknown = { total: null, completed: 0, failed: 0, percentage: null, status: null };
  const progress = { ...unknown, current, attempt: 1, rate: null, eta_ms: null };
  const bytes = encodeJson({
    type: "task_progress",
    id: "progress_1",
    timestamp: 1,
    data: { task_id: "a", progress },
  });
  const told = [json, jsonBatch, withDeltas(json), cbor].map((codec) => {
    const [message] = codec.messages([{ bytes, type: "task_progress", cursor: 1 }], 0);
    if (message === undefined) throw new Error("no message");
    const { data } = message.binary ? decode(message.bytes) : JSON.parse(decoder.decode(message.bytes));
    return data.progress;
  });
  const seen = { ...progress, total: 0, percentage: 0, status: "" };
  assertEquals(told, [seen, progress, progress, progress]);
  const nothing = encodeJson({
    type: "task_progress",
    id: "progress_2",
    timestamp: 1,
    data: { task_id: "a", progress: { ...progress, current: null } },
  });
  const [again] = json.messages([{ bytes: nothing, type: "task_progress", cursor: 1 }], 0);
  assertEquals(JSON.parse(decoder.decode(again?.bytes)).data.progress, { ...seen, current: "" });
});
