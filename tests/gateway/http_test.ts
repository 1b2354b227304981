import { assert, assertEquals, assertRejects } from "@std/assert";
import * as v from "valibot";
import { TaskStatusDataSchema } from "../../src/protocol/server_schemas.ts";
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

Deno.test("a worker over HTTP tells what its work threw", async () => {
  await withWorker({}, async ({ gateway, worker }) => {
    const work = () => Promise.reject(new Error("disk full"));
    await assertRejects(() => worker.run("fail-1", {}, work), Error, "disk full");
    const { status, error } = await taskOf(gateway, "fail-1");
    assertEquals([status, error], ["failed", { message: "disk full" }]);
  });
});
