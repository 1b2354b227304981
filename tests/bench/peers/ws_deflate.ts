/**
 * A server on `ws` that sends batches of progress to all of its clients, one message each, compressed as `ws` does it by itself: for
 * each connection, with what was sent before as its context. Argument: `deflate`, or `plain` for none. Told by a line of JSON
 * `{"flushes", "everyMs", "tasks"}`, it answers when all were handed out.
 */
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { jsonBatch } from "../../../src/protocol/codec.ts";
import { answer, obeyLines } from "../line_commands.ts";
import { progressBatch } from "../progress_batch.ts";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: Deno.args[0] === "deflate",
  backlog: 4_096,
});
await new Promise<void>((resolve) => server.once("listening", resolve));
// A server on TCP has an address with a port.
answer({ port: (server.address() as AddressInfo).port });

const decoder = new TextDecoder();

await obeyLines(async (line) => {
  // The one who writes these lines is the scenario that starts this program.
  const { flushes, everyMs, tasks } = line as { flushes: number; everyMs: number; tasks: number };
  for (let flush = 0; flush < flushes; flush++) {
    const [message] = jsonBatch.messages(progressBatch(flush, tasks), Date.now());
    const text = decoder.decode(message?.bytes);
    for (const client of server.clients) client.send(text);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  return { flushes };
});
