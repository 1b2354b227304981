import { type Meter, metrics, trace, type Tracer } from "@opentelemetry/api";
import { createIncidents, type Incidents } from "./incidents.ts";
import type { Logger } from "./logger.ts";
import { Meters, type Note } from "./meters.ts";
import { printedMeter } from "./prometheus.ts";
import {
  closeLabel,
  COUNTED_STATES,
  type CountedState,
  partsOf,
  type ReadingName,
  READINGS,
  type ReadingSpec,
} from "./readings.ts";
import { type Spans, tracedBy, untraced } from "./spans.ts";

/** A number that a stage keeps, or its parts. Read at each collection, never in between. */
export type Reading = () => number | Readonly<Record<string, number>>;

/** The readings that a stage offers. */
export type Readings = { readonly [N in ReadingName]?: Reading };

/** Connections as they come, change and go. */
export interface ConnectionMeter {
  opened(state: CountedState): void;
  moved(from: CountedState, to: CountedState): void;
  /** `code` is the close code. */
  closed(state: CountedState, code: number): void;
}

/** What one HTTP request came to. `route` is the pattern of its path, never the path. */
export type HttpOutcome = { readonly method: string; readonly route: string; readonly status: number };

/** Everything there is to tell of a gateway. A stage is given the members it needs. */
export interface Telemetry {
  readonly log: Logger;
  readonly spans: Spans;
  /** Notes a failure that is ours. */
  readonly incident: Incidents;
  readonly measures: Measures;
  /** The text for `/metrics`. */
  readonly metrics: () => Promise<string>;
}

/** What is measured. */
export interface Measures {
  /** From an event's `at`, by its worker's clock, to the socket write, in ms: at most once a flush. */
  readonly lag: Note;
  /** How long a flush took, in ms. */
  readonly flush: Note;
  readonly connections: ConnectionMeter;
  readonly httpRequest: (outcome: HttpOutcome) => void;
  /** Reads these numbers at each collection from now on; a name offered twice is read from the later offer. */
  readonly read: (readings: Readings) => void;
}

/** What telemetry is made of. Without `meter` and `tracer` nothing global is touched and nothing is traced. */
export type TelemetryOptions = {
  readonly log: Logger;
  readonly newId: () => string;
  readonly meter?: Meter;
  readonly tracer?: Tracer;
};

/** The telemetry of one gateway. */
export function createTelemetry({ log, newId, meter, tracer }: TelemetryOptions): Telemetry {
  const printed = printedMeter();
  const meters = new Meters(meter === undefined ? [printed.meter] : [printed.meter, meter]);
  return {
    log,
    spans: tracer === undefined ? untraced : tracedBy(tracer),
    incident: counted(createIncidents({ log, newId }), meters),
    measures: measuresOf(meters),
    metrics: printed.print,
  };
}

/** The tracer and the meter whose spans and metrics Deno exports by itself when `OTEL_DENO=true`. */
export function exportedByDeno(
  env: Readonly<Record<string, string | undefined>>,
): { meter?: Meter; tracer?: Tracer } {
  if (env["OTEL_DENO"]?.toLowerCase() !== "true") return {};
  return { meter: metrics.getMeter("taskwire"), tracer: trace.getTracer("taskwire") };
}

/** Counts incidents by whose they are. */
function counted(incident: Incidents, meters: Meters): Incidents {
  const incidents = meters.counter("incidents", {
    meaning: "Failures noted: ours are faults of this program, those of the world what it depends on",
  });
  for (const whose of ["ours", "world"] as const) incidents({ whose }, 0);
  return (where, error, whose = "ours") => {
    incidents({ whose });
    return incident(where, error, whose);
  };
}

/** Bucket bounds in ms: what is fast within a process, on a network, and what is not. */
const LAG_BOUNDS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 60_000];
const FLUSH_BOUNDS_MS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200];

function measuresOf(meters: Meters): Measures {
  const requests = meters.counter("http_requests", { meaning: "HTTP requests answered" });
  return {
    lag: meters.histogram("lag_ms", {
      meaning: "From when it happened by the worker's clock to the socket write; the oldest event of a flush",
      unit: "ms",
      bounds: LAG_BOUNDS_MS,
    }),
    flush: meters.histogram("flush_ms", {
      meaning: "How long a flush took",
      unit: "ms",
      bounds: FLUSH_BOUNDS_MS,
    }),
    connections: connectionMeter(meters),
    httpRequest: ({ method, route, status }) =>
      requests({ method: methodLabel(method), route, status: `${Math.floor(status / 100)}xx` }),
    read: readInto(meters),
  };
}

function connectionMeter(meters: Meters): ConnectionMeter {
  const now = meters.upDownCounter("connections", { meaning: "Connections now" });
  const opened = meters.counter("connections_opened", { meaning: "Connections opened" });
  const closed = meters.counter("connections_closed", { meaning: "Connections closed, by close code" });
  for (const state of COUNTED_STATES) now({ state }, 0);
  opened({}, 0);
  return {
    opened(state) {
      now({ state });
      opened({});
    },
    moved(from, to) {
      now({ state: from }, -1);
      now({ state: to });
    },
    closed(state, code) {
      now({ state }, -1);
      closed({ code: closeLabel(code) });
    },
  };
}

function readInto(meters: Meters): Measures["read"] {
  const current = new Map<string, Reading>();
  return (readings) => {
    for (const [name, reading] of Object.entries(readings)) {
      const known = current.has(name);
      current.set(name, reading);
      // Object.entries forgets that the names are those of the type.
      if (!known) observe(meters, name as ReadingName, () => current.get(name)?.() ?? 0);
    }
  };
}

function observe(meters: Meters, name: ReadingName, read: Reading): void {
  const spec: ReadingSpec = READINGS[name];
  const { label = "part", parts } = spec;
  meters.observed(name, spec, function* () {
    const value = read();
    if (typeof value === "number") return yield [value, {}];
    for (const [part, count] of partsOf(value, parts)) yield [count, { [label]: part }];
  });
}

const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Anybody can make up a method; a label must not grow with it. */
function methodLabel(method: string): string {
  return METHODS.has(method) ? method : "other";
}
