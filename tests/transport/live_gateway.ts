import { Gateway } from "../../src/gateway/gateway.ts";
import type { NewEntry } from "../../src/log/event_log.ts";
import { openSqliteLog } from "../../src/log/sqlite_log.ts";
import { readSettings, type Settings } from "../../src/settings/settings.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { createTelemetry, type Telemetry } from "../../src/telemetry/telemetry.ts";
import { type ConnectOptions, TestClient } from "../websocket_client.ts";

const encoder = new TextEncoder();

/** One event as a worker's append. */
export function eventOf(taskId: string, kind: string, body: object = {}): NewEntry {
  return { subject: `task.${taskId}.${kind}`, body: encoder.encode(JSON.stringify(body)) };
}

/** A real gateway on a free port, over a real SQLite log in a temporary folder. */
export class LiveGateway implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly telemetry: Telemetry;
  readonly settings: Settings;
  readonly port: number;
  /** What the gateway logged at `error`: an exception that got out of somewhere is here. */
  readonly incidents: readonly string[];
  readonly #dataDir: string;

  private constructor(
    parts: Pick<LiveGateway, "gateway" | "telemetry" | "settings" | "port" | "incidents"> & {
      readonly dataDir: string;
    },
  ) {
    this.gateway = parts.gateway;
    this.telemetry = parts.telemetry;
    this.settings = parts.settings;
    this.port = parts.port;
    this.incidents = parts.incidents;
    this.#dataDir = parts.dataDir;
  }

  /** Starts one; `env` are settings beyond the defaults. */
  static async start(env: Readonly<Record<string, string>> = {}): Promise<LiveGateway> {
    const dataDir = await Deno.makeTempDir({ prefix: "taskwire-gateway-" });
    const read = readSettings({ PORT: "0", DATA_DIR: dataDir, ...env });
    if ("problems" in read) throw new TypeError(read.problems.join("; "));
    const { settings } = read;
    const incidents: string[] = [];
    const log = createLogger({ level: "error", write: (line) => incidents.push(line) });
    const telemetry = createTelemetry({ log, newId: () => crypto.randomUUID() });
    const { retainAgeMs, retainPerSubject, dedupWindowMs } = settings;
    const gateway = new Gateway({
      settings,
      telemetry,
      openLog: () =>
        openSqliteLog({ dataDir, retainAgeMs, retainPerSubject, dedupWindowMs, survives: "process" }),
    });
    const { port } = await gateway.listen();
    await gateway.ready;
    return new LiveGateway({ gateway, telemetry, settings, port, incidents, dataDir });
  }

  /** Its address for WebSockets. */
  url(path = "/ws"): string {
    return `ws://127.0.0.1:${this.port}${path}`;
  }

  /** Connects a client and waits for its `welcome`. */
  async connect(path = "/ws", options: ConnectOptions = {}): Promise<TestClient> {
    const client = await TestClient.connect(this.url(path), options);
    await client.next("welcome");
    return client;
  }

  /** Appends events as a worker does; returns the position of the last. */
  async append(...entries: readonly NewEntry[]): Promise<number> {
    const pipeline = this.gateway.pipeline;
    if (pipeline === undefined) throw new Error("no pipeline");
    const appended = await pipeline.append(entries);
    return appended.at(-1)?.seq ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
    await Deno.remove(this.#dataDir, { recursive: true });
  }
}
