import { type Access, EVERYBODY } from "../../src/access/access.ts";
import type { Authenticator } from "../../src/access/authenticator.ts";
import { Gate } from "../../src/access/gate.ts";
import { Connection } from "../../src/connection/connection.ts";
import type { ConnectionCounts, ConnectionDeps, Identity } from "../../src/connection/connection_deps.ts";
import { LogError } from "../../src/log/event_log.ts";
import { builtIn } from "../../src/plugins/built_in.ts";
import { MessageRegistry } from "../../src/messages/message_registry.ts";
import { Cancels } from "../../src/projection/cancels.ts";
import { History } from "../../src/projection/history.ts";
import { PastQueries } from "../../src/projection/past_queries.ts";
import { Projection, type ProjectionBounds } from "../../src/projection/projection.ts";
import { Publishing } from "../../src/projection/publishing.ts";
import { TaskQueries } from "../../src/projection/queries.ts";
import { VisibleTasks } from "../../src/projection/visible_tasks.ts";
import { type CodecName, CODECS, withDeltas } from "../../src/protocol/codec.ts";
import { PageBatches } from "../../src/router/page_batches.ts";
import { Router, type RouterCounts } from "../../src/router/router.ts";
import { boundsOf } from "../projection/bounds.ts";
import { ManualClock } from "../router/manual_clock.ts";
import { FakeSocket } from "./fake_socket.ts";
import { MemoryLog, type MemoryLogOptions } from "./memory_log.ts";

/** How a world is made. */
export type WorldOptions = {
  readonly bounds?: ProjectionBounds;
  readonly retention?: Omit<MemoryLogOptions, "now">;
  readonly flushMs?: number;
  readonly limits?: ConnectionDeps["limits"];
  /** Who knows what tokens stand for. Default: everybody may do everything. */
  readonly tokens?: Authenticator;
};

/** How a connection is made. */
export type PeerOptions = {
  readonly codec?: CodecName;
  /** Whether progress is told by what changed of it. Default: it is told whole. */
  readonly deltas?: boolean;
  readonly path?: string;
  readonly admit?: NonNullable<Identity["admit"]>;
};

/** A connection with both its ends. */
export type Peer = {
  readonly connection: Connection;
  readonly socket: FakeSocket;
  /** Sends a client frame and returns its id. */
  readonly send: (type: string, data?: object) => string;
  /** The client's end of the TCP connection is gone. */
  readonly vanish: () => void;
};

const UNLIMITED = { maxTopics: 256, rate: { perSecond: 1e9, burst: 1e9 }, authMs: 10_000 };

/**
 * The whole spine but for the transport: a log in memory, the real projection, router, messages and connections, and
 * time that a test moves. Nothing follows the log by itself: {@link World.follow} does.
 */
export class World {
  readonly clock = new ManualClock();
  readonly log: MemoryLog;
  readonly projection: Projection;
  readonly history: History;
  readonly router: Router;
  readonly queries: TaskQueries;
  readonly past: PastQueries;
  readonly messages = new MessageRegistry();
  readonly pageBatches = new PageBatches();
  readonly counts: ConnectionCounts = { messages: {}, errors: {}, refused: {}, frames: 0, bytes: 0 };
  readonly routed: RouterCounts = {
    flushes: 0,
    frames: 0,
    bytes: 0,
    writes: 0,
    lag: () => {},
    around: (flush) => flush(),
  };
  /** Failures that were noted, other than of the log. */
  readonly faults: unknown[] = [];
  readonly #limits: ConnectionDeps["limits"];
  #following: Promise<void> = Promise.resolve();
  #connections = 0;
  #restarting = false;

  constructor(
    { bounds = boundsOf(), retention = {}, flushMs = 20, limits = UNLIMITED, tokens }: WorldOptions = {},
  ) {
    this.#limits = limits;
    this.log = new MemoryLog({ ...retention, now: () => this.clock.now() });
    this.projection = new Projection(this.log, bounds);
    this.router = new Router({ clock: this.clock, flushMs, head: 0, counts: this.routed });
    this.history = new History(this.log, this.projection);
    this.queries = new TaskQueries(this.log, this.projection, this.history, {
      now: () => this.clock.elapsed(),
      retainPerSubject: Infinity,
    });
    const now = () => this.clock.now();
    const { retainPerSubject = Infinity } = retention;
    this.past = new PastQueries(this.log, this.projection, { retainPerSubject, now });
    const cancels = new Cancels(this.projection, (entries) => this.log.append(entries));
    const tasks = new VisibleTasks({
      queries: this.queries,
      past: this.past,
      cancels,
      turns: this.history.turns,
    });
    const { namespaces } = this.projection;
    const publishing = new Publishing((entries) => this.log.append(entries), namespaces);
    const gate = new Gate(tokens, { now });
    for (const { types = [] } of builtIn({ queries: this.queries, tasks, gate, publishing, namespaces })) {
      for (const type of types) this.messages.register(type);
    }
  }

  /** A world whose projection was booted from what `prepare` put into the log. */
  static async booted(
    options: WorldOptions = {},
    prepare: (log: MemoryLog) => void = () => {},
  ): Promise<World> {
    const world = new World(options);
    prepare(world.log);
    await world.projection.boot(({ isWhole }) => void world.router.reset(world.projection.head, isWhole));
    await world.projection.learnWhereabouts(new AbortController().signal);
    return world;
  }

  /** Appends an event as a stranger does. */
  put(taskId: string, kind: string, body: object = {}): number {
    return this.log.put({ subject: `task.${taskId}.${kind}`, body: encoder.encode(JSON.stringify(body)) });
  }

  /** Follows the log by up to `max` records, after what was begun before; trying again while it is out of reach. */
  follow(max = Infinity): Promise<void> {
    return this.#following = this.#following.then(async () => {
      const { head } = this.projection;
      const entries = this.log.entries.filter(({ seq }) => seq > head).slice(0, max);
      const { deliveries, removed } = await this.#apply(entries);
      this.router.publish(deliveries, this.projection.head, removed);
    });
  }

  async #apply(entries: Parameters<Projection["apply"]>[0]): ReturnType<Projection["apply"]> {
    for (;;) {
      try {
        return await this.projection.apply(entries);
      } catch (error) {
        this.#note(error);
      }
    }
  }

  /** The gateway dies and comes back on the same log: whoever was connected has gone before. */
  restart(): Promise<void> {
    this.#restarting = true;
    return this.#following = this.#following.then(async () => {
      let isBuilt = false;
      const built = ({ isWhole }: { readonly isWhole: boolean }): void => {
        this.router.reset(this.projection.head, isWhole);
        isBuilt = true;
      };
      while (!isBuilt) await this.projection.boot(built).catch((error: unknown) => this.#note(error));
      this.#restarting = false;
    });
  }

  /** Whether it is coming back: nobody can connect meanwhile. */
  get isRestarting(): boolean {
    return this.#restarting;
  }

  /** Builds the projection anew, and tells every one of `peers`. */
  async rebuild(reason: "retention" | "epoch", peers: readonly Peer[]): Promise<void> {
    await this.projection.boot(({ isWhole }) => {
      const served = this.router.reset(this.projection.head, isWhole);
      for (const { connection } of peers) {
        connection.rebuilt(reason, served.get(connection) ?? this.projection.head);
      }
    });
  }

  /** What connections of this world work with. */
  deps(): ConnectionDeps {
    return {
      projection: this.projection,
      history: this.history,
      router: this.router,
      pageBatches: this.pageBatches,
      messages: this.messages,
      clock: this.clock,
      limits: this.#limits,
      welcome: {
        heartbeat: { interval_ms: 30_000, timeout_ms: 75_000 },
        limits: {
          max_message_bytes: 65_536,
          max_topics: this.#limits.maxTopics,
          messages_per_second: 50,
          messages_burst: 100,
        },
      },
      counts: this.counts,
      moved: () => {},
      noteDepth: () => {},
      incident: (error) => {
        this.#note(error);
        return "incident";
      },
    };
  }

  #note(error: unknown): void {
    if (!(error instanceof LogError && error.code === "unreachable")) this.faults.push(error);
  }

  /** Retention has taken everything before `seq`, and the gateway looks. */
  expire(seq: number): void {
    this.log.dropBefore(seq);
    const { head } = this.projection;
    this.router.publish([], head, this.projection.expire(seq));
    this.router.removals.looked(head);
  }

  /** Connects a client that is greeted at once, unless its `access` is `"unknown"`. Default: it may do everything. */
  connect(
    options: PeerOptions & { readonly query?: object; readonly access?: Access | "unknown" } = {},
  ): Peer {
    const socket = new FakeSocket();
    const peer = this.peer(socket, options);
    const { query, access = EVERYBODY } = options;
    peer.connection.open(
      access === "unknown" ? undefined : access,
      query === undefined ? undefined : { ...query },
    );
    return peer;
  }

  /** A connection over `socket` that was not greeted yet. */
  peer(
    socket: FakeSocket,
    { codec: name = "json", deltas = false, path = "/ws", admit }: PeerOptions = {},
  ): Peer {
    const connectionId = `c${++this.#connections}`;
    const codec = deltas ? withDeltas(CODECS[name]) : CODECS[name];
    const identity = { connectionId, clientId: connectionId, path, codec };
    const connection = new Connection(
      socket,
      admit === undefined ? identity : { ...identity, admit },
      this.deps(),
    );
    let requests = 0;
    return {
      connection,
      socket,
      send(type, data = {}) {
        const id = `r${++requests}`;
        connection.receive(JSON.stringify({ type, id, data }));
        return id;
      },
      vanish: () => connection.socketClosed(),
    };
  }
}

const encoder = new TextEncoder();

/** Lets everything run that needs no timer and no gate. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 60; i++) await Promise.resolve();
}
