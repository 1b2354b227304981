import { assert, assertEquals } from "@std/assert";
import { type Client, connect, type PushedFrame, type TaskView } from "../../src/client/client.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { overHttp } from "../gateway/load.ts";
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
  ["that takes 1 KB a second", { bytesPerSecond: 1_024 }, "stale"],
];

for (const [words, badness, goes] of NETWORKS) {
  Deno.test(`a client on a network ${words} ends with what one on a perfect network has`, async () => {
    // A silent connection is noticed by its missing pong; the gateway says how soon.
    const settings = { HEARTBEAT_MS: "1000" };
    await withGateway({ settings }, async (gateway) => {
      await using network = await BadNetwork.start(gateway.port, badness);
      const perfect = new Seen(`${gateway.wsUrl}/ws`);
      const poor = new Seen(`ws://127.0.0.1:${network.port}/ws`);
      let behind = 0;
      const looking = setInterval(() => behind = Math.max(behind, poor.behind(perfect)), 50);
      try {
        await eventually("both are there", () => Promise.resolve(poor.client.state.kind === "open"));
        const store = overHttp(gateway);
        for (let n = 0; n < SECONDS * EVENTS_PER_SECOND; n++) {
          const kind = n % 10 === 0 ? (n % 20 === 0 ? "paused" : "resumed") : "progress";
          const body = { completed: n, total: 1_000 };
          await store({ taskId: TASKS[n % TASKS.length] ?? "", kind, body, id: `e${n}` });
          await new Promise((resolve) => setTimeout(resolve, 1_000 / EVENTS_PER_SECOND));
        }
        for (const id of TASKS) await store({ taskId: id, kind: "completed", body: {}, id: `end-${id}` });
        const all = JSON.stringify(TASKS.map((_, i) => ["completed", LAST - (TASKS.length - 1 - i), false]));
        await eventually("both have everything", () => {
          return [perfect, poor].every(({ state }) => JSON.stringify(state) === all) &&
            poor.statuses.length === perfect.statuses.length;
        }, 60_000).catch((error: unknown) => {
          throw new Error(`${JSON.stringify([perfect.state, poor.state])}, not ${all}`, { cause: error });
        });
        assertEquals(poor.statuses, perfect.statuses, "every change of status, in order, once");
        assert(behind < NOTICED_MS, `what was over for ${behind} ms was shown as how things are`);
        if (goes !== "") assert(poor.wasStale, "it says so when it may be out of date");
        if (goes === "cut off") assert(network.connections > 1);
      } finally {
        clearInterval(looking);
        perfect.client.close();
        poor.client.close();
      }
    });
  });
}
