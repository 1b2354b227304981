import type { Access } from "../../src/access/access.ts";
import { AccessError, type Authenticator } from "../../src/access/authenticator.ts";
import { Gate } from "../../src/access/gate.ts";
import { Scope } from "../../src/access/scope.ts";
import { Connection } from "../../src/connection/connection.ts";
import type { ConnectionCounts } from "../../src/connection/connection_deps.ts";
import type { Socket } from "../../src/connection/socket.ts";
import { drainAll } from "../../src/gateway/drain.ts";
import { Pipeline } from "../../src/gateway/pipeline.ts";
import { LogError } from "../../src/log/event_log.ts";
import type { Plugin } from "../../src/plugins/plugin.ts";
import { CODECS } from "../../src/protocol/codec.ts";
import { readSettings, type Settings } from "../../src/settings/settings.ts";
import { untraced } from "../../src/telemetry/spans.ts";
import type { Telemetry } from "../../src/telemetry/telemetry.ts";
import type { Chance } from "./chance.ts";
import { SimLog } from "./sim_log.ts";
import type { Served, SimLink } from "./sim_network.ts";
import type { SimStream } from "./sim_stream.ts";
import type { Life, SimTime } from "./sim_time.ts";

const DRAIN_MS = 4_000;
const IDLE_MS = 75_000;
const SWEEP_MS = 5_000;
/** When a gateway that was killed is there again, ms. */
const RESTART_MS = 700;

/** A token of the simulation says when it ends, and nothing else: `until-<ms>`. */
function tokens(now: () => number): Authenticator {
  return { authenticate: (token) => accessOf(token, now()) };
}

function accessOf(token: string, nowMs: number): Promise<Access> {
  const expiresAtMs = Number(token.slice("until-".length));
  if (!(expiresAtMs > nowMs)) return Promise.reject(new AccessError("expired", "the token has expired"));
  return Promise.resolve({
    subject: "somebody",
    rights: new Set(["subscribe", "cancel"]),
    scope: Scope.of(["*"]),
    expiresAtMs,
  });
}

/** What all gateways of a simulation share. */
export type SimGatewayWorld = {
  readonly time: SimTime;
  readonly stream: SimStream;
  readonly chance: Chance;
  /** Whether clients have to show tokens. */
  readonly asksForTokens: boolean;
  /** Told of failures inside. */
  readonly incident: (error: unknown) => void;
  readonly env: Readonly<Record<string, string>>;
  readonly plugins: readonly Plugin[];
};

/** A gateway: the real pipeline and real connections, between a simulated log and simulated links. It may die, and come back. */
export class SimGateway {
  readonly name: string;
  readonly #world: SimGatewayWorld;
  readonly #settings: Settings;
  readonly #gate: Gate;
  readonly #open = new Map<Connection, { readonly link: SimLink; heardMs: number }>();
  #life: Life;
  #lives = 0;
  #connections = 0;
  #pipeline: Pipeline | undefined;
  log: SimLog;
  isDraining = false;

  constructor(name: string, world: SimGatewayWorld) {
    this.name = name;
    this.#world = world;
    const read = readSettings({ ...world.env, NATS_URL: "nats://simulated" });
    if (!("settings" in read)) throw new Error(`the settings of the simulation: ${JSON.stringify(read)}`);
    this.#settings = read.settings;
    const now = () => world.time.now();
    this.#gate = new Gate(world.asksForTokens ? tokens(now) : undefined, { now });
    [this.#life, this.log] = this.#born();
  }

  get pipeline(): Pipeline | undefined {
    return this.#pipeline?.booted === true ? this.#pipeline : undefined;
  }

  get connections(): readonly Connection[] {
    return [...this.#open.keys()];
  }

  /** Its process is there, and begins. */
  start(): void {
    [this.#life, this.log] = this.#born();
    this.isDraining = false;
    const { clock } = this.#life;
    const pipeline = new Pipeline({
      log: this.log,
      settings: this.#settings,
      telemetry: this.#telemetry(),
      clock,
      gate: this.#gate,
      connections: () => this.#open.keys(),
      random: clock.random,
    });
    for (const plugin of this.#world.plugins) pipeline.plugins.add(plugin);
    this.#pipeline = pipeline;
    pipeline.start().catch(this.#world.incident);
    const sweep = (): void => {
      for (const [connection, { heardMs }] of this.#open) {
        if (clock.now() - heardMs > IDLE_MS) connection.close("idle");
      }
      clock.after(SWEEP_MS, sweep);
    };
    sweep();
  }

  /** Its process ends at once, and another one starts after a while. */
  kill(): void {
    if (this.#life.isOver) return;
    this.#life.isOver = true;
    this.#pipeline = undefined;
    for (const { link } of this.#open.values()) link.abandoned();
    this.#open.clear();
    this.#world.time.after(RESTART_MS, () => this.start());
  }

  /** It goes away in order, and another one starts after that. */
  async drain(): Promise<void> {
    if (this.isDraining || this.pipeline === undefined) return;
    this.isDraining = true;
    const life = this.#life;
    this.pipeline.router.flushAll();
    await drainAll(() => this.#open.keys(), {
      clock: life.clock,
      drainMs: DRAIN_MS,
      random: life.clock.random,
    });
    if (!life.isOver) this.kill();
  }

  /** Takes a link; undefined where nobody can be served at present. */
  accept(url: URL, link: SimLink): Served | undefined {
    const pipeline = this.pipeline;
    if (pipeline === undefined || this.isDraining || this.#life.isOver) return undefined;
    const life = this.#life;
    const connectionId = `${this.name}-${this.#lives}-${++this.#connections}`;
    const counts: ConnectionCounts = { messages: {}, errors: {}, refused: {}, frames: 0, bytes: 0 };
    const connection = new Connection(
      link,
      { connectionId, clientId: link.owner, path: url.pathname, codec: CODECS["json-batch"] },
      { ...pipeline.connectionDeps(counts, WELCOME), moved: () => {}, noteDepth: () => {} },
    );
    const open = { link, heardMs: this.#world.time.now() };
    this.#open.set(connection, open);
    const token = url.searchParams.get("token");
    const { withoutToken } = this.#gate;
    if (withoutToken !== undefined) connection.open(withoutToken);
    else if (token === null) connection.open(undefined);
    else {
      this.#gate.authenticate(token).then(
        (access) => connection.open(access),
        () => link.close(4401),
      );
    }
    return {
      receive: (text) => {
        open.heardMs = this.#world.time.now();
        if (!life.isOver) connection.receive(text);
      },
      gone: () => {
        this.#open.delete(connection);
        if (!life.isOver) connection.socketClosed();
      },
    };
  }

  #born(): [Life, SimLog] {
    const { time, stream, chance } = this.#world;
    const own = chance.of(`${this.name}-${++this.#lives}`);
    const life = time.life(own.next);
    return [life, new SimLog(stream, life.clock, own.of("log"))];
  }

  #telemetry(): Telemetry {
    const none = (): void => {};
    return {
      log: { debug: none, info: none, warn: none, error: none },
      spans: untraced,
      incident: (_where, error) => {
        if (!(error instanceof LogError && error.code === "unreachable")) this.#world.incident(error);
        return "incident";
      },
      measures: {
        lag: none,
        flush: none,
        connections: { opened: none, moved: none, closed: none },
        httpRequest: none,
        read: none,
      },
      metrics: () => Promise.resolve(""),
    };
  }
}

const WELCOME = {
  heartbeat: { interval_ms: 30_000, timeout_ms: IDLE_MS },
  limits: { max_message_bytes: 65_536, max_topics: 256, messages_per_second: 50, messages_burst: 100 },
} as const;

/** Takes a socket for what it is: the network makes no others. */
export function isLink(socket: Socket): socket is SimLink {
  return "owner" in socket;
}
