/**
 * A thread of its own that pings a gateway over a few connections, so that what is measured is how the gateway serves
 * others, and not how busy the thread of the test is with attacking it. Beside each ping goes a byte to somebody who does
 * nothing but send it back, which tells what the machine alone takes.
 */
import { WebSocket } from "ws";
import type { Asked, Told } from "./bystander.ts";

/** So many connections, each pinging within its rate limit, give a sample every {@link EVERY_MS}. */
const CONNECTIONS = 5;
const EVERY_MS = 5;
/** What is not answered by then is lost. */
const LAST_ANSWER_MS = 10_000;

const sockets: WebSocket[] = [];
const sentMs = new Map<string, number>();
const closes: string[] = [];
let latencies: number[] = [];
let echoes: number[] = [];
let echo: Deno.TcpConn | undefined;
const echoesSentMs: number[] = [];
let timer: ReturnType<typeof setInterval> | undefined;
let pings = 0;

// A worker's own scope, which the types of a page do not know.
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<Asked>) => void;
  postMessage: (told: Told) => void;
};

scope.onmessage = ({ data }) => {
  answer(data).then(
    scope.postMessage,
    (error: unknown) => scope.postMessage({ kind: "failed", why: String(error) }),
  );
};

async function answer(asked: Asked): Promise<Told> {
  switch (asked.kind) {
    case "connect":
      for (let i = 0; i < CONNECTIONS; i++) sockets.push(await connected(asked.url, { ...asked.headers }));
      echo = await Deno.connect({ hostname: "127.0.0.1", port: asked.echoPort });
      echo.setNoDelay(true);
      readEchoes(echo);
      return { kind: "connected" };
    case "start":
      [latencies, echoes] = [[], []];
      timer = setInterval(ping, EVERY_MS);
      return { kind: "started" };
    case "stop":
      clearInterval(timer);
      await allAnswered();
      return { kind: "stopped", latencies, echoes, unanswered: sentMs.size, closes };
    case "leave":
      for (const socket of sockets) socket.terminate();
      echo?.close();
      return { kind: "left" };
  }
}

async function connected(url: string, headers: Record<string, string>): Promise<WebSocket> {
  const socket = new WebSocket(url, { headers, perMessageDeflate: false });
  socket.on("error", (error) => closes.push(String(error)));
  socket.on("close", (code) => closes.push(String(code)));
  await new Promise<void>((resolve, reject) => {
    socket.once("message", () => resolve()); // the welcome
    socket.once("close", () => reject(new Error(`${url} was closed: ${closes.join(", ")}`)));
  });
  socket.on("message", (data) => {
    const { id }: { id: string } = JSON.parse(String(data));
    const atMs = sentMs.get(id);
    if (atMs === undefined) return;
    sentMs.delete(id);
    latencies.push(performance.now() - atMs);
  });
  return socket;
}

function ping(): void {
  const nowMs = performance.now();
  const id = `ping_${++pings}`;
  sentMs.set(id, nowMs);
  sockets[pings % sockets.length]?.send(`{"type":"ping","id":"${id}"}`);
  echoesSentMs.push(nowMs);
  echo?.write(new Uint8Array(1)).catch(() => {}); // it ends when this does
}

function readEchoes(connection: Deno.TcpConn): void {
  const bytes = new Uint8Array(64);
  connection.read(bytes).then((read) => {
    const nowMs = performance.now();
    for (const atMs of echoesSentMs.splice(0, read ?? 0)) echoes.push(nowMs - atMs);
    if (read !== null) readEchoes(connection);
  }, () => {});
}

async function allAnswered(): Promise<void> {
  const untilMs = performance.now() + LAST_ANSWER_MS;
  while (sentMs.size > 0 && closes.length === 0 && performance.now() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
