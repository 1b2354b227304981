/**
 * A Socket.IO server over WebSocket alone that emits each event to everybody. Arguments: the NATS server's URL, and
 * `recovery` where the state of a lost connection is to be kept, as its documentation has it.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import { answer } from "../line_commands.ts";
import { followFrames } from "./task_frames.ts";

const [natsUrl = "", recovery] = Deno.args;
const server = createServer();
const io = new Server(server, {
  transports: ["websocket"],
  serveClient: false,
  ...(recovery === "recovery" ? { connectionStateRecovery: { maxDisconnectionDuration: 120_000 } } : {}),
});
await followFrames(natsUrl, (frame) => void io.emit("task_status", frame));
server.listen({ host: "127.0.0.1", port: 0, backlog: 4_096 }, () => {
  // A server on TCP has an address with a port.
  answer({ port: (server.address() as AddressInfo).port });
});
