import { propagation } from "@opentelemetry/api";
import { assertEquals } from "@std/assert";
import { connectWorker } from "../../src/worker/task_reporter.ts";
import { startNatsServer } from "../nats_server.ts";
import { EventServer } from "./event_server.ts";
import { openTaskStream } from "./task_stream.ts";

const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

Deno.test("an event carries the trace of whoever said it, over NATS and over HTTP", async () => {
  await using nats = await startNatsServer();
  await using stream = await openTaskStream(nats.url);
  await using gateway = await EventServer.start();
  propagation.setGlobalPropagator({
    inject: (_context, carrier, setter) => setter.set(carrier, "traceparent", TRACEPARENT),
    extract: (context) => context,
    fields: () => ["traceparent"],
  });
  try {
    for (const url of [nats.url, gateway.url]) {
      await using worker = await connectWorker(url);
      await worker.task("t").created();
    }
  } finally {
    propagation.disable();
  }
  assertEquals((await stream.kept()).map(({ traceparent }) => traceparent), [TRACEPARENT]);
  assertEquals(gateway.requests.map(({ headers }) => headers.traceparent), [TRACEPARENT]);
});
