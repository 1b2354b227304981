import type { PinnedProcess } from "./pinned_process.ts";

/** What makes Deno listen for {@link collectGarbage}. */
export const INSPECT = "--inspect=127.0.0.1:0";

/** What the first one finalizes, the second one frees. */
const COLLECTIONS = 2;

/** Makes a process that was started with {@link INSPECT} collect its garbage, so that what it holds is what it needs. */
export async function collectGarbage(process: PinnedProcess): Promise<void> {
  const url = /Debugger listening on (ws:\S+)/.exec(process.said)?.[1];
  if (url === undefined) throw new Error(`It cannot be inspected: ${process.said}`);
  const socket = new WebSocket(url);
  try {
    await next(socket, "open");
    for (let id = 1; id <= COLLECTIONS; id++) {
      const answered = next(socket, "message");
      socket.send(JSON.stringify({ id, method: "HeapProfiler.collectGarbage" }));
      await answered;
    }
  } finally {
    socket.close();
    await next(socket, "close");
  }
}

function next(socket: WebSocket, what: "open" | "message" | "close"): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.addEventListener(what, () => resolve(), { once: true });
    socket.addEventListener("error", () => reject(new Error("The inspector's connection broke")), {
      once: true,
    });
  });
}
