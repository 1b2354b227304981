import { startNatsServer } from "../nats_server.ts";
import { BareNats } from "./bare_nats.ts";
import { type GatewayProcess, withGateway } from "./gateway_process.ts";

/** A gateway on a log, and how anybody puts events into that log. */
export type World = {
  readonly gateway: GatewayProcess;
  /** Tells an event the plainest way: `PUB` over a TCP socket, or an HTTP request where the log is embedded. */
  readonly publish: (taskId: string, kind: string, body: Readonly<Record<string, unknown>>) => Promise<void>;
  /** Takes the log out of reach; undefined where it cannot be. */
  readonly cutOff: (() => Promise<void>) | undefined;
};

/** The logs that a gateway can stand on. */
export const LOGS = ["the embedded log", "NATS over nats://", "NATS over ws://"] as const;

/** Runs `use` on a gateway on this log. */
export async function onLog(log: (typeof LOGS)[number], use: (world: World) => Promise<void>): Promise<void> {
  if (log === "the embedded log") {
    return await withGateway({}, async (gateway) => {
      await use({
        gateway,
        publish: (taskId, kind, body) => gateway.post(taskId, { kind, ...body }),
        cutOff: undefined,
      });
    });
  }
  await using server = await startNatsServer({ websocket: true });
  const url = log === "NATS over ws://" ? server.wsUrl : server.url;
  await withGateway({ settings: { NATS_URL: url } }, async (gateway) => {
    await using nats = await BareNats.connect(server.url);
    await use({
      gateway,
      async publish(taskId, kind, body) {
        nats.publish(`taskwire.task.${taskId}.${kind}`, JSON.stringify(body));
        await nats.flush();
      },
      cutOff: () => server.kill(),
    });
  });
}
