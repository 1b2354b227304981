import { assert, assertEquals, assertRejects } from "@std/assert";
import * as v from "valibot";
import { TaskHistorySchema, TaskStatusDataSchema } from "../../src/protocol/server_schemas.ts";
import {
  type ConnectOptions,
  connectWorker,
  type Worker,
  type WorkerError,
} from "../../src/worker/task_reporter.ts";
import { type GatewayProcess, withGateway } from "./gateway_process.ts";
import { Watcher } from "./watcher.ts";

type Stage = {
  readonly gateway: GatewayProcess;
  readonly worker: Worker;
  readonly watcher: Watcher;
  readonly troubles: readonly WorkerError[];
};

/** A worker that reports over HTTP to a real gateway, and somebody who watches. */
async function withWorker(options: ConnectOptions, use: (stage: Stage) => Promise<void>): Promise<void> {
  await withGateway({}, async (gateway) => {
    const troubles: WorkerError[] = [];
    await using watcher = await Watcher.start({ url: gateway.wsUrl, returns: true });
    await using worker = await connectWorker(gateway.url, {
      progressIntervalMs: 20,
      cancelPollMs: 50,
      onTrouble: (trouble) => troubles.push(trouble),
      ...options,
    });
    await use({ gateway, worker, watcher, troubles });
  });
}

async function kindsOf(gateway: GatewayProcess, taskId: string): Promise<string[]> {
  const history = v.parse(TaskHistorySchema, await gateway.get(`/api/tasks/${taskId}/events?limit=1000`));
  return history.events.map(({ kind }) => kind);
}

async function taskOf(
  gateway: GatewayProcess,
  taskId: string,
): Promise<v.InferOutput<typeof TaskStatusDataSchema>> {
  return v.parse(TaskStatusDataSchema, await gateway.get(`/api/tasks/${taskId}`));
}

function statusesOf(watcher: Watcher): string[] {
  return watcher.statuses.map(({ status }) => status);
}

Deno.test("a worker over HTTP runs a task, and it is told from its creation to its result", async () => {
  await withWorker({}, async ({ gateway, worker, watcher, troubles }) => {
    const about = { name: "Import", type: "import", tags: ["eu"] };
    const returned = await worker.run("import-1", about, async (task) => {
      const done: number[] = [];
      for await (const item of task.track([1, 2, 3, 4, 5])) done.push(item);
      return { done };
    });
    assertEquals(returned, { done: [1, 2, 3, 4, 5] });
    await watcher.until("the end is told", () => statusesOf(watcher).includes("completed"));
    assertEquals(statusesOf(watcher), ["pending", "running", "completed"]);
    const { total, completed, percentage } = watcher.progress.get("import-1") ?? {};
    assertEquals([total, completed, percentage], [5, 5, 100]);
    const task = await taskOf(gateway, "import-1");
    const { name, type, tags, status, result, end_time } = task;
    assertEquals({ name, type, tags, status, result }, { ...about, status: "completed", result: returned });
    assert(end_time !== null);
    assertEquals(troubles, []);
  });
});

Deno.test("a worker over HTTP tries again, and each attempt and its failure are told", async () => {
  await withWorker({}, async ({ gateway, worker, watcher }) => {
    const backoff = { firstMs: 10, maxMs: 10 };
    const result = await worker.run("retry-1", { attempts: 2, backoff }, async (task) => {
      for await (const item of task.track([1, 2])) {
        if (task.attempt === 1 && item === 2) throw new Error("no luck");
      }
      return "luck";
    });
    assertEquals(result, "luck");
    await watcher.until("the end is told", () => statusesOf(watcher).includes("completed"));
    assertEquals(statusesOf(watcher), ["pending", "running", "retrying", "running", "completed"]);
    const errors = watcher.of("task_status").map(({ data }) => data.error?.message);
    assertEquals(errors, [undefined, undefined, "no luck", undefined, undefined]);
    const { attempt, progress } = await taskOf(gateway, "retry-1");
    assertEquals([attempt, progress.completed, progress.total], [2, 2, 2]);
  });
});

Deno.test("a worker over HTTP tells what its work threw", async () => {
  await withWorker({}, async ({ gateway, worker }) => {
    const work = () => Promise.reject(new Error("disk full"));
    await assertRejects(() => worker.run("fail-1", {}, work), Error, "disk full");
    const { status, error } = await taskOf(gateway, "fail-1");
    assertEquals([status, error], ["failed", { message: "disk full" }]);
  });
});

Deno.test("a worker over HTTP notices that its task is to be cancelled, and stops it with the reason", async () => {
  await withWorker({}, async ({ gateway, worker, watcher }) => {
    const running = worker.run("cancel-1", {}, async (task) => {
      await gateway.post("cancel-1", { kind: "cancel_requested", reason: "too slow" });
      await new Promise((_, reject) =>
        task.signal.addEventListener("abort", () => reject(task.signal.reason))
      );
    });
    await assertRejects(() => running, DOMException, "too slow");
    await watcher.until("the end is told", () => statusesOf(watcher).includes("cancelled"));
    assertEquals(statusesOf(watcher), ["pending", "running", "cancelling", "cancelled"]);
    assertEquals((await taskOf(gateway, "cancel-1")).reason, "too slow");
  });
});

Deno.test("a worker over HTTP works on while its gateway is killed, and nothing is lost or told twice", async () => {
  await withWorker({}, async ({ gateway, worker, watcher, troubles }) => {
    const items = Array.from({ length: 60 }, (_, item) => item);
    await worker.run("outage-1", {}, async (task) => {
      for await (const item of task.track(items)) {
        if (item === 20) await gateway.kill();
        if (item === 40) await gateway.start();
        await new Promise((resolve) => setTimeout(resolve, 5)); // the work
      }
    });
    await watcher.until("the end is told", () => statusesOf(watcher).includes("completed"));
    assertEquals(statusesOf(watcher), ["pending", "running", "completed"]);
    assertEquals(watcher.progress.get("outage-1")?.completed, 60);
    const kinds = await kindsOf(gateway, "outage-1");
    assertEquals(kinds.filter((kind) => kind !== "progress"), ["created", "started", "completed"]);
    assertEquals(troubles.map(({ code }) => code), ["unreachable"]);
  });
});
