import { eventually } from "../eventually.ts";
import { BareNats } from "../gateway/bare_nats.ts";
import { type GatewayProcess, withGateway } from "../gateway/gateway_process.ts";
import { Load, overHttp, OverNats, type Store } from "../gateway/load.ts";
import { Watcher } from "../gateway/watcher.ts";
import { type NatsServer, startNatsServer } from "../nats_server.ts";
import { NO_SMALL_DISK, type SmallDisk, smallDisk } from "./small_disk.ts";
import { type SetClock, setClock } from "./set_clock.ts";

/** Which log a world stands on. */
export type LogName = "NATS" | "the embedded log";

/** A real gateway on a real log that is worked and watched, and what a fault can be caused with. */
export type World = {
  readonly gateway: GatewayProcess;
  /** The server; throws where the log is embedded. */
  readonly nats: NatsServer;
  /** An operator's connection to it, made anew. */
  readonly operator: () => Promise<BareNats>;
  readonly clients: readonly Watcher[];
  /** The work under way. */
  readonly load: Load;
  /** The small disk that the log lies on; throws where none can be made. */
  readonly disk: SmallDisk;
  /** The clock of the gateway. */
  readonly clock: SetClock;
  /** Begins other work, of tasks whose ids begin so. */
  work(name: string): Load;
};

const CLIENTS = 4;
const DISK_MEGABYTES = 24;
/** So often a quiet client is pinged, and after so long without a word it is closed, ms. */
export const HEARTBEAT = { everyMs: 300, idleMs: 1_200 } as const;
/** How the gateway is known to NATS. */
export const GATEWAY_USER = { user: "gateway", password: "of-these-tests-only" } as const;

/** The users of the server: everybody may do everything, and the gateway what is not denied it here. */
export function usersOf(denied: readonly string[] = []): string {
  const { user, password } = GATEWAY_USER;
  const permissions = `permissions: { publish: { deny: ${JSON.stringify(denied)} } }`;
  return `
accounts { WORK: { jetstream: enabled, users: [
  { user: everybody, password: "${password}" }
  { user: ${user}, password: "${password}", ${denied.length === 0 ? "" : permissions} }
] } }
no_auth_user: everybody`;
}

/** Runs `use` in a world of its own. */
export async function inWorld<T>(log: LogName, use: (world: World) => Promise<T>): Promise<T> {
  await using clock = await setClock();
  await using disk = NO_SMALL_DISK === undefined ? await smallDisk(DISK_MEGABYTES) : undefined;
  const timing = {
    ...clock.env,
    HEARTBEAT_MS: String(HEARTBEAT.everyMs),
    IDLE_MS: String(HEARTBEAT.idleMs),
  };
  const parts = { clock, disk };
  if (log === "the embedded log") {
    const dataDir = disk === undefined ? {} : { dataDir: disk.path };
    return await withGateway(
      { settings: timing, ...dataDir },
      (gateway) => peopled({ ...parts, gateway, store: overHttp(gateway), nats: undefined }, use),
    );
  }
  const storeDir = disk === undefined ? {} : { storeDir: `${disk.path}/nats` };
  await using nats = await startNatsServer({ config: usersOf(), ...storeDir });
  await using worker = new OverNats(nats.url);
  const settings = {
    ...timing,
    NATS_URL: nats.url,
    NATS_USER: GATEWAY_USER.user,
    NATS_PASSWORD: GATEWAY_USER.password,
  };
  return await withGateway(
    { settings },
    (gateway) => peopled({ ...parts, gateway, store: worker.store, nats }, use),
  );
}

type Parts = {
  readonly gateway: GatewayProcess;
  readonly store: Store;
  readonly nats: NatsServer | undefined;
  readonly clock: SetClock;
  readonly disk: SmallDisk | undefined;
};

async function peopled<T>(parts: Parts, use: (world: World) => Promise<T>): Promise<T> {
  const { gateway, store, nats, clock, disk } = parts;
  const loads: Load[] = [];
  const clients = Array.from(
    { length: CLIENTS },
    () => new Watcher({ url: gateway.wsUrl, returns: true, pingMs: 400 }),
  );
  const work = (name: string): Load => {
    const load = new Load(store, name);
    loads.push(load);
    return load;
  };
  try {
    for (const client of clients) await client.until("a client has caught up", () => client.caughtUp);
    return await use({
      gateway,
      clients,
      clock,
      work,
      get nats() {
        return nats ?? missing("no NATS server");
      },
      get disk() {
        return disk ?? missing("no small disk");
      },
      get load() {
        return loads.at(-1) ?? missing("no work");
      },
      operator: () => BareNats.connect((nats ?? missing("no NATS server")).url),
    });
  } finally {
    await Promise.all([...clients, ...loads].map((one) => one[Symbol.asyncDispose]()));
  }
}

/** Waits until `events` more are in the log. */
export async function hasMore({ load }: World, events: number): Promise<void> {
  const until = load.count + events;
  await eventually(`${events} more events are in the log`, () => load.count >= until, 60_000);
}

function missing(what: string): never {
  throw new Error(`There is ${what} in this world`);
}
