/**
 * A gateway in a process of its own, so that its memory is its own. It says where it listens and is then told what to
 * do, a line each, which it answers with one of JSON; it ends when nobody talks to it any more.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { FLOW_EVENTS, flowEvent } from "./flow.ts";
import { eventOf, LiveGateway } from "./live_gateway.ts";

/** Events a second, and in how many goes. */
const PER_SECOND = 5_000;
const GOES_PER_SECOND = 50;

const gateway = await LiveGateway.start(JSON.parse(Deno.args[0] ?? "{}"));
say(gateway.port);
for await (const command of createInterface({ input: process.stdin })) {
  if (command === "flow") say(await flow());
  if (command === "memory") say(memory());
}
await gateway[Symbol.asyncDispose]();

/** Appends the whole flow at its rate, and an event that is the last; returns the position of that. */
async function flow(): Promise<number> {
  const startedMs = performance.now();
  const size = PER_SECOND / GOES_PER_SECOND;
  for (let i = 0; i < FLOW_EVENTS; i += size) {
    const events = Array.from({ length: size }, (_, k) => flowEvent(i + k));
    await gateway.append(...events.map(({ taskId, kind, body }) => eventOf(taskId, kind, body)));
    const dueMs = startedMs + (i + size) / PER_SECOND * 1_000;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())));
  }
  return await gateway.append(eventOf("end", "created"));
}

/** Bytes that are in use, all that could be freed having been freed. */
function memory(): number {
  const gc: unknown = Reflect.get(globalThis, "gc");
  if (typeof gc !== "function") throw new Error("no --expose-gc");
  gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

function say(answer: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(answer)}\n`));
}
