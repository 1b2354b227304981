import { assert, assertEquals } from "@std/assert";

type Attribute = { key: string; value: { stringValue?: string; intValue?: string | number } };
type SpanOut = {
  name: string;
  traceId: string;
  attributes?: Attribute[];
  links?: { traceId: string; spanId: string }[];
  events?: { name: string }[];
  status?: { code?: number; message?: string };
};
type Sums = {
  sum?: { dataPoints: { asInt?: string | number; asDouble?: number; attributes?: Attribute[] }[] };
};
type Scoped<K extends string, T> = { scope: { name: string } } & Record<K, T[]>;
type Sent = {
  resourceSpans?: { scopeSpans: Scoped<"spans", SpanOut>[] }[];
  resourceMetrics?: { scopeMetrics: Scoped<"metrics", { name: string } & Sums>[] }[];
};

/** Runs the program beside this file against a collector of our own; returns what the exporter sent of ours. */
async function exported(): Promise<{ spans: SpanOut[]; metrics: ({ name: string } & Sums)[] }> {
  const spans: SpanOut[] = [];
  const metrics: ({ name: string } & Sums)[] = [];
  const observed = Promise.withResolvers<void>();
  await using collector = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const sent: Sent = await request.json();
      const ours = (scoped: { scope: { name: string } }) => scoped.scope.name === "taskwire";
      for (const one of sent.resourceSpans ?? []) {
        spans.push(...one.scopeSpans.filter(ours).flatMap((scoped) => scoped.spans));
      }
      for (const one of sent.resourceMetrics ?? []) {
        metrics.push(...one.scopeMetrics.filter(ours).flatMap((scoped) => scoped.metrics));
      }
      if (metrics.some(({ name }) => name === "taskwire_events")) observed.resolve();
      return Response.json({});
    },
  );
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "-A", new URL("exported_by_deno.ts", import.meta.url).pathname],
    env: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
      OTEL_METRIC_EXPORT_INTERVAL: "50",
    },
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const done = child.output();
  await Promise.race([observed.promise, done]);
  await child.stdin.close();
  const { code, stderr } = await done;
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return { spans, metrics };
}

const text = (attributes: Attribute[] | undefined, key: string) =>
  attributes?.find((attribute) => attribute.key === key)?.value.stringValue;

Deno.test("with OTEL_DENO=true Deno exports our spans and the same metrics", {
  sanitizeOps: true,
  sanitizeResources: true,
}, async () => {
  const { spans, metrics } = await exported();
  const named = (name: string) => spans.find((span) => span.name === name);

  const links = named("follow batch")?.links ?? [];
  assertEquals(links.map(({ traceId, spanId }) => [traceId, spanId]), [
    ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"],
  ]);

  const flush = named("flush");
  assertEquals(flush?.status, { code: 2, message: "Error: broken pipe" });
  assertEquals(flush?.events?.map(({ name }) => name), ["exception"]);
  assertEquals(text(flush?.attributes, "taskwire.incident"), "incident_1");

  const connection = named("connection");
  assertEquals(text(connection?.attributes, "taskwire.connection"), "c1");
  assertEquals(connection?.events?.map(({ name }) => name), ["behind"]);
  assert(connection?.traceId !== flush?.traceId);

  const points = (name: string) =>
    metrics.filter((metric) => metric.name === name).at(-1)?.sum?.dataPoints.map((point) => [
      point.attributes?.map(({ value }) => value.stringValue).join(),
      Number(point.asInt ?? point.asDouble),
    ]) ?? [];
  assert(points("taskwire_events").some(([kind, count]) => kind === "progress" && count === 3));
  assert(points("taskwire_connections").some(([state, count]) => state === "live" && count === 0));
  assertEquals(points("taskwire_connections_closed"), [["1000", 1]]);
  assert(metrics.some(({ name }) => name === "taskwire_lag_ms"));
});
