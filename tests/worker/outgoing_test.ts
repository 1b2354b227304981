import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { eventSubject, type Kind, KINDS, MAX_BODY_BYTES, parseRecord } from "../../src/task/worker_event.ts";
import { outgoing, parseTaskId } from "../../src/worker/outgoing.ts";
import { taskError } from "../../src/worker/task_error.ts";
import { WorkerError } from "../../src/worker/worker_error.ts";

const taskId = parseTaskId("import-42");
const encoder = new TextEncoder();

function write(kind: Kind, body: Record<string, unknown>) {
  return outgoing({ id: "id", taskId, kind, attempt: 1 }, body, 1_700_000_000_000);
}

function refusal(kind: Kind, body: Record<string, unknown>): string {
  const error = assertThrows(() => write(kind, body), WorkerError);
  assertEquals(error.code, "invalid");
  return error.message;
}

Deno.test("a task id that is not one subject token is refused by its rule", () => {
  for (const id of ["", "a.b", "a b", "*", ">", "ä", "x".repeat(129)]) {
    const error = assertThrows(() => parseTaskId(id), WorkerError, "must be 1–128 characters of A-Za-z0-9_-");
    assertEquals(error.code, "invalid");
  }
});

Deno.test("a body that breaks a rule is refused with the member and the rule, and nothing is sent", () => {
  assertEquals(refusal("progress", { completed: -1 }).includes("body.completed"), true);
  assertEquals(refusal("created", { total: NaN }).includes("body.total"), true);
  assertEquals(refusal("created", { tags: ["no,comma"] }).includes("body.tags.0"), true);
  assertEquals(refusal("started", { attempt: 0 }).includes("body.attempt"), true);
  assertEquals(refusal("completed", { result: 1n }).startsWith("completed: body: must be JSON"), true);
  assertEquals(
    refusal("completed", { result: "ä".repeat(MAX_BODY_BYTES / 2) }).includes(
      `must be at most ${MAX_BODY_BYTES} bytes`,
    ),
    true,
  );
});

Deno.test("a result with a circle in it is refused, not walked for ever", () => {
  const circle: Record<string, unknown> = {};
  for (let i = 0; i < 10; i++) circle[`self${i}`] = circle;
  assertEquals(refusal("completed", { result: circle }).startsWith("completed: body: must be JSON"), true);
});

Deno.test("what is sent is what the gateway understands, whatever was thrown or returned", () => {
  fc.assert(fc.property(fc.constantFrom(...KINDS), fc.anything(), fc.jsonValue(), (kind, thrown, result) => {
    const error = taskError(thrown);
    const body = kind === "failed" || kind === "retrying"
      ? { error }
      : kind === "completed"
      ? { result }
      : {};
    const event = write(kind, body);
    const bytes = encoder.encode(event.json);
    assertEquals(event.bytes, bytes.length);
    const parsed = parseRecord({ seq: 1, time: 1, subject: eventSubject(taskId, kind), body: bytes });
    if ("rejected" in parsed) throw new Error(parsed.rejected);
    assertEquals(parsed.event.body.at, 1_700_000_000_000);
    if (parsed.event.kind === "failed") assertEquals(parsed.event.body.error, error);
    if (parsed.event.kind === "completed") {
      assertEquals(parsed.event.body.result, JSON.parse(JSON.stringify(result)));
    }
  }));
});

Deno.test("an error becomes its message and its code, at a length that always fits", () => {
  assertEquals(taskError(new TypeError("no such row")), { message: "no such row" });
  assertEquals(taskError(Object.assign(new Error("x"), { code: "ENOENT" })), {
    message: "x",
    code: "ENOENT",
  });
  assertEquals(taskError({ message: "given", code: "E1" }), { message: "given", code: "E1" });
  assertEquals(taskError("plain"), { message: "plain" });
  assertEquals(taskError(new RangeError()), { message: "RangeError" });
  assertEquals(taskError(Object.create(null)), { message: "an error that cannot be shown" });
  const long = write("failed", { error: taskError("\u0000".repeat(100_000)) });
  assertEquals(long.bytes < MAX_BODY_BYTES, true);
});
