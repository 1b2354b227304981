import { isDeepStrictEqual as equal } from "node:util";
import { assert, assertEquals } from "@std/assert";
import { type NatsServer, startNatsServer } from "../nats_server.ts";
import { eventually } from "../eventually.ts";
import { type GatewayProcess, withGateway } from "./gateway_process.ts";
import { Load, overHttp, OverNats, type Store } from "./load.ts";
import { type Progress, Watcher } from "./watcher.ts";

const CLIENTS = 20;
/** Events between two blows, and after the last: a second and a half of them. */
const EVENTS = 300;

/** Clients that come back where they were. */
class Clients implements AsyncDisposable {
  readonly all: readonly Watcher[];

  constructor(gateway: GatewayProcess) {
    this.all = Array.from(
      { length: CLIENTS },
      () => new Watcher({ url: gateway.wsUrl, returns: true, pingMs: 400 }),
    );
  }

  /** Waits until all of them have caught up. */
  async ready(): Promise<void> {
    for (const client of this.all) await client.until("a client has caught up", () => client.caughtUp);
  }

  /** Each was told every status change once, in order, and knows the newest progress of every task. */
  async knowAll(load: Load): Promise<void> {
    const statuses = load.statuses();
    const progress = sorted(load.progress());
    for (const client of this.all) {
      const known = () => sorted(new Map([...client.progress].map(([id, told]) => [id, short(told)])));
      await eventually(
        "a client has been told everything",
        () => client.statuses.length >= statuses.length && equal(known(), progress),
      ).catch(() => {}); // the comparison says what is missing
      assertEquals(client.statuses, statuses);
      assertEquals(known(), progress);
      assertEquals(client.of("gap"), []);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((client) => client[Symbol.asyncDispose]()));
  }
}

function short({ total, completed }: Progress): unknown {
  return { total, completed };
}

function sorted(byTask: ReadonlyMap<string, unknown>): readonly (readonly [string, unknown])[] {
  return [...byTask].sort(([one], [other]) => one < other ? -1 : 1);
}

async function hasMore(load: Load, events = EVENTS): Promise<void> {
  const until = load.count + events;
  await eventually(`${events} more events are in the log`, () => load.count >= until, 30_000);
}

/** Kills the gateway twice under load; the second time it stays away until `meanwhile` is over. */
async function killGateway(
  gateway: GatewayProcess,
  store: Store,
  meanwhile: (load: Load) => Promise<void>,
): Promise<void> {
  await using clients = new Clients(gateway);
  await clients.ready();
  await using load = new Load(store);
  await hasMore(load);
  await gateway.kill();
  await gateway.start();
  await hasMore(load);
  await gateway.kill();
  await meanwhile(load);
  await gateway.start();
  await hasMore(load);
  await load.stop();
  await clients.knowAll(load);
  for (const client of clients.all) {
    const recovered = client.of("subscribed").map(({ data }) => data.recovered);
    assertEquals(recovered, [undefined, true, true]);
  }
}

Deno.test("kill -9 of a gateway costs no client a status change or the newest progress: embedded log", async () => {
  await withGateway({}, (gateway) => killGateway(gateway, overHttp(gateway), () => Promise.resolve()));
});

Deno.test("kill -9 of a gateway costs no client a status change or the newest progress: NATS", async () => {
  await using server = await startNatsServer();
  await using direct = new OverNats(server.url);
  await withGateway(
    { settings: { NATS_URL: server.url } },
    (gateway) => killGateway(gateway, direct.store, (load) => hasMore(load, 100)),
  );
});

/** How soon after the server's return every client must be told something new, ms. */
const BACK_MS = 3_000;

/** Kills the NATS server under load; its store stays. */
async function killServer(server: NatsServer, gateway: GatewayProcess, store: Store): Promise<void> {
  await using clients = new Clients(gateway);
  await clients.ready();
  await using load = new Load(store);
  await hasMore(load);
  await server.kill();
  await eventually("the gateway says that it is not ready", async () => !await gateway.isReady());
  await hangsNowhere(gateway, clients);
  const { seq } = load;
  await server.restart();
  const backMs = performance.now();
  for (const client of clients.all) {
    await client.until("something new is told", () => (client.statuses.at(-1)?.seq ?? 0) > seq);
  }
  const tookMs = performance.now() - backMs;
  assert(tookMs < BACK_MS, `frames flowed again after ${tookMs} ms`);
  await eventually("the gateway says that it is ready", () => gateway.isReady());
  await hasMore(load);
  await load.stop();
  await clients.knowAll(load);
  for (const client of clients.all) assertEquals(client.closes, []);
}

/** What can be answered without the log is answered, and what cannot says so, while the server is away. */
async function hangsNowhere(gateway: GatewayProcess, clients: Clients): Promise<void> {
  const [one] = clients.all;
  const task = one?.statuses.at(-1)?.taskId;
  const [pong, known, history, health] = await Promise.all([
    one?.ask("ping"),
    one?.ask("get_task", { task_id: task }),
    one?.ask("get_history", { task_id: task }),
    gateway.get("/healthz"),
  ]);
  assertEquals([pong?.type, known?.type, health], ["pong", "task_status", { status: "ok" }]);
  assertEquals(history?.type === "error" ? history.error.code : history?.type, "SERVER_ERROR");
}

for (const scheme of ["nats", "ws"] as const) {
  Deno.test(`kill -9 of the NATS server costs no client a status change or the newest progress: ${scheme}://`, async () => {
    await using server = await startNatsServer({ websocket: true });
    await using direct = new OverNats(server.url);
    const settings = { NATS_URL: scheme === "ws" ? server.wsUrl : server.url };
    await withGateway({ settings }, (gateway) => killServer(server, gateway, direct.store));
  });
}
