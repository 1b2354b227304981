/** A server as most are written: `ws`, and a loop over its clients for each event. Argument: the NATS server's URL. */
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { answer } from "../line_commands.ts";
import { followFrames } from "./task_frames.ts";

const [natsUrl = ""] = Deno.args;
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false, backlog: 4_096 });
const listening = new Promise<void>((resolve) => server.once("listening", resolve));
await followFrames(natsUrl, (frame) => {
  const text = JSON.stringify(frame);
  for (const client of server.clients) if (client.readyState === client.OPEN) client.send(text);
});
await listening;
// A server on TCP has an address with a port.
answer({ port: (server.address() as AddressInfo).port });
