import { assertEquals } from "@std/assert";
import { TASK_STATUSES } from "../../src/protocol/client_frames.ts";
import { STATUS_SHAPES, STATUSES } from "../../src/dashboard/statuses.ts";

Deno.test("every status is offered, and has a shape that no other has", () => {
  assertEquals([...STATUSES].sort(), [...TASK_STATUSES].sort());
  assertEquals(new Set(Object.values(STATUS_SHAPES)).size, TASK_STATUSES.length);
});
