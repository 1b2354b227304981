import { assertEquals } from "@std/assert";
import { cloudEventKey } from "../../src/task/cloud_event.ts";
import { bodyText, FakeGateway } from "./fake_gateway.ts";

const ONE = "application/cloudevents+json";
const BATCH = "application/cloudevents-batch+json; charset=utf-8";
const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** A CloudEvent as its specification shows one, with changes; a member that is undefined is left out. */
function cloudEvent(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    specversion: "1.0",
    id: "A234-1234-1234",
    source: "https://github.com/cloudevents",
    type: "taskwire.task.progress",
    subject: "job1",
    time: "2018-04-05T17:31:00Z",
    datacontenttype: "application/json",
    comexampleextension1: "value",
    data: { total: 10, completed: 3 },
    ...changes,
  };
}

/** What one of {@link cloudEvent} is stored under. */
function keyOf(taskId: string, id: string): string {
  return `${taskId}:${cloudEventKey({ id, source: "https://github.com/cloudevents" })}`;
}

async function post(gateway: FakeGateway, path: string, type: string, value: unknown) {
  const response = await gateway.app().request(path, {
    method: "POST",
    headers: { "content-type": type },
    body: JSON.stringify(value),
  });
  return { status: response.status, json: await response.json() };
}

Deno.test("a CloudEvent is appended as the event that it is: id, subject, type, time and traceparent in their places", async () => {
  const gateway = new FakeGateway();
  const answer = await post(gateway, "/api/tasks/job1/events", ONE, cloudEvent({ traceparent: TRACE }));
  assertEquals([answer.status, answer.json], [202, { results: [{ seq: 1, duplicate: false }] }]);
  assertEquals(gateway.appended.map((entry) => ({ ...entry, body: bodyText(entry) })), [{
    subject: "task.job1.progress",
    id: keyOf("job1", "A234-1234-1234"),
    traceparent: TRACE,
    body: '{"total":10,"completed":3,"at":"2018-04-05T17:31:00Z"}',
  }]);
});

Deno.test("a CloudEvent that comes again is stored once; another source may have the same id for another event", async () => {
  const gateway = new FakeGateway();
  const at = "/api/tasks/job1/events";
  for (const seq of [1, 1]) {
    assertEquals((await post(gateway, at, ONE, cloudEvent())).json.results[0].seq, seq);
  }
  const done = cloudEvent({ source: "/another", type: "taskwire.task.completed", data: {} });
  assertEquals((await post(gateway, at, ONE, done)).json.results, [{ seq: 2, duplicate: false }]);
  const long = cloudEvent({ id: `${"é ".repeat(500)}1`, time: "2018-04-05t17:31:00.123456789z" });
  assertEquals((await post(gateway, at, ONE, long)).json.results, [{ seq: 3, duplicate: false }]);
  assertEquals(
    gateway.appended.slice(2).map(bodyText),
    ['{"total":10,"completed":3,"at":"2018-04-05T17:31:00.123456789Z"}'],
  );
});

Deno.test("what would be read as a CloudEvent once it is stored is refused, however it comes", async () => {
  const gateway = new FakeGateway();
  const rule = "body.specversion: must not be text: that is what CloudEvents are known by";
  const inData = cloudEvent({ data: { specversion: "1.0" } });
  for (
    const [type, value] of [["application/json", { kind: "started", specversion: "1.0" }], [
      ONE,
      inData,
    ]] as const
  ) {
    const { status, json } = await post(gateway, "/api/tasks/job1/events", type, value);
    assertEquals([status, json.detail], [400, rule]);
  }
  assertEquals(gateway.appended, []);
});

Deno.test("a batch of CloudEvents may be of several tasks, and is appended in order, all or none", async () => {
  const gateway = new FakeGateway();
  const batch = [
    cloudEvent({ id: "1", subject: "a", type: "com.example.taskwire.task.created", data: { name: "A" } }),
    cloudEvent({ id: "2", subject: "b", type: "taskwire.task.started", data: undefined, time: undefined }),
    cloudEvent({ id: "3", subject: "a", type: "taskwire.task.completed", data: null, time: null }),
  ];
  const answer = await post(gateway, "/api/events", BATCH, batch);
  assertEquals([answer.status, answer.json.results.length], [202, 3]);
  assertEquals(gateway.appended.map((entry) => [entry.subject, entry.id, bodyText(entry)]), [
    ["task.a.created", keyOf("a", "1"), '{"name":"A","at":"2018-04-05T17:31:00Z"}'],
    ["task.b.started", keyOf("b", "2"), "{}"],
    ["task.a.completed", keyOf("a", "3"), "{}"],
  ]);
  const bad = await post(gateway, "/api/events", BATCH, [batch[0], cloudEvent({ id: "" })]);
  assertEquals([bad.status, bad.json.detail, bad.json.details], [
    400,
    "[1] id: must not be empty",
    { index: 1 },
  ]);
  assertEquals(gateway.appended.length, 3);
});

Deno.test("a CloudEvent that breaks a rule is refused by the attribute and the rule", async () => {
  const gateway = new FakeGateway();
  const broken: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ specversion: "0.3" }, "specversion: must be 1.0"],
    [{ id: "a".repeat(1_025) }, "id: must be at most 1024 long"],
    [{ source: "" }, "source: must not be empty"],
    [
      { type: "com.example.progress" },
      "type: must be taskwire.task.<kind>, or that after a reverse domain name and a dot",
    ],
    [
      { type: "taskwire.task.exploded" },
      "type: must end in one of created, started, progress, paused, resumed, cancel_requested, retrying, completed, failed, cancelled, stale",
    ],
    [{ subject: "no/id" }, "subject: must be 1–128 characters of A-Za-z0-9_-"],
    [{ subject: "job2" }, "subject: must be job1, as in the URL"],
    [{ time: "yesterday" }, "time: must be an RFC 3339 time"],
    [{ datacontenttype: "text/xml" }, "datacontenttype: must be application/json"],
    [{ data: "text" }, "data: must be a JSON object, the event's body"],
    [{ data: undefined, data_base64: "e30=" }, "data_base64: must not be given: data must be JSON"],
    [{ traceparent: "00-1-2-3" }, "traceparent: must be a W3C traceparent"],
    [{ traceparent: `00-${"0".repeat(32)}-${"1".repeat(16)}-01` }, "traceparent: must be a W3C traceparent"],
    [{ data: { total: -1 } }, "body.total: Invalid value: Expected >=0 but received -1"],
  ];
  for (const [change, rule] of broken) {
    const { status, json } = await post(gateway, "/api/tasks/job1/events", ONE, cloudEvent(change));
    assertEquals([status, json.code, json.detail], [400, "INVALID_MESSAGE", rule], JSON.stringify(change));
  }
  const missing = await post(gateway, "/api/tasks/job1/events", ONE, cloudEvent({ source: undefined }));
  assertEquals(missing.json.detail, 'source: Invalid key: Expected "source" but received undefined');
  assertEquals(gateway.appended, []);
});

Deno.test("what the type of the body says is what it has to be", async () => {
  const gateway = new FakeGateway();
  const at = "/api/tasks/job1/events";
  assertEquals((await post(gateway, at, ONE, [cloudEvent()])).json.detail, "an event must be a JSON object");
  assertEquals(
    (await post(gateway, at, BATCH, cloudEvent())).json.detail,
    "a batch of CloudEvents must be an array",
  );
  assertEquals((await post(gateway, "/api/events", "application/json", { kind: "started" })).status, 415);
  const nobodys = await post(gateway, "/api/events", ONE, cloudEvent({ subject: undefined }));
  assertEquals(nobodys.json.detail, "subject: must be the task's id");
  assertEquals((await post(gateway, at, ONE, cloudEvent({ subject: undefined }))).status, 202);
});
