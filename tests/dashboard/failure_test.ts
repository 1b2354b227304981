import { assertEquals } from "@std/assert";
import { ClientError } from "../../src/client/client_error.ts";
import { firstKept, isNotFound, why } from "../../src/dashboard/failure.ts";

Deno.test("a failure is told in the gateway's words, and what is none of its own in its own", () => {
  assertEquals(why(new ClientError("TIMEOUT", "no answer")), "no answer (TIMEOUT)");
  assertEquals([why(new TypeError("no network")), why("odd")], ["no network", "odd"]);
  assertEquals(isNotFound(new ClientError("TASK_NOT_FOUND", "none")), true);
  assertEquals(isNotFound(new Error("TASK_NOT_FOUND")), false);
});

Deno.test("where the log begins is known from what it refused", () => {
  const refused = (details: Record<string, unknown>) => new ClientError("LIMIT_EXCEEDED", "gone", details);
  assertEquals(firstKept(refused({ limit: "retention", first_seq: 21 })), 21);
  assertEquals(firstKept(refused({ limit: "epoch", epoch: "2" })), undefined);
  assertEquals(firstKept(new ClientError("TIMEOUT", "late", { first_seq: 21 })), undefined);
});
