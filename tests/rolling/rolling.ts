import { NatsCluster } from "../deploy/nats_cluster.ts";
import { type Proxy, type ProxyKind, startProxy } from "../deploy/proxies.ts";
import { eventually } from "../eventually.ts";
import { BareNats } from "../gateway/bare_nats.ts";
import type { GatewayProcess } from "../gateway/gateway_process.ts";
import { Load, OverNats } from "../gateway/load.ts";
import { Watcher } from "../gateway/watcher.ts";
import { startNatsServer } from "../nats_server.ts";
import { Gateways } from "./gateways.ts";
import { type Differences, differences, type Drain } from "./judgement.ts";
import { readLog } from "./log_truth.ts";
import { ReturningClient } from "./returning_client.ts";
import { witness } from "./witness.ts";

/** What is rolled, and under what. */
export type RollingOptions = {
  readonly clients: number;
  readonly gateways: number;
  readonly proxy: ProxyKind;
  /** Three nodes with three copies, the leader of which is killed before each gateway goes; else one nats-server. */
  readonly cluster: boolean;
  readonly drainMs: number;
  /** Told of each drain as soon as it is over, and of leaders. */
  readonly onDrain?: (drain: Drain) => void;
  readonly tell?: (line: string) => void;
};

/** What came of it. */
export type Rolled = {
  readonly drains: readonly Drain[];
  readonly differences: Differences;
  /** Events in the log, and those that it acknowledged to workers. */
  readonly events: number;
  readonly acknowledged: number;
  readonly statuses: number;
};

/** Where the log is, and who may do what there. */
type Log = AsyncDisposable & {
  readonly settings: Readonly<Record<string, string>>;
  readonly workers: OverNats;
  admin(): Promise<BareNats>;
  readonly cluster: NatsCluster | undefined;
};

/** So many events are written before the first gateway goes, and after the last one came back. */
const EVENTS_AROUND = 100;
/** The most that a client, or a proxy, may take until it is where it is wanted, ms. */
const SETTLED_MS = 30_000;

/**
 * Restarts every gateway, one after the other, behind a real proxy, while 200 events a second are written and clients
 * watch. Rejects where something does not come to be at all; what was told and when is for its caller to judge.
 */
export async function rolling(options: RollingOptions): Promise<Rolled> {
  const { clients: count, proxy: kind, drainMs } = options;
  await using log = await (options.cluster ? clusterLog() : singleLog());
  const settings = {
    ...log.settings,
    TRUSTED_PROXIES: "127.0.0.1",
    DRAIN_MS: `${drainMs}`,
    // All of them come from one address here.
    MAX_CONNECTIONS_PER_ADDRESS: `${1_000 + count}`,
    HANDSHAKES_BURST: `${1_000 + count}`,
  };
  await using gateways = await Gateways.start(options.gateways, settings);
  await using proxy = await startProxy(kind, gateways.all.map(({ port }) => port), 200 + 4 * count);
  const clients = Array.from({ length: count }, () => new ReturningClient(`ws://${proxy.host}`));
  try {
    await eventually("every client is live", () => clients.every(({ isLive }) => isLive), SETTLED_MS);
    await using load = new Load(log.workers.store);
    const drains: Drain[] = [];
    await moreEvents(load);
    for (const [i, gateway] of gateways.all.entries()) {
      const killed = await leaderKilled(log.cluster, options);
      await eventually(
        "the proxy has every gateway again",
        async () => (await proxy.ready() ?? options.gateways) === options.gateways,
        SETTLED_MS,
      );
      const drain = await drained({ number: i + 1, gateway, clients, drainMs });
      drains.push(drain);
      options.onDrain?.(drain);
      await gateway.start();
      await Promise.all([
        untilServing(proxy, gateway, options.gateways),
        ...(killed === undefined ? [] : [log.cluster?.restart(killed).then(() => log.cluster?.agreed(2))]),
      ]);
    }
    await moreEvents(load);
    await load.stop();
    await using admin = await log.admin();
    const truth = await readLog(admin);
    const last = truth.statuses.at(-1)?.seq ?? 0;
    await eventually(
      "every client was told the last change",
      () => clients.every(({ sequence }) => sequence >= last),
      SETTLED_MS,
    );
    return {
      drains,
      differences: differences(clients, truth.statuses),
      events: truth.events,
      acknowledged: load.count,
      statuses: truth.statuses.length,
    };
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : cause}\n${gateways.said}`, { cause });
  } finally {
    for (const client of clients) client.close();
  }
}

async function singleLog(): Promise<Log> {
  const server = await startNatsServer();
  const workers = new OverNats(server.url);
  return {
    settings: { NATS_URL: server.url },
    workers,
    admin: () => BareNats.connect(server.url),
    cluster: undefined,
    async [Symbol.asyncDispose]() {
      await workers[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function clusterLog(): Promise<Log> {
  const cluster = await NatsCluster.start();
  const workers = new OverNats(cluster.urls, cluster.user("worker"));
  return {
    settings: cluster.settings,
    workers,
    admin: () => cluster.admin(),
    cluster,
    async [Symbol.asyncDispose]() {
      await workers[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

/** Kills the stream's leader and waits for another one; resolves with who is missing now. */
async function leaderKilled(
  cluster: NatsCluster | undefined,
  { tell }: RollingOptions,
): Promise<string | undefined> {
  if (cluster === undefined) return undefined;
  const leader = await cluster.agreed(2);
  const killedMs = performance.now();
  await cluster.kill(leader);
  const next = await cluster.agreed(1);
  tell?.(
    `leader ${leader} killed; ${next} leads ${((performance.now() - killedMs) / 1_000).toFixed(1)} s later`,
  );
  return leader;
}

/** Tells a gateway to go, and waits until it has and every client that it told is back. */
async function drained(
  { number, gateway, clients, drainMs }: {
    readonly number: number;
    readonly gateway: GatewayProcess;
    readonly clients: readonly ReturningClient[];
    readonly drainMs: number;
  },
): Promise<Drain> {
  await gateway.ready();
  const before = clients.map(({ moves }) => moves.length);
  const connections = await connectionsOf(gateway);
  const { seen } = await witness(gateway);
  const signalledMs = performance.now();
  gateway.signal("SIGTERM");
  const ended = await gateway.ended();
  const endedMs = performance.now();
  const moves = clients.flatMap(({ moves }, i) => moves.slice(before[i]));
  await eventually(
    "every client is back",
    () => clients.every(({ isLive }) => isLive) && moves.every(({ backMs }) => backMs !== undefined),
    SETTLED_MS,
  );
  return {
    gateway: number,
    signalledMs,
    endedMs,
    ended,
    drainMs,
    connections,
    moves,
    seen: await seen,
  };
}

/** Waits until the proxy passes new connections on to a gateway that came back. */
async function untilServing(proxy: Proxy, gateway: GatewayProcess, all: number): Promise<void> {
  await eventually("the proxy asks the gateway again", async () => {
    const ready = await proxy.ready();
    if (ready !== undefined) return ready === all;
    await using _watcher = await Watcher.start({ url: `ws://${proxy.host}`, topics: ["task:list"] });
    return await connectionsOf(gateway) > 0;
  }, SETTLED_MS);
}

async function moreEvents(load: Load): Promise<void> {
  const until = load.count + EVENTS_AROUND;
  await eventually("events are written", () => load.count >= until, SETTLED_MS);
}

/** The connections that a gateway has, live or behind. */
async function connectionsOf(gateway: GatewayProcess): Promise<number> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  return [...text.matchAll(/^taskwire_connections\{.*\} (\d+)$/gm)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );
}
