import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { ERROR_CODES } from "../protocol/error_codes.ts";
import { KINDS } from "../task/worker_event.ts";

/** How a number that a stage keeps by itself is told. `label` names what its parts are; `parts` are told even at 0. */
export type ReadingSpec = {
  readonly kind: "counter" | "gauge";
  readonly meaning: string;
  readonly unit?: string;
  readonly label?: string;
  readonly parts?: readonly string[];
};

/**
 * The numbers that are read at collection, by their metric's name without `taskwire_`. Stages count in plain
 * numbers; nothing is done on the hot path.
 */
export const READINGS = {
  events: { kind: "counter", meaning: "Worker events understood", label: "kind", parts: KINDS },
  rejected_events: { kind: "counter", meaning: "Records of the log that are no event" },
  late_events: { kind: "counter", meaning: "Events that came too late to change their task" },
  channel_updates: { kind: "counter", meaning: "Values of channels understood" },
  channel_values: { kind: "gauge", meaning: "Values of channels in memory: the last of each key" },
  channel_bytes: { kind: "gauge", meaning: "What those weigh", unit: "By" },
  tasks: { kind: "gauge", meaning: "Tasks in memory" },
  stale_tasks: { kind: "gauge", meaning: "Tasks at work of which nothing is heard" },
  evicted_tasks: { kind: "counter", meaning: "Ended tasks that left memory for newer ones" },
  evicted_tasks_under_way: {
    kind: "counter",
    meaning: "Tasks under way that left memory because there were more than it holds",
  },
  plugin_failures: {
    kind: "counter",
    meaning: "What plug-ins threw, or were too slow with",
    label: "plugin",
  },
  plugins_disabled: { kind: "gauge", meaning: "Plug-ins that were disabled since they failed too often" },
  ready: { kind: "gauge", meaning: "1 while /readyz says so, else 0" },
  log_reachable: { kind: "gauge", meaning: "1 while the log is in reach, else 0" },
  log_followed: { kind: "gauge", meaning: "The position up to which the log was followed" },
  appends: {
    kind: "counter",
    meaning: "Events appended by this gateway",
    label: "outcome",
    parts: ["stored", "duplicate", "overtaken", "failed"],
  },
  max_connections: { kind: "gauge", meaning: "How many connections are taken at once (MAX_CONNECTIONS)" },
  audiences: { kind: "gauge", meaning: "Groups of connections with the same topics" },
  flushes: { kind: "counter", meaning: "Flushes of an audience" },
  frames: { kind: "counter", meaning: "Frames sent, one for each connection that got it", label: "type" },
  sent_bytes: { kind: "counter", meaning: "Bytes written to sockets", unit: "By" },
  writes: { kind: "counter", meaning: "Writes to sockets" },
  mailbox_depth: { kind: "gauge", meaning: "The most messages that waited in a connection's mailbox lately" },
  messages: { kind: "counter", meaning: "Frames from clients", label: "type" },
  errors: {
    kind: "counter",
    meaning: "Errors told to clients",
    label: "code",
    parts: Object.keys(ERROR_CODES),
  },
  refused: {
    kind: "counter",
    meaning: "What was refused at a limit, by the setting that says it; lists: of tasks or events, over HTTP",
    label: "limit",
    parts: [
      "MAX_CONNECTIONS",
      "MAX_CONNECTIONS_PER_CLIENT",
      "MAX_CONNECTIONS_PER_ADDRESS",
      "MAX_CONNECTIONS_PER_SUBJECT",
      "HANDSHAKES_PER_SECOND",
      "REQUESTS_PER_SECOND",
      "MESSAGES_PER_SECOND",
      "MAX_TOPICS",
      "lists",
    ],
  },
  replays: { kind: "gauge", meaning: "Pages of the log that are being read for connections" },
  replays_waiting: { kind: "gauge", meaning: "Those that wait for MAX_REPLAYS" },
  event_loop_late_ms: {
    kind: "gauge",
    meaning: "By how much a timer of the event loop was late at most lately",
    unit: "ms",
  },
  memory_bytes: {
    kind: "gauge",
    meaning: "Memory of the process: resident, on the heap, and beside it",
    unit: "By",
    label: "of",
    parts: ["rss", "heap", "external"],
  },
} as const satisfies Readonly<Record<string, ReadingSpec>>;

/** The name of a reading. */
export type ReadingName = keyof typeof READINGS;

/** The states of a connection that are counted. */
export const COUNTED_STATES = ["greeting", "live", "behind", "draining"] as const;
/** One of {@link COUNTED_STATES}. */
export type CountedState = (typeof COUNTED_STATES)[number];

/** The close codes that are told apart; every other one, which a client made up, is `other`. */
const KNOWN_CLOSES: ReadonlySet<number> = new Set([
  1001,
  1002,
  1005,
  1006,
  1007,
  1008,
  ...Object.values(CLOSE_CODES).map(({ code }) => code),
]);

/** The label of a close code. */
export function closeLabel(code: number): string {
  return KNOWN_CLOSES.has(code) ? String(code) : "other";
}

/** As many parts of a reading are told; the rest is one, called `other`, so that nobody can grow what we export. */
const MAX_PARTS = 64;

/** The parts of a reading as they are told: the known ones even at 0, and never more than a bound. */
export function partsOf(
  value: Readonly<Record<string, number>>,
  known: readonly string[] = [],
): ReadonlyMap<string, number> {
  const parts = new Map(known.map((part) => [part, 0]));
  for (const [part, count] of Object.entries(value)) {
    const told = parts.has(part) || parts.size < MAX_PARTS ? part : "other";
    parts.set(told, (parts.get(told) ?? 0) + count);
  }
  return parts;
}
