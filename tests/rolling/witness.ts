import { WebSocket } from "ws";
import type { GatewayProcess } from "../gateway/gateway_process.ts";

/** What one connection, straight to a gateway, saw of its going away. Times are of `performance.now()`, ms. */
export type Seen = {
  readonly slotMs: number;
  readonly toldMs: number;
  /** What `/readyz` answered to who asked once the `drain` frame was read. */
  readonly readyz: number;
  readonly closedMs: number;
  readonly code: number;
  /** The types of frames, from `drain` on. */
  readonly types: readonly string[];
};

/** Connects to a gateway, and stays until it is sent away; `seen` tells how that went. */
export async function witness(gateway: GatewayProcess): Promise<{ readonly seen: Promise<Seen> }> {
  const socket = new WebSocket(`${gateway.wsUrl}/ws?topics=task:list`);
  const greeted = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<Seen>();
  gone.promise.catch(() => {}); // whoever asks what was seen looks at it
  let told: { slotMs: number; toldMs: number; readyz: Promise<number> } | undefined;
  const types: string[] = [];
  socket.on("message", (data) => {
    const { type, data: { reconnect_after_ms: slotMs } } = JSON.parse(String(data));
    if (type === "welcome") greeted.resolve();
    if (type === "drain") told = { slotMs, toldMs: performance.now(), readyz: readyz(gateway) };
    if (told !== undefined && type !== "task_list") types.push(type);
  });
  socket.on("error", () => {}); // the close event follows
  socket.on("close", (code) => {
    const closedMs = performance.now();
    greeted.reject(new Error(`closed with ${code} before a word`));
    if (told === undefined) return gone.reject(new Error(`closed with ${code} without a drain`));
    const { slotMs, toldMs } = told;
    told.readyz.then(
      (readyz) => gone.resolve({ slotMs, toldMs, readyz, closedMs, code, types }),
      gone.reject,
    );
  });
  await greeted.promise;
  return { seen: gone.promise };
}

async function readyz(gateway: GatewayProcess): Promise<number> {
  const response = await fetch(`${gateway.url}/readyz`);
  await response.body?.cancel();
  return response.status;
}
