import type { ConnectionCounts } from "../connection/connection_deps.ts";
import type { Peak } from "../telemetry/peak.ts";
import type { Readings } from "../telemetry/telemetry.ts";
import type { Pipeline } from "./pipeline.ts";

/** What is told of a gateway beside its pipeline. */
export type Told = {
  readonly connections: ConnectionCounts;
  readonly maxConnections: number;
  /** How many messages waited in a mailbox. */
  readonly depth: Peak;
  /** By how much the event loop was late, ms. */
  readonly late: Peak;
  readonly isReady: () => boolean;
};

/** The numbers that the stages keep, as `/metrics` reads them. */
export function gatewayReadings(
  pipeline: () => Pipeline | undefined,
  { connections, maxConnections, depth, late, isReady }: Told,
): Readings {
  const number = (read: (pipeline: Pipeline) => number): () => number => () => {
    const running = pipeline();
    return running === undefined ? 0 : read(running);
  };
  return {
    events: () => pipeline()?.projection.counts.events ?? {},
    rejected_events: number(({ projection }) => projection.rejected.total),
    late_events: number(({ projection }) => projection.counts.late),
    channel_updates: number(({ projection }) => projection.counts.updates),
    channel_values: number(({ projection }) => projection.channels.size),
    channel_bytes: number(({ projection }) => projection.channels.bytes),
    tasks: number(({ projection }) => projection.tasks.size),
    stale_tasks: number(({ liveness }) => liveness?.stale ?? 0),
    evicted_tasks: number(({ projection }) => projection.counts.evicted),
    evicted_tasks_under_way: number(({ projection }) => projection.counts.evictedUnderWay),
    plugin_failures: () => {
      const states = pipeline()?.plugins.list() ?? [];
      return Object.fromEntries(states.map(({ name, failed, overdue }) => [name, failed + overdue]));
    },
    plugins_disabled: number(({ plugins }) => plugins.list().filter(({ why }) => why !== null).length),
    ready: () => isReady() ? 1 : 0,
    log_reachable: number(({ reachable }) => reachable ? 1 : 0),
    log_followed: number(({ projection }) => projection.head),
    appends: () => pipeline()?.appends ?? {},
    max_connections: () => maxConnections,
    audiences: number(({ router }) => router.audiences),
    flushes: number(({ counts }) => counts.flushes),
    frames: number(({ counts }) => counts.frames + connections.frames),
    sent_bytes: number(({ counts }) => counts.bytes + connections.bytes),
    writes: number(({ counts }) => counts.writes),
    mailbox_depth: () => depth.read(),
    messages: () => connections.messages,
    errors: () => connections.errors,
    refused: () => connections.refused,
    replays: number(({ history }) => history.turns.running),
    replays_waiting: number(({ history }) => history.turns.waiting),
    event_loop_late_ms: () => late.read(),
    memory_bytes: () => {
      const { rss, heapUsed, external } = Deno.memoryUsage();
      return { rss, heap: heapUsed, external };
    },
  };
}
