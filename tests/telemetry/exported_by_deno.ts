/** Run by a test as a program of its own: telemetry as Deno exports it. */
import process from "node:process";
import { silent } from "../../src/telemetry/logger.ts";
import { createTelemetry, exportedByDeno } from "../../src/telemetry/telemetry.ts";

const telemetry = createTelemetry({ log: silent, newId: () => "incident_1", ...exportedByDeno(process.env) });
const { spans, measures } = telemetry;
const producer = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

measures.connections.opened("live");
measures.lag(12);
measures.read({ events: () => ({ progress: 3 }) });
spans.span(
  "follow batch",
  { attributes: { "taskwire.events": 3 }, links: [producer, "no traceparent"] },
  () => {},
);
await spans.span("flush", {}, async () => {
  await Promise.resolve();
  telemetry.incident("flush", new Error("broken pipe"));
  throw new Error("broken pipe");
}).catch(() => {});
const life = spans.life("connection", { attributes: { "taskwire.connection": "c1" } });
life.event("behind");
life.end();
const traced = spans.span("append", {}, () => spans.traceparent());
if (!/^00-[\da-f]{32}-[\da-f]{16}-01$/.test(String(traced))) throw new Error(`no traceparent: ${traced}`);
// Observed numbers are sent on a timer only, so the test says when it has them.
for await (const _ of Deno.stdin.readable);
measures.connections.closed("live", 1000);
