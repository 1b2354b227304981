import { type Client, ClientError, connect, type Replay, type TaskFilter } from "../../src/client/client.ts";
import { type Badness, BadNetwork } from "../client/bad_network.ts";
import type { Chance } from "../simulation/chance.ts";
import { TAGS } from "./staff.ts";
import { ticketOf, tokenOf } from "./tokens.ts";
import { View } from "./view.ts";

/** What kind of client somebody is; all of it by chance. */
export type Character = {
  /** Whose tasks it may see, and asks for: those of one tag, or all. */
  readonly tag: string | undefined;
  /** Frames of changes as they come, or the store that a list is shown from. */
  readonly watches: "frames" | "list";
  readonly replay: Replay;
  readonly transport: "websocket" | "sse";
  /** Whether it shows a token, or a ticket that it gets for it. */
  readonly shows: "token" | "ticket";
  readonly network: Badness;
};

/** What the networks are like that visitors have; `{}` is a good one. */
const NETWORKS: readonly Badness[] = [
  {},
  {},
  {},
  { latencyMs: 50 },
  { stalls: 0.02 },
  { cutEveryMs: 2_500 },
  { bytesPerSecond: 4_000 },
  { bytesPerSecond: 30_000 },
];

/** A client of the project's own code that looks at tasks, asks for some, and is gone after a while. */
export class Visitor {
  readonly character: Character;
  readonly view = new View();
  readonly client: Client;
  /** Who it is, in words. */
  readonly name: string;
  /** Failures that no gateway or network may cause. */
  readonly faults: unknown[] = [];
  readonly #network: BadNetwork;
  readonly #list;
  readonly #stopList: () => void;
  /** Undoes what it subscribed to, and ends the connection in whatever way. */
  private constructor(character: Character, network: BadNetwork, chance: Chance, name: string) {
    this.character = character;
    this.name = `${name} (${JSON.stringify(character)})`;
    this.#network = network;
    const { tag, transport, shows, replay, watches } = character;
    const token = async (): Promise<string> => {
      const own = await tokenOf(name, tag === undefined ? [] : [tag]);
      return shows === "token" ? own : await ticketOf(`http://127.0.0.1:${network.port}`, own);
    };
    this.client = connect(`http://127.0.0.1:${network.port}`, {
      token,
      transport,
      random: chance.next,
      firstWaitMs: 100,
      longestWaitMs: 2_000,
      connectTimeoutMs: 5_000,
    });
    const filter: TaskFilter = tag === undefined ? {} : { tag };
    this.#list = this.client.tasks(filter);
    this.#stopList = watches === "list" ? this.#list.subscribe(() => {}) : () => {};
    if (watches === "list") return;
    this.client.subscribe(["task:status", "task:progress"], this.view.take, {
      replay,
      onLive: (isLive) => this.view.isLive = isLive,
      onError: (error) => this.faults.push(error),
    });
  }

  /** Comes, as whoever it is, to the gateway on this port. */
  static async come(port: number, character: Character, chance: Chance, name: string): Promise<Visitor> {
    const network = await BadNetwork.start(port, character.network);
    return new Visitor(character, network, chance, name);
  }

  /** What it takes for the present state of each task; undefined while it says itself that it may be wrong. */
  get tasks(): ReadonlyMap<string, { readonly status: string; readonly completed: number }> | undefined {
    if (this.character.watches === "frames") return this.view.isLive ? this.view.tasks : undefined;
    const { tasks, isStale, isLoading, error } = this.#list.getSnapshot();
    if (isStale || isLoading || error !== undefined) return undefined;
    return new Map(
      tasks.map(({ task_id: id, status, progress }) => [id, { status, completed: progress.completed }]),
    );
  }

  /** Whether it says itself that it asked in vain, and so does not know all there is. */
  get hasGivenUp(): boolean {
    return this.character.watches === "list" && this.#list.getSnapshot().error !== undefined;
  }

  /** How it stands with the gateway, in words. */
  get standing(): string {
    const { kind, ...more } = this.client.state;
    const { isStale, isLoading, error } = this.#list.getSnapshot();
    const list = { isStale, isLoading, error: error?.message };
    return `${kind} ${JSON.stringify(this.character.watches === "list" ? { ...more, list } : more)}`;
  }

  /** Asks the gateway something about a task. */
  ask(id: string, chance: Chance): void {
    chance.pick([
      () => this.client.getTask(id),
      () => this.client.getTasks({ limit: 20 }),
      () => this.client.getHistory(id, { limit: 10 }),
      () => this.client.getTask(id, { at: { time: Date.now() - 3_000 } }),
      () => this.client.getTasks({ limit: 20, at: { time: Date.now() - 3_000 } }),
    ])().catch((error: unknown) => this.#note(error));
  }

  /** Asks a task to stop. */
  cancel(id: string): void {
    this.client.cancel(id, "enough").catch((error: unknown) => this.#note(error));
  }

  /** Its connection breaks. It comes back by itself. */
  cut(): void {
    this.#network.cut();
  }

  /** Nothing is wrong with its network any more. */
  heal(): void {
    this.#network.heal();
  }

  /** Goes: as one should, or so that the gateway hears nothing of it but a lost connection. */
  async leave(how: "politely" | "by cut"): Promise<void> {
    if (how === "by cut") await this.#network[Symbol.asyncDispose]();
    this.#stopList();
    this.client.close();
    // What was said at the end has to come through.
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (how === "politely") await this.#network[Symbol.asyncDispose]();
  }

  #note(error: unknown): void {
    if (!(error instanceof ClientError)) this.faults.push(error);
  }
}

/** Somebody by chance. */
export function anyCharacter(chance: Chance): Character {
  const transport = chance.happens(0.3) ? "sse" : "websocket";
  const isSocket = transport === "websocket";
  return {
    tag: chance.happens(0.6) ? chance.pick(TAGS) : undefined,
    watches: chance.happens(0.3) ? "list" : "frames",
    replay: chance.pick(["latest", "latest", "latest", "none", "all"]),
    transport,
    // A ticket opens one connection, and with streams each request is one.
    shows: isSocket && chance.happens(0.2) ? "ticket" : "token",
    // A stream that falls silent is noticed within a minute, whatever HEARTBEAT_MS: longer than anybody waits here.
    network: chance.pick(isSocket ? [...NETWORKS, { silentAfterMs: 2_000 }] : NETWORKS),
  };
}
