import type { Meter } from "@opentelemetry/api";
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";

/** Collects when asked. The package's own exporter would start a server. */
class PullReader extends MetricReader {
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
}

/** A meter of its own, whose metrics are printed on demand. */
export type PrintedMeter = {
  readonly meter: Meter;
  /** Everything measured so far, in Prometheus's text format. */
  readonly print: () => Promise<string>;
};

/** A meter that nothing outside knows of. It holds no timer and no socket, so that it needs no closing. */
export function printedMeter(): PrintedMeter {
  const reader = new PullReader();
  const provider = new MeterProvider({ readers: [reader] });
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  return {
    meter: provider.getMeter("taskwire"),
    async print() {
      const { resourceMetrics } = await reader.collect();
      return serializer.serialize(resourceMetrics);
    },
  };
}
