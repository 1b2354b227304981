import type { Attributes, Meter, MetricOptions } from "@opentelemetry/api";

/** Counts up, at once: for what is rare enough to be counted one by one. */
export type Count = (attributes: Attributes, by?: number) => void;

/** Notes one value of many. */
export type Note = (value: number) => void;

/** What a metric is, without its prefix. `boundsMs` are the upper bounds of a histogram's buckets. */
export type MetricSpec = {
  readonly meaning: string;
  readonly unit?: string;
  readonly bounds?: readonly number[];
};

const PREFIX = "taskwire_";

/** Several meters as one: the one `/metrics` is printed from, and the global one where there is an exporter. */
export class Meters {
  readonly #meters: readonly Meter[];

  constructor(meters: readonly Meter[]) {
    this.#meters = meters;
  }

  /** A counter that only goes up. */
  counter(name: string, spec: MetricSpec): Count {
    const counters = this.#meters.map((meter) => meter.createCounter(PREFIX + name, optionsOf(spec)));
    return (attributes, by = 1) => counters.forEach((counter) => counter.add(by, attributes));
  }

  /** A counter that goes up and down. Unlike what is only observed, Deno's exporter sends it at exit too. */
  upDownCounter(name: string, spec: MetricSpec): Count {
    const counters = this.#meters.map((meter) => meter.createUpDownCounter(PREFIX + name, optionsOf(spec)));
    return (attributes, by = 1) => counters.forEach((counter) => counter.add(by, attributes));
  }

  /** A histogram. */
  histogram(name: string, spec: MetricSpec): Note {
    const histograms = this.#meters.map((meter) => meter.createHistogram(PREFIX + name, optionsOf(spec)));
    return (value) => histograms.forEach((histogram) => histogram.record(value));
  }

  /** A number that `read` gives at each collection, in parts where it has several. */
  observed(
    name: string,
    spec: MetricSpec & { readonly kind: "counter" | "gauge" },
    read: () => Iterable<readonly [number, Attributes]>,
  ): void {
    for (const meter of this.#meters) {
      const instrument = spec.kind === "counter"
        ? meter.createObservableCounter(PREFIX + name, optionsOf(spec))
        : meter.createObservableGauge(PREFIX + name, optionsOf(spec));
      instrument.addCallback((result) => {
        for (const [value, attributes] of read()) result.observe(value, attributes);
      });
    }
  }
}

function optionsOf({ meaning, unit, bounds }: MetricSpec): MetricOptions {
  return {
    description: meaning,
    ...(unit === undefined ? {} : { unit }),
    ...(bounds === undefined ? {} : { advice: { explicitBucketBoundaries: [...bounds] } }),
  };
}
