/**
 * A client as a browser runs one: the runtime's own `WebSocket`, and `nats.ws` where it speaks to NATS. The first line
 * of JSON says to whom it connects; every other is answered with the positions that came since, and when.
 */
import { connect, DeliverPolicy, type JsMsg, type Msg } from "nats.ws";
import { monotonicMs } from "./libc.ts";
import { obeyLines } from "./line_commands.ts";

/** To whom the client connects. */
export type Connect = {
  readonly to: "gateway" | "relay" | "ordered consumer" | "core subscription";
  readonly url: string;
};

type Numbered = { readonly seq?: number; readonly type?: string };

const positions: number[] = [];
const timesMs: number[] = [];

function came({ seq }: Numbered): void {
  if (seq === undefined) return;
  positions.push(seq);
  timesMs.push(monotonicMs());
}

function gateway(url: string): Promise<void> {
  const socket = new WebSocket(url);
  return new Promise((resolve, reject) => {
    socket.onerror = () => reject(new Error(`Cannot connect to ${url}`));
    socket.onmessage = ({ data }) => {
      // The protocol's frames are JSON objects; nobody else is on the other side.
      const frame = JSON.parse(String(data)) as Numbered;
      if (frame.type === "subscribed") resolve();
      else came(frame);
    };
  });
}

/** Messages of NATS as they are: the bodies are lines of their own. */
function relay(url: string): Promise<void> {
  const socket = new WebSocket(url);
  socket.onmessage = ({ data }) => {
    for (const line of String(data).split("\r\n")) {
      if (line.startsWith("{")) came(JSON.parse(line) as Numbered);
    }
  };
  return new Promise((resolve, reject) => {
    socket.onerror = () => reject(new Error(`Cannot connect to ${url}`));
    socket.onopen = () => resolve();
  });
}

async function nats(url: string, ordered: boolean): Promise<void> {
  const connection = await connect({ servers: url });
  const take = (message: Msg | JsMsg) => came(message.json<Numbered>());
  if (ordered) {
    const consumer = await connection.jetstream().consumers.get("TASKWIRE", {
      deliver_policy: DeliverPolicy.New,
    });
    await consumer.consume({ callback: take });
  } else {
    connection.subscribe("taskwire.task.>", { callback: (_error, message) => take(message) });
  }
  await connection.flush();
}

let isConnected = false;
await obeyLines(async (line) => {
  if (isConnected) return { positions: positions.splice(0), timesMs: timesMs.splice(0) };
  // The one who writes these lines is the scenario that starts this program.
  const { to, url } = line as Connect;
  isConnected = true;
  switch (to) {
    case "gateway":
      await gateway(url);
      break;
    case "relay":
      await relay(url);
      break;
    case "ordered consumer":
    case "core subscription":
      await nats(url, to === "ordered consumer");
  }
  return {};
});
