import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { readFrame } from "../../src/connection/inbound.ts";

Deno.test("a frame is read with its data, and with none where it has none", () => {
  assertEquals(readFrame('{"type":"ping","id":"1","timestamp":5,"data":{"a":1}}'), {
    frame: { type: "ping", id: "1", timestamp: 5, data: { a: 1 } },
  });
  assertEquals(readFrame('{"type":"ping","id":"1"}'), { frame: { type: "ping", id: "1", data: {} } });
});

Deno.test("members that nobody knows are dropped", () => {
  assertEquals(readFrame('{"type":"ping","id":"1","extra":[],"seq":4}'), {
    frame: { type: "ping", id: "1", data: {} },
  });
});

Deno.test("what is no JSON, or no object, breaks a rule and has no id", () => {
  assertEquals(readFrame("{"), { invalid: "message: must be JSON", id: undefined });
  assertEquals(readFrame(""), { invalid: "message: must be JSON", id: undefined });
  for (const text of ["[]", "null", "7", '"text"', '[{"type":"ping","id":"1"}]']) {
    assertEquals(readFrame(text), { invalid: "message: must be a JSON object", id: undefined });
  }
});

Deno.test("a broken rule is told under the id, where that could be read", () => {
  const idOf = (frame: unknown) => {
    const read = readFrame(JSON.stringify(frame));
    return "invalid" in read ? { id: read.id, member: read.invalid.split(":")[0] } : read;
  };
  assertEquals(idOf({ id: "1" }), { id: "1", member: "type" });
  assertEquals(idOf({ type: 7, id: "1" }), { id: "1", member: "type" });
  assertEquals(idOf({ type: "ping" }), { id: undefined, member: "id" });
  assertEquals(idOf({ type: "ping", id: 7 }), { id: undefined, member: "id" });
  assertEquals(idOf({ type: "ping", id: "" }), { id: undefined, member: "id" });
  assertEquals(idOf({ type: "ping", id: "x".repeat(129) }), { id: undefined, member: "id" });
  assertEquals(idOf({ type: "", id: "1" }), { id: "1", member: "type" });
  assertEquals(idOf({ type: "x".repeat(65), id: "1" }), { id: "1", member: "type" });
  assertEquals(idOf({ type: "ping", id: "1", data: [] }), { id: "1", member: "data" });
  assertEquals(idOf({ type: "ping", id: "1", data: null }), { id: "1", member: "data" });
  assertEquals(idOf({ type: "ping", id: "1", timestamp: "now" }), { id: "1", member: "timestamp" });
});

Deno.test("prototypes are not to be reached: `__proto__` is a name like any other, and is left out of data", () => {
  const read = readFrame(
    '{"type":"__proto__","id":"1","__proto__":{"type":"x"},"data":{"__proto__":{"a":1}}}',
  );
  assert("frame" in read);
  assertEquals(read.frame.type, "__proto__");
  assertEquals(Object.getPrototypeOf(read.frame.data), Object.prototype);
  assertEquals(Object.keys(read.frame.data), []);
  assertEquals(({} as Record<string, unknown>)["a"], undefined);
});

Deno.test("nesting without end, and whatever else is JSON or not, is read without a throw", () => {
  const deep = "[".repeat(30_000) + "]".repeat(30_000);
  assert("frame" in readFrame(`{"type":"ping","id":"1","data":{"x":${deep}}}`));
  assertEquals(readFrame("[".repeat(60_000)), { invalid: "message: must be JSON", id: undefined });
  fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
    const read = readFrame(text);
    if ("invalid" in read) assert(read.invalid.length > 0 && read.invalid.length <= 220, read.invalid);
  }));
});
