import { assertEquals, assertStringIncludes } from "@std/assert";
import { eventually } from "../eventually.ts";
import type { GatewayProcess } from "../gateway/gateway_process.ts";
import type { World } from "./world.ts";

/** How long an answer that says no may take, ms: appends are tried for ten seconds. */
const ANSWER_MS = 20_000;

/** An answer over HTTP: its status, and the code and sentence of its problem document. */
export type Answer = { readonly status: number; readonly code: unknown; readonly detail: unknown };

/** Appends one event over HTTP, as a worker does; how that is answered. Rejects where nothing comes. */
export async function append(gateway: GatewayProcess, taskId: string, eventId: string): Promise<Answer> {
  return await ask(gateway, `/api/tasks/${taskId}/events`, { kind: "started", event_id: eventId });
}

/** Appends one event after the other until one is not taken; how that is answered. */
export async function refusedAppend(gateway: GatewayProcess, taskId: string): Promise<Answer> {
  for (let i = 0; i < 10_000; i++) {
    const answer = await append(gateway, taskId, `${taskId}-${i}`);
    if (answer.status !== 202) return answer;
  }
  throw new Error("Everything was taken");
}

/** Whether an event is taken now, or within a moment. */
export async function isTaken(gateway: GatewayProcess, taskId: string): Promise<boolean> {
  const eventId = crypto.randomUUID();
  const isStored = async () => (await append(gateway, taskId, eventId)).status === 202;
  return await eventually("it is taken", isStored, 5_000).then(() => true, () => false);
}

/** A request, a GET without `body`. */
export async function ask(gateway: GatewayProcess, path: string, body?: unknown): Promise<Answer> {
  const post = body === undefined
    ? {}
    : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`${gateway.url}${path}`, { ...post, signal: AbortSignal.timeout(ANSWER_MS) });
  const { code, detail } = await response.json();
  return { status: response.status, code, detail };
}

/** The reasons for which the gateway says that it is not ready, as soon as it does. */
export async function unready(gateway: GatewayProcess): Promise<string> {
  let said = "";
  await eventually("the gateway says that it is not ready", async () => {
    const response = await fetch(`${gateway.url}/readyz`);
    const { reasons } = await response.json();
    said = `/readyz ${response.status}: ${reasons.join(", ")}`;
    return response.status === 503;
  }, 30_000);
  return said;
}

/** What can be answered without the log is answered: clients go on being served. */
export async function isServing({ clients, gateway }: World): Promise<void> {
  const [one] = clients;
  const task = one?.statuses.at(-1)?.taskId;
  const [pong, known, health] = await Promise.all([
    one?.ask("ping"),
    one?.ask("get_task", { task_id: task }),
    gateway.get("/healthz"),
  ]);
  assertEquals([pong?.type, known?.type, health], ["pong", "task_status", { status: "ok" }]);
}

/** An append is answered so, and says why. */
export function isAnsweredBy(answer: Answer, status: number, detail: string): string {
  assertEquals([answer.status, answer.code], [status, "SERVER_ERROR"]);
  assertStringIncludes(String(answer.detail), detail);
  return `append ${status} "${answer.detail}"`;
}
