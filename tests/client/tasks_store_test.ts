import { assertEquals } from "@std/assert";
import { ClientError } from "../../src/client/client_error.ts";
import type { Source, TasksPage } from "../../src/client/source.ts";
import { tasksStore } from "../../src/client/tasks_store.ts";
import type { PushedFrame } from "../../src/client/watch.ts";
import { fold } from "../../src/task/fold.ts";
import { statusData } from "../../src/task/task.ts";
import { parseRecord } from "../../src/task/worker_event.ts";
import { ManualClock } from "../router/manual_clock.ts";

type Task = TasksPage["tasks"][number];

/** A gateway that answers at once with what there is, and tells of it when it is made to. */
class Gateway implements Source {
  readonly state = { kind: "open" } as const;
  tasks: readonly Task[] = [];
  isAnswering = true;
  asked = 0;
  push: (frame: PushedFrame) => void = () => {};

  onState(): () => void {
    return () => {};
  }

  subscribe(_topics: unknown, onFrame: (frame: PushedFrame) => void): { unsubscribe: () => void } {
    this.push = onFrame;
    return { unsubscribe() {} };
  }

  getTasks(): Promise<TasksPage> {
    this.asked++;
    if (!this.isAnswering) return Promise.reject(new ClientError("TIMEOUT", "no answer"));
    return Promise.resolve({ tasks: this.tasks, total: this.tasks.length });
  }

  /** The subscription begins: from now on it tells of what changes. */
  caughtUp(): void {
    this.push({ type: "caught_up", id: "c", timestamp: 0, data: { topics: ["task:list"], seq: 1 } });
  }
}

function task(id: string, kind: string): Task {
  const parsed = parseRecord({ seq: 1, time: 0, subject: `task.${id}.${kind}`, body: new Uint8Array() });
  if ("rejected" in parsed) throw new Error(parsed.rejected);
  return statusData(fold(undefined, parsed.event), undefined);
}

/** Lets answers come, and what waits to be shown be shown. */
async function passed(clock: ManualClock): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  clock.advance(100);
}

Deno.test("what ended before a list is told of what changes is not shown as under way", async () => {
  const [gateway, clock] = [new Gateway(), new ManualClock()];
  gateway.tasks = [task("a", "started")];
  const store = tasksStore(gateway, {}, clock);
  const stop = store.subscribe(() => {});
  await passed(clock);
  gateway.tasks = [task("a", "completed")]; // nobody is told: the subscription has not begun
  gateway.caughtUp();
  await passed(clock);
  assertEquals(store.getSnapshot().tasks.map(({ status }) => status), ["completed"]);
  stop();
});

Deno.test("a list that could not be loaded is asked for again when it has caught up again, and not otherwise", async () => {
  const [gateway, clock] = [new Gateway(), new ManualClock()];
  gateway.tasks = [task("a", "started")];
  gateway.isAnswering = false;
  const store = tasksStore(gateway, {}, clock);
  const stop = store.subscribe(() => {});
  gateway.caughtUp();
  await passed(clock);
  assertEquals([store.getSnapshot().tasks.length, store.getSnapshot().error?.code], [0, "TIMEOUT"]);
  gateway.isAnswering = true;
  for (let times = 0; times < 3; times++) {
    gateway.caughtUp();
    await passed(clock);
  }
  assertEquals([store.getSnapshot().tasks.length, gateway.asked], [1, 2]);
  stop();
});

Deno.test("a list has its tasks in the order in which they came, whatever was told of them before it was loaded", async () => {
  const [gateway, clock] = [new Gateway(), new ManualClock()];
  const store = tasksStore(gateway, {}, clock);
  const stop = store.subscribe(() => {});
  const tell = (...tasks: readonly Task[]) =>
    gateway.push({ type: "task_list", id: "l", timestamp: 0, data: { tasks, removed: [] } });
  gateway.tasks = [task("d", "started"), task("c", "started"), task("b", "failed"), task("a", "started")];
  tell(task("a", "started"), task("d", "started")); // the snapshot: what has not ended
  gateway.caughtUp();
  tell(task("a", "completed"), task("e", "created"));
  await passed(clock);
  const shown = store.getSnapshot().tasks.map(({ task_id: id, status }) => `${id} ${status}`);
  assertEquals(shown, ["e pending", "d running", "c running", "b failed", "a completed"]);
  stop();
});
