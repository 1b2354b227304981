import type { AddressInfo } from "node:net";
import { type ServerOptions, WebSocketServer } from "ws";

/** A small server that sends to all of its clients what it is told. */
export type Broadcaster = {
  readonly port: number;
  readonly broadcast: (text: string) => void;
  /** The paths that its clients asked for. */
  readonly asked: readonly string[];
};

/** Runs `use` on one, and ends it. */
export async function withBroadcaster(
  use: (broadcaster: Broadcaster) => Promise<void>,
  { perMessageDeflate = false }: Pick<ServerOptions, "perMessageDeflate"> = {},
): Promise<void> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate });
  const asked: string[] = [];
  server.on("connection", (_, { url = "" }) => asked.push(url));
  await new Promise<void>((resolve) => server.once("listening", resolve));
  try {
    // A server on TCP has an address with a port.
    const { port } = server.address() as AddressInfo;
    const broadcast = (text: string) => server.clients.forEach((client) => client.send(text));
    await use({ port, broadcast, asked });
  } finally {
    for (const client of server.clients) client.terminate();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
