import { assertEquals } from "@std/assert";
import {
  type Client,
  ClientError,
  connect,
  type PushedFrame,
  type Store,
  type TasksView,
  type TaskView,
} from "../../src/client/client.ts";
import type { Chance } from "./chance.ts";
import type { SimNetwork } from "./sim_network.ts";
import type { Life, SimTime } from "./sim_time.ts";

/** What somebody was told who watches every change of status. */
export class Witness {
  /** Ids of the frames, in order, of the present life of the stream. */
  seen: string[] = [];
  isLive = false;
  /** After this position nothing may be missing. */
  from = 0;
  gaps = 0;
  isTruncated = false;
  readonly errors: string[] = [];
  readonly #last = new Map<string, number>();

  /** It is live, or is so no more, while the log reached to `head`. */
  becomes(isLive: boolean, head: number): void {
    this.isLive = isLive;
    if (isLive && this.from === Infinity) this.from = head;
  }

  take(frame: PushedFrame): void {
    if (frame.type === "gap") {
      this.gaps++;
      this.from = Infinity; // what was in between is told as how things are by now
      if (frame.data.reason === "epoch") this.#last.clear();
      this.seen = [];
    }
    if (frame.type !== "task_status") return;
    const { task_id: id } = frame.data;
    const position = Number(frame.id.slice("status_".length));
    if (position <= (this.#last.get(id) ?? 0)) {
      throw new Error(`${frame.id} of ${id} came after status_${this.#last.get(id)}`);
    }
    this.#last.set(id, position);
    this.seen.push(frame.id);
  }
}

/** What clients of a simulation share. */
export type SimClientWorld = {
  readonly time: SimTime;
  readonly network: SimNetwork;
  readonly chance: Chance;
  /** How long tokens live; undefined where none are asked for. */
  readonly tokenMs: number | undefined;
  /** How far the log reaches. */
  readonly head: () => number;
};

/** A client with the real code, and somebody who looks at what it shows and asks it things. */
export class SimClient {
  readonly name: string;
  readonly client: Client;
  readonly history = new Witness();
  readonly others: Witness[] = [];
  readonly stores: ReadonlyMap<string, Store<TaskView>>;
  readonly list: Store<TasksView>;
  readonly faults: unknown[] = [];
  readonly #life: Life;
  readonly #chance: Chance;
  readonly #head: () => number;
  #stops: (() => void)[] = [];
  asked = 0;
  answered = 0;

  constructor(
    name: string,
    tasks: readonly string[],
    { time, network, chance, tokenMs, head }: SimClientWorld,
  ) {
    this.name = name;
    this.#head = head;
    this.#chance = chance.of(name);
    this.#life = time.life(this.#chance.next);
    this.client = connect("ws://proxy/ws", {
      clock: this.#life.clock,
      random: this.#life.clock.random,
      open: network.opener(name, this.#chance.of("network")),
      ...(tokenMs === undefined ? {} : { token: () => Promise.resolve(`until-${time.now() + tokenMs}`) }),
    });
    this.#watch(["task:status"], "all", this.history);
    this.stores = new Map(tasks.map((id) => [id, this.client.task(id)]));
    for (const store of this.stores.values()) store.subscribe(() => {});
    this.list = this.client.tasks();
    this.list.subscribe(() => {});
  }

  /** Watches something else as well, or no more. */
  fidget(tasks: readonly string[]): void {
    if (this.#stops.length > 2) return this.#stops.shift()?.();
    const topics = ["task:status", "task:tag:a", `task:id:${this.#chance.pick(tasks)}`]
      .filter(() => this.#chance.happens(0.6));
    if (topics.length === 0) return;
    const witness = new Witness();
    this.others.push(witness);
    this.#stops.push(this.#watch(topics, this.#chance.pick(["latest", "none", "all"]), witness));
  }

  /** Asks something. */
  ask(tasks: readonly string[]): void {
    const id = this.#chance.pick(tasks);
    const asking = this.#chance.pick([
      () => this.client.getTask(id),
      () => this.client.getTasks(),
      () => this.client.getHistory(id),
      () => this.client.cancel(id, "enough"),
    ])();
    this.asked++;
    asking.then(
      () => this.answered++,
      (error: unknown) => {
        this.answered++;
        if (!(error instanceof ClientError)) this.faults.push(error);
      },
    );
  }

  close(): void {
    this.client.close();
  }

  #watch(topics: readonly string[], replay: "latest" | "none" | "all", witness: Witness): () => void {
    const take = (frame: PushedFrame): void => {
      try {
        witness.take(frame);
      } catch (error) {
        this.faults.push(error);
      }
    };
    return this.client.subscribe(topics, take, {
      replay,
      onLive: (isLive) => witness.becomes(isLive, this.#head()),
      onTruncated: () => witness.isTruncated = true,
      onError: ({ code }) => witness.errors.push(code),
    }).unsubscribe;
  }

  /** Whether nothing is left to be done. */
  assertAtRest(): void {
    assertEquals(this.client.state.kind, "open", `${this.name} is connected`);
    assertEquals(this.answered, this.asked, `${this.name} was answered`);
    assertEquals(this.history.isLive, true, `what ${this.name} watches is live`);
    assertEquals(this.history.errors, []);
  }
}
