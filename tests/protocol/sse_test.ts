import { assertEquals } from "@std/assert";
import { encodeJson, type Payload } from "../../src/protocol/codec.ts";
import type { ServerFrame } from "../../src/protocol/server_frames.ts";
import { closeEvent, HEARTBEAT, retryLine, sseCodec } from "../../src/protocol/sse.ts";

const pong: ServerFrame = { type: "pong", id: "数\n", timestamp: 1, data: { server_time: 1 } };

function payload(cursor: number | undefined): Payload {
  return { bytes: encodeJson(pong), type: "pong", cursor };
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("a frame is an event of its type, with an id only where a reader could resume", () => {
  const packed = text(sseCodec(() => "e7").pack([payload(undefined), payload(42)], 0));
  const data = 'data: {"type":"pong","id":"数\\\\n","timestamp":1,"data":{"server_time":1}}';
  assertEquals(
    packed,
    `event: pong\n${data}\n\nevent: pong\nid: e7:42\n${data}\n\n`.replaceAll("\\\\n", "\\n"),
  );
});

Deno.test("the epoch of an id is the one at the time of packing", () => {
  let epoch = "one";
  const codec = sseCodec(() => epoch);
  const ids = () => /^id: (.*)$/m.exec(text(codec.pack([payload(1)], 0)))?.[1];
  const before = ids();
  epoch = "two";
  assertEquals([before, ids()], ["one:1", "two:1"]);
});

Deno.test("nothing to pack is nothing", () => {
  assertEquals(sseCodec(() => "e").pack([], 0).length, 0);
});

Deno.test("a stream's other lines are no events, but for its close", () => {
  assertEquals(text(HEARTBEAT), ":\n\n");
  assertEquals(text(retryLine(1_234)), "retry: 1234\n\n");
  assertEquals(
    text(closeEvent(1012, "service restart")),
    'event: close\ndata: {"code":1012,"reason":"service restart"}\n\n',
  );
});
