import { assert, assertEquals } from "@std/assert";
import { bodyWithTime } from "../../src/archive/event_time.ts";
import { parseRecord } from "../../src/task/worker_event.ts";
import { record } from "./arbitrary_history.ts";

const CLOUD_EVENT = {
  specversion: "1.0",
  id: "1",
  source: "/workers/7",
  type: "taskwire.task.progress",
  subject: "t",
  time: "2024-01-01T00:00:00Z",
  data: { completed: 3, attempt: 2 },
};

Deno.test("a record whose body is a CloudEvent is the event that is in it", () => {
  const parsed = parseRecord(record("task.t.progress", CLOUD_EVENT));
  assert("event" in parsed);
  const plain = parseRecord(record("task.t.progress", { completed: 3, attempt: 2, at: CLOUD_EVENT.time }));
  assertEquals(parsed, plain);
});

Deno.test("a CloudEvent may not contradict the subject under which it was published", () => {
  for (
    const [subject, change, reason] of [
      ["task.t.started", {}, "type: must end in started, as the subject does"],
      ["task.u.progress", {}, "subject: must be u, as in the subject in NATS"],
      ["task.t.progress", { specversion: "2.0" }, "specversion: must be 1.0"],
      ["task.t.progress", { data: [] }, "data: must be a JSON object, the event's body"],
      [
        "task.t.progress",
        { data: { completed: -1 } },
        "body.completed: Invalid value: Expected >=0 but received -1",
      ],
    ] as const
  ) {
    assertEquals(parseRecord(record(subject, { ...CLOUD_EVENT, ...change })), { rejected: reason });
  }
});

Deno.test("a body with a member specversion that is no text is none of a CloudEvent", () => {
  const parsed = parseRecord(record("task.t.progress", { specversion: 1, completed: 3 }));
  assert("event" in parsed);
});

Deno.test("a CloudEvent that is moved to another log says when the first took it, in its own way", () => {
  const { time: _, ...timeless } = CLOUD_EVENT;
  const moved = bodyWithTime({
    ...record("task.t.progress", timeless),
    time: Date.parse("2024-02-03T00:00:00Z"),
  });
  const parsed = parseRecord(record("task.t.progress", moved));
  assert("event" in parsed);
  assertEquals(parsed.event.body.at, Date.parse("2024-02-03T00:00:00Z"));
});
