import { BareNats, type NatsUser } from "./bare_nats.ts";
import type { GatewayProcess } from "./gateway_process.ts";
import type { Told } from "./watcher.ts";

/** An event that a worker wants to be in the log. */
export type Event = {
  readonly taskId: string;
  readonly kind: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** By which the log knows it when it is sent again. */
  readonly id: string;
};

/** Brings an event into the log; resolves with its position. Rejects when it may not be there. */
export type Store = (event: Event) => Promise<number>;

/** How far a task is. */
export type Counters = { readonly total: number; readonly completed: number };

/** Workers, each with a task at a time, and how often each of them has something to say. */
const WORKERS = 10;
const EVERY_MS = 50;
/** What a worker waits before it sends the same event again, ms. */
const RETRY_MS = 50;
/** How long one try may take, ms. */
const TRY_MS = 2_000;

/** What status a task has after an event of this kind. */
export const STATUS: ReadonlyMap<string, string> = new Map([
  ["created", "pending"],
  ["started", "running"],
  ["paused", "paused"],
  ["resumed", "running"],
  ["completed", "completed"],
]);

/**
 * 200 events a second of ten workers that go from task to task: each event is sent until the log has it, in order.
 * What the log must tell is known from what it acknowledged.
 */
export class Load implements AsyncDisposable {
  readonly #store: Store;
  readonly #name: string;
  readonly #stored: (Event & { readonly seq: number })[] = [];
  readonly #workers: Promise<void>[];
  #stopping = false;
  #giveUp = false;

  /** `name`: what the ids of its tasks begin with. */
  constructor(store: Store, name = "load") {
    this.#store = store;
    this.#name = name;
    this.#workers = Array.from({ length: WORKERS }, (_, worker) => this.#work(worker));
  }

  /** How many events the log has acknowledged. */
  get count(): number {
    return this.#stored.length;
  }

  /** The newest position that the log has told. */
  get seq(): number {
    return Math.max(0, ...this.#stored.map(({ seq }) => seq));
  }

  /** Says nothing new; resolves when everything said is in the log. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#workers);
  }

  /** Stops, and leaves unsaid what the log does not take. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#giveUp = true;
    await this.stop();
  }

  /** Every status change, in the order of the log. */
  statuses(): Told[] {
    return this.#inOrder().flatMap(({ seq, taskId, kind }) => {
      const status = STATUS.get(kind);
      return status === undefined ? [] : [{ seq, taskId, status }];
    });
  }

  /** Whether it is a task of this load. */
  has(taskId: string): boolean {
    return taskId.startsWith(`${this.#name}-`);
  }

  /** The newest counters of each task that told of them after `from`. */
  progress(from = 0): Map<string, Counters> {
    const newest = new Map<string, Counters>();
    for (const { seq, taskId, kind, body } of this.#inOrder()) {
      if (seq <= from) continue;
      const said = kind === "completed" ? body["progress"] : kind === "progress" ? body : undefined;
      if (isCounters(said)) newest.set(taskId, { total: said.total, completed: said.completed });
    }
    return newest;
  }

  #inOrder(): readonly (Event & { readonly seq: number })[] {
    return this.#stored.toSorted((a, b) => a.seq - b.seq);
  }

  async #work(worker: number): Promise<void> {
    const startMs = performance.now() + worker * EVERY_MS / WORKERS;
    let said = 0;
    for (let task = 1;; task++) {
      for (const event of life(`${this.#name}-${worker}-${task}`)) {
        if (this.#stopping) return;
        await untilMs(startMs + said++ * EVERY_MS);
        const seq = await this.#untilStored(event);
        if (seq === undefined) return;
        this.#stored.push({ ...event, seq });
      }
    }
  }

  async #untilStored(event: Event): Promise<number | undefined> {
    while (!this.#giveUp) {
      try {
        return await this.#store(event);
      } catch {
        await untilMs(performance.now() + RETRY_MS);
      }
    }
    return undefined;
  }
}

/** The events of one task, from its creation to its end. */
function* life(taskId: string): Generator<Event, void, void> {
  const total = 20;
  let events = 0;
  const event = (kind: string, body: Readonly<Record<string, unknown>> = {}) => ({
    taskId,
    kind,
    body,
    id: `${taskId}-${++events}`,
  });
  yield event("created", { total });
  yield event("started");
  for (let completed = 1; completed < total; completed++) {
    yield event("progress", { total, completed, current: `item ${completed}` });
    if (completed === total / 2) {
      yield event("paused");
      yield event("resumed");
    }
  }
  yield event("completed", { progress: { total, completed: total } });
}

function isCounters(value: unknown): value is Counters {
  return typeof value === "object" && value !== null && "total" in value && "completed" in value;
}

async function untilMs(atMs: number): Promise<void> {
  const waitMs = atMs - performance.now();
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
}

/** Brings events into the log of a gateway over HTTP. */
export function overHttp(gateway: GatewayProcess): Store {
  return async ({ taskId, kind, body, id }) => {
    const response = await fetch(`${gateway.url}/api/tasks/${taskId}/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ kind, event_id: id, ...body }),
      signal: AbortSignal.timeout(TRY_MS),
    });
    const answer = await response.json();
    if (response.status !== 202) throw new Error(answer.detail);
    return answer.results[0].seq;
  };
}

/** Brings events into JetStream itself, on a connection that is made anew when it is lost. */
export class OverNats implements AsyncDisposable {
  readonly #servers: readonly string[];
  readonly #user: NatsUser;
  #connection: Promise<BareNats> | undefined;
  #tried = 0;

  /** Several servers are of one cluster: the next one is asked when one is lost. */
  constructor(servers: string | readonly string[], user: NatsUser = {}) {
    this.#servers = typeof servers === "string" ? [servers] : servers;
    this.#user = user;
  }

  readonly store: Store = async ({ taskId, kind, body, id }) => {
    const nats = await this.#connected();
    const headers = { "Nats-Msg-Id": id };
    const answer = await nats.request(`taskwire.task.${taskId}.${kind}`, body, { headers });
    const { seq, error } = JSON.parse(new TextDecoder().decode(answer.body));
    if (error !== undefined) throw new Error(error.description);
    return seq;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#connection?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }

  async #connected(): Promise<BareNats> {
    const known = this.#connection;
    const connection = await known?.catch(() => undefined);
    if (connection !== undefined && !connection.lost) return connection;
    if (this.#connection === known) {
      await connection?.[Symbol.asyncDispose]();
      if (this.#connection === known) this.#connection = this.#connect();
    }
    return await (this.#connection ?? this.#connected());
  }

  #connect(): Promise<BareNats> {
    const server = this.#servers[this.#tried++ % this.#servers.length];
    return server === undefined
      ? Promise.reject(new Error("No server was named"))
      : BareNats.connect(server, this.#user);
  }
}
