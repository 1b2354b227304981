import type { Hono, MiddlewareHandler } from "hono";
import { type Access, EVERYBODY } from "../../src/access/access.ts";
import { Gate } from "../../src/access/gate.ts";
import { noSuchTask } from "../../src/access/may.ts";
import { type AppDeps, createApp } from "../../src/http/app.ts";
import type { Asking } from "../../src/http/asking.ts";
import type { Appended, NewEntry } from "../../src/log/event_log.ts";
import type { TaskQuery } from "../../src/protocol/client_frames.ts";
import type { HistoryEvent, Refused, TaskPage, TaskStatusData } from "../../src/protocol/server_frames.ts";
import type { StreamRefusal } from "../../src/transport/stream_server.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { createTelemetry } from "../../src/telemetry/telemetry.ts";

/** A gateway behind the app: it remembers what it was asked, and answers with what it was given. */
export class FakeGateway {
  readonly appended: NewEntry[] = [];
  readonly asked: unknown[] = [];
  /** Who asked about tasks, in order. */
  readonly askedBy: Access[] = [];
  readonly lines: string[] = [];
  readonly tasks: Map<string, TaskStatusData> = new Map();
  readonly events: HistoryEvent[] = [];
  reasons: string[] = [];
  /** Why what is asked for next cannot be had. */
  refusal: Refused | undefined;
  /** Why there is no stream. */
  noStream: StreamRefusal | undefined;
  /** What the next calls fail with. */
  failure: unknown;
  readonly telemetry = createTelemetry({
    log: createLogger({ level: "debug", now: () => 0, write: (line) => this.lines.push(line) }),
    newId: () => "incident_1",
  });

  /** The app in front of it: whom the guards of `changes` let in may do everything. */
  app({ guards = [], ...changes }: Partial<AppDeps> = {}): Hono<Asking> {
    const { spans, incident, measures, metrics } = this.telemetry;
    const gate = new Gate(undefined, { now: () => 0 });
    return createApp({
      append: (entries) => this.#append(entries),
      tasks: {
        task: (access, id, at) => {
          const asked = at === undefined ? ["task", id] : ["task", id, at];
          return this.#answerTo(access, asked, this.tasks.get(id) ?? { refused: noSuchTask(id) });
        },
        list: (access, query) => this.#list(access, query),
        history: (access, id, { afterSeq, limit }) =>
          this.#answerTo(
            access,
            ["history", id, afterSeq, limit],
            this.tasks.has(id) ? { task_id: id, events: this.events } : { refused: noSuchTask(id) },
          ),
        cancel: (access, id, reason) =>
          this.#answerTo(access, ["cancel", id, reason], this.refusal ?? { task_id: id, seq: 7 }),
      },
      channels: {
        publish: (access, publications) =>
          this.#answerTo(
            access,
            ["publish", ...publications],
            this.refusal ?? publications.map(() => ({ seq: 7, duplicate: false })),
          ),
        list: () => Promise.resolve(this.refusal ?? { channels: [], total: 0 }),
      },
      plugins: {
        list: () => [],
        enable: () => false,
        disable: () => false,
        add: async () => {},
        remove: () => false,
      },
      streams: {
        open: ({ query, lastEventId, address, headers, access }) =>
          this.#answerTo(
            access,
            ["stream", query.toString(), lastEventId, address, headers],
            this.noStream,
          ),
      },
      operations: {
        rejected: () => ({ total: 1, items: [] }),
        readiness: () => ({ ready: this.reasons.length === 0, reasons: this.reasons }),
        metrics,
      },
      telemetry: { spans, incident, httpRequest: measures.httpRequest },
      issueTicket: (access) => gate.issue(access),
      guards: [...guards, everybody],
      metricsGuards: [],
      ...changes,
    });
  }

  #append(entries: readonly NewEntry[]): Promise<readonly Appended[]> {
    const results = entries.map((entry) => {
      const known = this.appended.findIndex(({ id }) => id !== undefined && id === entry.id);
      if (known === -1 && this.failure === undefined) this.appended.push(entry);
      return { seq: known === -1 ? this.appended.length : known + 1, duplicate: known !== -1 };
    });
    return this.#answer(["append", entries.length], results);
  }

  #list(access: Access, query: TaskQuery) {
    const page = { tasks: [...this.tasks.values()], total: this.tasks.size };
    return this.#answerTo<TaskPage | Refused>(access, ["list", query], this.refusal ?? page);
  }

  #answerTo<T>(access: Access, asked: unknown, value: T): Promise<T> {
    this.askedBy.push(access);
    return this.#answer(asked, value);
  }

  #answer<T>(asked: unknown, value: T): Promise<T> {
    this.asked.push(asked);
    return this.failure === undefined ? Promise.resolve(value) : Promise.reject(this.failure);
  }
}

/** What routes know of who asks, unless a guard said more: that it may do everything, and where it is, if the test told. */
const everybody: MiddlewareHandler<Asking> = async (c, next) => {
  const { incoming }: Partial<Asking["Bindings"]> = c.env ?? {};
  const known: Access | undefined = c.get("access");
  if (known === undefined) {
    c.set("access", EVERYBODY);
    c.set("address", incoming?.socket.remoteAddress ?? "");
  }
  await next();
};

/** The body of an entry, as text. */
export function bodyText({ body }: NewEntry): string {
  return new TextDecoder().decode(body);
}
