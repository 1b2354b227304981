import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { createLogger, silent } from "../../src/telemetry/logger.ts";
import { createTelemetry } from "../../src/telemetry/telemetry.ts";

const make = () => createTelemetry({ log: silent, newId: () => "incident_1" });

/** The samples of one metric: its lines without comments. */
function samples(text: string, metric: string): string[] {
  return text.split("\n").filter((line) => line.startsWith(metric) && /^[a-z_]+(\{|\s)/.test(line.slice(0)));
}

Deno.test("a new gateway shows every connection state, and what it counts at 0", async () => {
  const { metrics, measures } = make();
  measures.read({ events: () => ({}), errors: () => ({}), tasks: () => 0 });
  const text = await metrics();
  assertEquals(samples(text, "taskwire_connections{"), [
    'taskwire_connections{state="greeting"} 0',
    'taskwire_connections{state="live"} 0',
    'taskwire_connections{state="behind"} 0',
    'taskwire_connections{state="draining"} 0',
  ]);
  assertEquals(samples(text, "taskwire_connections_opened_total"), ["taskwire_connections_opened_total 0"]);
  assertEquals(samples(text, "taskwire_events_total").length, 11);
  assert(text.includes('taskwire_events_total{kind="cancel_requested"} 0\n'));
  assert(text.includes('taskwire_errors_total{code="SERVER_ERROR"} 0\n'));
  assert(
    text.includes("# HELP taskwire_tasks Tasks in memory\n# TYPE taskwire_tasks gauge\ntaskwire_tasks 0\n"),
  );
});

Deno.test("stages count in plain numbers, which are read at each collection", async () => {
  const { metrics, measures } = make();
  const counts = { events: { progress: 1 }, late: 0 };
  measures.read({ events: () => counts.events, late_events: () => counts.late });
  assertStringIncludes(await metrics(), 'taskwire_events_total{kind="progress"} 1\n');
  counts.events.progress = 41;
  counts.late = 2;
  const text = await metrics();
  assertStringIncludes(text, 'taskwire_events_total{kind="progress"} 41\n');
  assertStringIncludes(text, "taskwire_late_events_total 2\n");
  assertStringIncludes(text, "# TYPE taskwire_late_events_total counter\n");
  measures.read({ late_events: () => 9 });
  assertEquals(samples(await metrics(), "taskwire_late_events_total"), ["taskwire_late_events_total 9"]);
});

Deno.test("connections are counted by state, and their ends by close code", async () => {
  const { metrics, measures: { connections } } = make();
  for (let i = 0; i < 3; i++) connections.opened("greeting");
  connections.moved("greeting", "live");
  connections.moved("greeting", "behind");
  connections.moved("behind", "live");
  connections.closed("live", 4400);
  connections.closed("live", 3123);
  const text = await metrics();
  assertStringIncludes(text, 'taskwire_connections{state="greeting"} 1\n');
  assertStringIncludes(text, 'taskwire_connections{state="live"} 0\n');
  assertStringIncludes(text, "taskwire_connections_opened_total 3\n");
  assertEquals(samples(text, "taskwire_connections_closed_total"), [
    'taskwire_connections_closed_total{code="4400"} 1',
    'taskwire_connections_closed_total{code="other"} 1',
  ]);
});

Deno.test("lag and flush are histograms with buckets that tell them apart", async () => {
  const { metrics, measures } = make();
  for (const ms of [0.5, 3, 30, 100_000]) measures.lag(ms);
  measures.flush(0.3);
  const text = await metrics();
  assertStringIncludes(text, 'taskwire_lag_ms_bucket{le="1"} 1\n');
  assertStringIncludes(text, 'taskwire_lag_ms_bucket{le="50"} 3\n');
  assertStringIncludes(text, 'taskwire_lag_ms_bucket{le="60000"} 3\n');
  assertStringIncludes(text, 'taskwire_lag_ms_bucket{le="+Inf"} 4\n');
  assertStringIncludes(text, 'taskwire_flush_ms_bucket{le="0.5"} 1\n');
});

Deno.test("incidents are counted by whose they are, from 0", async () => {
  const { metrics, incident } = make();
  assertEquals(samples(await metrics(), "taskwire_incidents_total"), [
    'taskwire_incidents_total{whose="ours"} 0',
    'taskwire_incidents_total{whose="world"} 0',
  ]);
  incident("here", new Error("a"));
  incident("there", new Error("b"), "world");
  incident("there", new Error("c"), "world");
  assertEquals(samples(await metrics(), "taskwire_incidents_total"), [
    'taskwire_incidents_total{whose="ours"} 1',
    'taskwire_incidents_total{whose="world"} 2',
  ]);
});

Deno.test("nobody outside can make the metrics grow", async () => {
  const { metrics, measures } = make();
  const made = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`type_${i}`, 1]));
  measures.read({ messages: () => made });
  for (let i = 0; i < 1000; i++) {
    measures.httpRequest({ method: `M${i}`, route: "/api/tasks", status: 405 });
    measures.connections.closed("live", 3000 + i);
  }
  const text = await metrics();
  assertEquals(samples(text, "taskwire_messages_total").length, 65);
  assertStringIncludes(text, 'taskwire_messages_total{type="other"} 936\n');
  assertEquals(samples(text, "taskwire_http_requests_total"), [
    'taskwire_http_requests_total{method="other",route="/api/tasks",status="4xx"} 1000',
  ]);
  assertEquals(samples(text, "taskwire_connections_closed_total"), [
    'taskwire_connections_closed_total{code="other"} 1000',
  ]);
});

Deno.test("every line of the metrics is a comment or a sample in Prometheus's text format", async () => {
  const { metrics, measures } = make();
  measures.read({ frames: () => ({ 'a"b\\c\nd': 1 }), sent_bytes: () => 12 });
  measures.lag(1);
  const sample =
    /^[a-z_]+(\{[a-z_]+="([^"\\\n]|\\[\\"n])*"(,[a-z_]+="([^"\\\n]|\\[\\"n])*")*\})? (-?[\d.e+-]+|\+Inf)$/;
  for (const line of (await metrics()).split("\n")) {
    assert(line === "" || /^# (HELP|TYPE|UNIT) [a-z_]+ /.test(line) || sample.test(line), line);
  }
});

Deno.test("several gateways in one process count each for itself", async () => {
  const [one, other] = [make(), make()];
  one.measures.connections.opened("live");
  one.measures.read({ tasks: () => 5 });
  assertStringIncludes(await one.metrics(), "taskwire_connections_opened_total 1\n");
  const text = await other.metrics();
  assertStringIncludes(text, "taskwire_connections_opened_total 0\n");
  assert(!text.includes("taskwire_tasks"));
});

Deno.test("untraced work is done all the same, and its failures pass", async () => {
  const { spans } = make();
  assertEquals(spans.span("a", {}, (span) => (span.set({ x: 1 }), span.event("e"), 7)), 7);
  assertThrows(() =>
    spans.span("a", {}, () => {
      throw new RangeError("no");
    }), RangeError);
  await assertRejects(() => spans.span("a", {}, () => Promise.reject(new RangeError("no"))), RangeError);
  spans.life("c", {}).end(new Error("x"));
  assertEquals(spans.traceparent(), undefined);
});

Deno.test("an incident is told by its id, and the log knows the rest", () => {
  const lines: string[] = [];
  const log = createLogger({ level: "info", now: () => 0, write: (line) => lines.push(line) });
  const { incident } = createTelemetry({ log, newId: () => "i_42" });
  assertEquals(incident("flush", new Error("broken pipe")), "i_42");
  assertEquals(lines.length, 1);
  const [line = ""] = lines;
  assert(
    line.startsWith(
      '1970-01-01T00:00:00.000Z error incident incident=i_42 where=flush error="Error: broken pipe"',
    ),
  );
  assertStringIncludes(line, 'stack="Error: broken pipe\\n    at ');
});
