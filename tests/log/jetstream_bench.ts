import type { NatsConnection } from "nats.ws";
import { connectNats } from "../../src/nats/connect.ts";
import { type JetStreamLogOptions, openJetStreamLog } from "../../src/log/jetstream_log.ts";
import type { EventLog } from "../../src/log/event_log.ts";
import { type NatsServer, startNatsServer } from "../nats_server.ts";
import type { LogBench, LogLimits } from "./contract.ts";

/** Where a test's log lies; a prefix of several tokens, as a shared account would give. */
export const STREAM = "TASKWIRE";
/** See {@link STREAM}. */
export const PREFIX = "acme.taskwire";

/** How the log is reached: plainly or over WebSocket. */
export type Family = "nats" | "ws";

/** Options of a log on `server`; roomy where a test says nothing. */
export function optionsOf(
  server: NatsServer,
  family: Family,
  more: Partial<JetStreamLogOptions> = {},
): JetStreamLogOptions {
  return {
    nats: { url: family === "nats" ? server.url : server.wsUrl },
    stream: STREAM,
    prefix: PREFIX,
    replicas: 1,
    retainAgeMs: 3_600_000,
    retainPerSubject: 1000,
    dedupWindowMs: 120_000,
    connecting: { withinMs: 5_000 },
    ...more,
  };
}

/** A bench for the contract: a server of its own, a log on it, and another connection for what strangers do. */
export async function openBench(family: Family, limits: LogLimits): Promise<LogBench> {
  const server = await startNatsServer({ websocket: family === "ws" });
  const options = optionsOf(server, family, limits);
  const logs: EventLog[] = [];
  const open = async () => {
    const log = await openJetStreamLog(options);
    logs.push(log);
    return log;
  };
  const log = await open();
  return {
    log,
    async reopen() {
      await logs.at(-1)?.[Symbol.asyncDispose]();
      return await open();
    },
    recreate: () =>
      asOperator(server, async (ask) => {
        const { config } = await ask(`STREAM.INFO.${STREAM}`);
        await ask(`STREAM.DELETE.${STREAM}`);
        await ask(`STREAM.CREATE.${STREAM}`, config);
      }),
    purge: () => asOperator(server, (ask) => ask(`STREAM.PURGE.${STREAM}`)),
    publish: (subject, body) =>
      connected(server, async (connection) => {
        connection.publish(`${PREFIX}.${subject}`, body);
        await connection.flush();
      }),
    restart: () => server.restart(),
    passTime: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    async [Symbol.asyncDispose]() {
      for (const each of logs) await each[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Asks JetStream's API as an operator does; fails on an error answer. */
export type Ask = (operation: string, body?: unknown) => Promise<Record<string, unknown>>;

/** Runs `act` with a way to ask JetStream's API. */
export function asOperator(server: NatsServer, act: (ask: Ask) => Promise<unknown>): Promise<void> {
  return connected(server, (connection) =>
    act(async (operation, body) => {
      const payload = body === undefined ? "" : JSON.stringify(body);
      const reply = await connection.request(`$JS.API.${operation}`, payload, { timeout: 5_000 });
      const answer = reply.json<Record<string, unknown>>();
      if (answer.error !== undefined) throw new Error(`${operation}: ${JSON.stringify(answer.error)}`);
      return answer;
    }));
}

/** Runs `act` with a connection of its own. */
export async function connected(
  server: NatsServer,
  act: (connection: NatsConnection) => Promise<unknown>,
): Promise<void> {
  const connection = await connectNats({ url: server.url }, { withinMs: 5_000 });
  try {
    await act(connection);
  } finally {
    await connection.close();
  }
}
