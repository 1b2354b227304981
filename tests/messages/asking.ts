import { EVERYBODY } from "../../src/access/access.ts";
import { Gate } from "../../src/access/gate.ts";
import type { RequestContext } from "../../src/connection/connection_deps.ts";
import type { Outcome } from "../../src/connection/state.ts";
import type { NewEntry } from "../../src/log/event_log.ts";
import { openSqliteLog, type SqliteLog } from "../../src/log/sqlite_log.ts";
import { builtIn } from "../../src/plugins/built_in.ts";
import { MessageRegistry } from "../../src/messages/message_registry.ts";
import { Cancels } from "../../src/projection/cancels.ts";
import { History } from "../../src/projection/history.ts";
import { PastQueries } from "../../src/projection/past_queries.ts";
import { Projection } from "../../src/projection/projection.ts";
import { Publishing } from "../../src/projection/publishing.ts";
import { TaskQueries } from "../../src/projection/queries.ts";
import { VisibleTasks } from "../../src/projection/visible_tasks.ts";

const encoder = new TextEncoder();

/** When the log's clock stands still. */
export const NOW_MS = Date.UTC(2024, 0, 1);

/** Bounds of the log and of what is in memory. */
export type AskingOptions = { readonly retainPerSubject?: number; readonly maxTasks?: number };

/** The built-in message types over a real projection of a real SQLite log, and who asks them. */
export class Asking implements AsyncDisposable {
  readonly registry: MessageRegistry = new MessageRegistry();
  readonly log: SqliteLog;
  readonly #projection: Projection;
  readonly #dataDir: string;

  private constructor(log: SqliteLog, projection: Projection, dataDir: string, retainPerSubject: number) {
    this.log = log;
    this.#projection = projection;
    this.#dataDir = dataDir;
    const history = new History(log, projection);
    const queries = new TaskQueries(log, projection, history, { now: () => NOW_MS, retainPerSubject: 1_000 });
    const tasks = new VisibleTasks({
      queries,
      past: new PastQueries(log, projection, { retainPerSubject, now: () => performance.now() }),
      cancels: new Cancels(projection, (entries) => log.append(entries)),
      turns: history.turns,
    });
    const { namespaces } = projection;
    const publishing = new Publishing((entries) => this.log.append(entries), namespaces);
    const gate = new Gate(undefined, { now: () => NOW_MS });
    for (const { types = [] } of builtIn({ queries, tasks, gate, publishing, namespaces })) {
      for (const type of types) {
        this.registry.register(type);
      }
    }
  }

  /** Starts on a log that holds `entries`. */
  static async of(entries: readonly NewEntry[], options: AskingOptions = {}): Promise<Asking> {
    const { retainPerSubject = 1_000, maxTasks = 10_000 } = options;
    const dataDir = await Deno.makeTempDir({ prefix: "taskwire-messages-" });
    const log = await openSqliteLog({
      dataDir,
      now: () => NOW_MS,
      survives: "process",
      retainAgeMs: 86_400_000,
      retainPerSubject,
      dedupWindowMs: 1_000,
    });
    await log.append(entries);
    const projection = new Projection(log, { maxTasks, tail: { maxEvents: 100, maxBytes: 1_000_000 } });
    await projection.boot();
    return new Asking(log, projection, dataDir, retainPerSubject);
  }

  /** Appends, and lets the projection know of it, as following the log does. */
  async append(...entries: readonly NewEntry[]): Promise<void> {
    const after = this.#projection.head;
    await this.log.append(entries);
    const page = await this.log.read({ after, limit: 1_000 });
    await this.#projection.apply(page.entries);
  }

  /** What a frame of this type is answered; `about` is what is special about the connection. */
  async ask(type: string, data: object, about: Partial<RequestContext> = {}): Promise<Outcome> {
    return await this.registry.dispatch({ type, id: "r1", data: { ...data } }, this.context(about));
  }

  /** A connection on `/ws` that may do everything and has been served all there is. */
  context(about: Partial<RequestContext> = {}): RequestContext {
    const { epoch, head } = this.#projection;
    return { path: "/ws", access: EVERYBODY, nowMs: NOW_MS, epoch, head, served: head, ...about };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.log[Symbol.asyncDispose]();
    await Deno.remove(this.#dataDir, { recursive: true });
  }
}

/** One event as a worker's append. */
export function event(taskId: string, kind: string, body: object = {}): NewEntry {
  return { subject: `task.${taskId}.${kind}`, body: encoder.encode(JSON.stringify(body)) };
}

/** Why a request was refused; fails the test where it was not. */
export function errorOf(outcome: Outcome): Extract<Outcome, { kind: "error" }>["error"] {
  if (outcome.kind !== "error") throw new TypeError(`Expected an error, got ${JSON.stringify(outcome)}`);
  return outcome.error;
}
