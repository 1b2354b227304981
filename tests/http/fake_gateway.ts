import type { Hono } from "hono";
import { type AppDeps, createApp } from "../../src/http/app.ts";
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

  /** The app in front of it. */
  app(changes: Partial<AppDeps> = {}): Hono {
    const { spans, incident, measures, metrics } = this.telemetry;
    return createApp({
      append: (entries) => this.#append(entries),
      tasks: {
        task: (id, at) =>
          this.#answer(at === undefined ? ["task", id] : ["task", id, at], this.tasks.get(id)),
        list: (query) => this.#list(query),
        history: (id, afterSeq, limit) =>
          this.#answer(
            ["history", id, afterSeq, limit],
            this.tasks.has(id) ? { events: this.events } : undefined,
          ),
        cancel: (id, reason) => this.#answer(["cancel", id, reason], this.refusal ?? { task_id: id, seq: 7 }),
      },
      streams: {
        open: ({ query, lastEventId, address, headers }) =>
          this.#answer(["stream", query.toString(), lastEventId, address, headers], this.noStream),
      },
      operations: {
        rejected: () => ({ total: 1, items: [] }),
        readiness: () => ({ ready: this.reasons.length === 0, reasons: this.reasons }),
        metrics,
      },
      telemetry: { spans, incident, httpRequest: measures.httpRequest },
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

  #list(query: TaskQuery) {
    const page = { tasks: [...this.tasks.values()], total: this.tasks.size };
    return this.#answer<TaskPage | Refused>(["list", query], this.refusal ?? page);
  }

  #answer<T>(asked: unknown, value: T): Promise<T> {
    this.asked.push(asked);
    return this.failure === undefined ? Promise.resolve(value) : Promise.reject(this.failure);
  }
}

/** The body of an entry, as text. */
export function bodyText({ body }: NewEntry): string {
  return new TextDecoder().decode(body);
}
