import { assert, assertEquals } from "@std/assert";
import { RejectedRecords } from "../../src/projection/rejected.ts";
import { record } from "./events.ts";

Deno.test("a rejected record is listed with what there is to see of it", () => {
  const rejected = new RejectedRecords();
  rejected.add(record(7, "t0", "progress", new TextEncoder().encode("not JSON")), "body: must be UTF-8 JSON");
  assertEquals(rejected.list(), [{
    seq: 7,
    time: "2024-01-01T00:00:07.000Z",
    subject: "task.t0.progress",
    reason: "body: must be UTF-8 JSON",
    bytes: 8,
    preview: "not JSON",
  }]);
});

Deno.test("a large and hostile record is listed in little: bytes that are no text, a subject without end", () => {
  const rejected = new RejectedRecords();
  const body = new Uint8Array(100_000).fill(0xff);
  rejected.add({ ...record(1, "t0", "x", body), subject: "\u{1F600}".repeat(5_000) }, "rule");
  const [item] = rejected.list();
  assert(item !== undefined);
  assert(item.preview.length <= 200 && item.subject.length <= 300);
  assertEquals(item.bytes, 100_000);
  assert(JSON.stringify(item).length < 3_000);
});

Deno.test("all are counted and the newest thousand listed, the newest first", () => {
  const rejected = new RejectedRecords();
  for (let seq = 1; seq <= 3_456; seq++) rejected.add(record(seq, "t0", "x"), "rule");
  assertEquals(rejected.total, 3_456);
  assertEquals(rejected.list().map(({ seq }) => seq), Array.from({ length: 1_000 }, (_, i) => 3_456 - i));
});
