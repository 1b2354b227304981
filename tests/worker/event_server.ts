import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** An event as the server stored it. */
export type StoredEvent = {
  readonly seq: number;
  readonly taskId: string;
  readonly kind: string;
  readonly id: string;
  readonly body: Readonly<Record<string, unknown>>;
};

/** A request as it came in. */
export type Request = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly bytes: number;
};

/** What a test makes of a request to append: an answer of its own, nothing at all, or a lost acknowledgement. */
export type Override =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> }
  | "silence"
  | "store and hang up"
  | undefined;

/**
 * The gateway's part of the contract that a worker relies on, on a real socket: `POST …/api/tasks/:id/events` stores
 * each `event_id` of a task once, `GET …/api/tasks/:id` tells its status. It can be taken down and brought up again.
 */
export class EventServer implements AsyncDisposable {
  readonly events: StoredEvent[] = [];
  readonly requests: Request[] = [];
  /** What `GET /api/tasks/:id` tells. */
  readonly tasks = new Map<string, Readonly<Record<string, unknown>>>();
  override: (request: Request) => Override = () => undefined;
  #server: Server | undefined;
  #port = 0;

  /** Starts one on a free port. */
  static async start(): Promise<EventServer> {
    const server = new EventServer();
    await server.up();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The kinds of a task's events, in order. */
  kinds(taskId: string): string[] {
    return this.events.filter((event) => event.taskId === taskId).map(({ kind }) => kind);
  }

  /** Listens, on the port it had before. */
  async up(): Promise<void> {
    const server = createServer((request, response) => void this.#serve(request, response));
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    // A server that listens on a port has an AddressInfo.
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Hangs up on everybody and stops listening. */
  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.down();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // The worker hung up.
    }
    const text = Buffer.concat(chunks).toString();
    const { method = "", url: path = "", headers } = request;
    const seen = { method, path, headers, bytes: text.length };
    this.requests.push(seen);
    const taskId = /\/api\/tasks\/([\w-]+)/.exec(path)?.[1] ?? "";
    const override = this.override(seen);
    if (override === "silence") return;
    if (override === "store and hang up") {
      this.#append(taskId, text);
      response.destroy();
    } else if (override !== undefined) {
      const { status, body, headers } = override;
      response.writeHead(status, { "content-type": "application/problem+json", ...headers });
      response.end(typeof body === "string" ? body : JSON.stringify(body ?? {}));
    } else if (method === "POST") {
      reply(response, 202, { results: this.#append(taskId, text) });
    } else {
      const task = this.tasks.get(taskId);
      reply(response, task === undefined ? 404 : 200, task ?? { code: "TASK_NOT_FOUND" });
    }
  }

  #append(taskId: string, text: string): { seq: number; duplicate: boolean }[] {
    const given: { kind: string; event_id: string }[] = JSON.parse(text);
    return given.map(({ kind, event_id: id, ...body }) => {
      const known = this.events.find((event) => event.taskId === taskId && event.id === id);
      if (known !== undefined) return { seq: known.seq, duplicate: true };
      const seq = this.events.length + 1;
      this.events.push({ seq, taskId, kind, id, body });
      return { seq, duplicate: false };
    });
  }
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
