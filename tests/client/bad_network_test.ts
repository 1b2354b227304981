import { isDeepStrictEqual } from "node:util";
import { assert, assertEquals } from "@std/assert";
import { type Client, connect, type PushedFrame, type TaskView } from "../../src/client/client.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { overHttp, type Store } from "../gateway/load.ts";
import { eventually } from "../eventually.ts";
import { type Badness, BadNetwork } from "./bad_network.ts";

const TASKS = ["a", "b", "c", "d"];
const SECONDS = 4;
const EVENTS_PER_SECOND = 20;
/** The number of the last event before the ends. */
const LAST = SECONDS * EVENTS_PER_SECOND - 1;

/** What a client came to see. */
class Seen {
  readonly client: Client;
  readonly statuses: string[] = [];
  readonly stores;
  /** What each store showed of its counter, and since when. */
  readonly shown = TASKS.map((): { readonly completed: number; readonly atMs: number }[] => []);
  wasStale = false;

  constructor(url: string) {
    this.client = connect(url, { firstWaitMs: 100, longestWaitMs: 1_000, connectTimeoutMs: 5_000 });
    this.client.subscribe("task:status", (frame: PushedFrame) => {
      if (frame.type === "task_status") this.statuses.push(frame.id);
    }, { replay: "all" });
    this.stores = TASKS.map((id) => this.client.task(id));
    this.stores.forEach((store, i) =>
      store.subscribe(({ isStale, status, progress }: TaskView) => {
        this.wasStale ||= isStale && status !== undefined;
        const { completed = -1 } = progress ?? {};
        this.shown[i]?.push({ completed, atMs: performance.now() });
      })
    );
  }

  /** For how long at most it shows as present what another has seen go by; ms. */
  behind(other: Seen): number {
    const now = performance.now();
    const behind = this.stores.map((store, i) => {
      const { isStale, progress } = store.getSnapshot();
      const { completed = -1 } = progress ?? {};
      const over = other.shown[i]?.find((shown) => shown.completed > completed);
      return isStale || over === undefined ? 0 : now - over.atMs;
    });
    return Math.max(...behind);
  }

  /** What it shows of each task. */
  get state(): readonly unknown[] {
    return this.stores.map((store) => {
      const { status, progress, isStale } = store.getSnapshot();
      return [status, progress?.completed, isStale];
    });
  }
}

/** More than it takes to notice that one is late: a heartbeat, and how long its answer may take. */
const NOTICED_MS = 4_000;

/** The words for a network, what is wrong with it, and whether that is enough to be out of date, or cut off, at times. */
const NETWORKS: readonly (readonly [string, Badness, "" | "stale" | "cut off"])[] = [
  ["300 ms away", { latencyMs: 300 }, ""],
  ["where one chunk in twenty stalls", { stalls: 0.05 }, ""],
  ["that breaks every two seconds", { cutEveryMs: 2_000 }, "cut off"],
  ["that falls silent without a word", { silentAfterMs: 1_500 }, "cut off"],
  ["that takes 2 KB a second", { bytesPerSecond: 2_048 }, "stale"],
];

/** Events of tasks that go on for some seconds, and then end. */
async function happen(store: Store): Promise<void> {
  for (let n = 0; n < SECONDS * EVENTS_PER_SECOND; n++) {
    const kind = n % 10 === 0 ? (n % 20 === 0 ? "paused" : "resumed") : "progress";
    const body = { completed: n, total: 1_000 };
    await store({ taskId: TASKS[n % TASKS.length] ?? "", kind, body, id: `e${n}` });
    await new Promise((resolve) => setTimeout(resolve, 1_000 / EVENTS_PER_SECOND));
  }
  for (const id of TASKS) await store({ taskId: id, kind: "completed", body: {}, id: `end-${id}` });
}

/** What everybody shows in the end. */
const ALL = TASKS.map((_, i) => ["completed", LAST - (TASKS.length - 1 - i), false]);

/** A client on a bad network, beside one on a perfect network that sees the same. */
class Poor implements AsyncDisposable {
  readonly seen: Seen;
  readonly network: BadNetwork;
  /** For how long at most it showed as present what was over, ms. */
  behind = 0;
  readonly #looking: ReturnType<typeof setInterval>;

  constructor(network: BadNetwork, perfect: Seen) {
    this.network = network;
    this.seen = new Seen(`ws://127.0.0.1:${network.port}/ws`);
    this.#looking = setInterval(() => this.behind = Math.max(this.behind, this.seen.behind(perfect)), 50);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#looking);
    this.seen.client.close();
    await this.network[Symbol.asyncDispose]();
  }
}

Deno.test("a client on a bad network ends with what one on a perfect network has", async (t) => {
  // A silent connection is noticed by its missing pong; the gateway says how soon.
  await withGateway({ settings: { HEARTBEAT_MS: "1000" } }, async (gateway) => {
    await using stack = new AsyncDisposableStack();
    const perfect = stack.adopt(new Seen(`${gateway.wsUrl}/ws`), ({ client }) => client.close());
    const poor: Poor[] = [];
    for (const [, badness] of NETWORKS) {
      poor.push(stack.use(new Poor(await BadNetwork.start(gateway.port, badness), perfect)));
    }
    await eventually("all are there", () => poor.every(({ seen }) => seen.client.state.kind === "open"));
    await happen(overHttp(gateway));
    await eventually("the perfect one has everything", () => isDeepStrictEqual(perfect.state, ALL));
    for (const [i, [words, , goes]] of NETWORKS.entries()) {
      await t.step(`on a network ${words}`, async () => {
        const { seen, network, behind } = poor[i] ?? fail("there is one for each network");
        await eventually(
          "it has everything",
          () => isDeepStrictEqual(seen.state, ALL) && seen.statuses.length === perfect.statuses.length,
          60_000,
        ).catch(() => {}); // the comparison says what is missing
        assertEquals(seen.state, ALL);
        assertEquals(seen.statuses, perfect.statuses, "every change of status, in order, once");
        assert(behind < NOTICED_MS, `what was over for ${behind} ms was shown as how things are`);
        if (goes !== "") assert(seen.wasStale, "it says so when it may be out of date");
        if (goes === "cut off") assert(network.connections > 1);
      });
    }
  });
});

function fail(message: string): never {
  throw new Error(message);
}
