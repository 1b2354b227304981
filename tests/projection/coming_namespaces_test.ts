import { assert, assertEquals } from "@std/assert";
import { TASKS } from "../../src/channel/built_in.ts";
import { Namespaces } from "../../src/channel/namespaces.ts";
import { Projection } from "../../src/projection/projection.ts";
import { MemoryLog } from "../connection/memory_log.ts";
import { eventually } from "../eventually.ts";
import { boundsOf } from "./bounds.ts";

const CHAT = { name: "chat", conflation: "latest" } as const;
const encoder = new TextEncoder();

function body(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

function keysOf(projection: Projection, topic: string): unknown[] {
  return Array.from(projection.channels.retained(topic) ?? [], ({ seq }) => seq);
}

Deno.test("a namespace that comes while the state is built is held as one that was there", async () => {
  const log = new MemoryLog({ now: () => 0 });
  log.put({ subject: "data.~chat.room", body: body("one") });
  const namespaces = new Namespaces([TASKS]);
  const projection = new Projection(log, { ...boundsOf(), namespaces });
  await projection.boot();
  const lasts = log.lastPerSubject.bind(log);
  log.lastPerSubject = async function* (subject) {
    yield* lasts(subject);
    if (subject !== undefined) return;
    // The walk is over, and has read of it what nobody understood.
    namespaces.add(CHAT);
    await projection.came("chat");
  };
  await projection.boot();
  await eventually("it is held", () => projection.channels.newestFirst().length === 1);
  assertEquals(keysOf(projection, "chat:room"), [1]);
});

Deno.test("a namespace that comes while a batch waits for tasks that left memory loses nothing of that batch", async () => {
  const log = new MemoryLog({ now: () => 0 });
  const namespaces = new Namespaces([TASKS]);
  const projection = new Projection(log, { ...boundsOf({ maxTasks: 1 }), namespaces });
  const put = (subject: string, value: unknown) => log.put({ subject, body: body(value) });
  for (const id of ["a", "b", "c"]) put(`task.${id}.completed`, {});
  await projection.boot();
  assert(projection.tasks.hasEvicted);
  put("task.a.failed", {});
  put("data.~chat.room", "one");
  const applying = projection.apply(log.entries.slice(3));
  namespaces.add(CHAT);
  const read = projection.came("chat");
  const { deliveries } = await applying;
  await read;
  assertEquals(deliveries.map(({ taskId }) => taskId), ["chat:room"]);
  assertEquals(keysOf(projection, "chat:room"), [5]);
  assertEquals(projection.rejected.total, 0);
});
