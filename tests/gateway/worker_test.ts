import { assertEquals, assertRejects } from "@std/assert";
import { connectWorker, type TaskReporter } from "../../src/worker/task_reporter.ts";
import { startNatsServer } from "../nats_server.ts";
import { withGateway } from "./gateway_process.ts";
import { Watcher } from "./watcher.ts";

/** Statuses of one task as `watcher` was told them. */
function statusesOf(watcher: Watcher, taskId: string): string[] {
  return watcher.statuses.filter((told) => told.taskId === taskId).map(({ status }) => status);
}

const QUICK = { progressIntervalMs: 20, cancelPollMs: 50, onTrouble: () => {} };

Deno.test("work that is tried again is seen retrying and completed, its counters those of the last attempt", async () => {
  await withGateway({}, async (gateway) => {
    await using watcher = await Watcher.start({ url: gateway.wsUrl });
    await using worker = await connectWorker(gateway.url, QUICK);
    const items = ["a", "b", "c", "d"];
    const result = await worker.run(
      "flaky",
      { attempts: 2, backoff: { firstMs: 10 } },
      async (task: TaskReporter) => {
        for await (const item of task.track(items)) {
          if (task.attempt === 1 && item === "c") throw new Error("c is not there yet");
        }
        return task.attempt;
      },
    );
    assertEquals(result, 2);
    await watcher.until("it completed", () => statusesOf(watcher, "flaky").at(-1) === "completed");
    assertEquals(statusesOf(watcher, "flaky"), ["pending", "running", "retrying", "running", "completed"]);
    const retrying = watcher.of("task_status").find(({ data }) => data.status === "retrying")?.data;
    assertEquals([retrying?.attempt, retrying?.error?.message], [2, "c is not there yet"]);
    const { total, completed, percentage, attempt } = watcher.progress.get("flaky") ?? {};
    assertEquals({ total, completed, percentage, attempt }, {
      total: 4,
      completed: 4,
      percentage: 100,
      attempt: 2,
    });
  });
});

Deno.test("a request to cancel, posted by anybody, reaches the work and ends it cancelled", async () => {
  await withGateway({}, async (gateway) => {
    await using watcher = await Watcher.start({ url: gateway.wsUrl });
    await using worker = await connectWorker(gateway.url, QUICK);
    const run = worker.run("endless", {}, (task) =>
      new Promise((_resolve, reject) => {
        task.signal.addEventListener("abort", () => reject(task.signal.reason));
      }));
    const rejected = assertRejects(() => run);
    await watcher.until("it runs", () => statusesOf(watcher, "endless").includes("running"));
    await gateway.post("endless", { kind: "cancel_requested", reason: "not needed" });
    await rejected;
    await watcher.until("it ended", () => statusesOf(watcher, "endless").at(-1) === "cancelled");
    assertEquals(statusesOf(watcher, "endless"), ["pending", "running", "cancelling", "cancelled"]);
    assertEquals(watcher.of("task_status").at(-1)?.data.reason, "not needed");
  });
});

Deno.test("a gateway that dies in the middle of a run costs the work nothing and its events neither", async () => {
  await withGateway({}, async (gateway) => {
    await using watcher = await Watcher.start({ url: gateway.wsUrl, returns: true });
    await using worker = await connectWorker(gateway.url, { ...QUICK, deadlineMs: 60_000 });
    const items = Array.from({ length: 40 }, (_, i) => i);
    await worker.run("long", {}, async (task) => {
      for await (const item of task.track(items)) {
        if (item === 10) await gateway.kill();
        if (item === 30) await gateway.start();
      }
    });
    await watcher.until("it completed", () => statusesOf(watcher, "long").at(-1) === "completed", 30_000);
    assertEquals(statusesOf(watcher, "long"), ["pending", "running", "completed"]);
    const history = await gateway.get("/api/tasks/long/events");
    const kinds = (history as { events: { kind: string }[] }).events.map(({ kind }) => kind);
    assertEquals(kinds.filter((kind) => kind !== "progress"), ["created", "started", "completed"]);
    assertEquals(watcher.progress.get("long")?.completed, 40);
  });
});

Deno.test("a worker straight on NATS is seen through the gateway, and hears of a cancel that came over HTTP", async () => {
  await using server = await startNatsServer();
  await withGateway({ settings: { NATS_URL: server.url } }, async (gateway) => {
    await using watcher = await Watcher.start({ url: gateway.wsUrl });
    await using worker = await connectWorker(server.url, QUICK);
    const run = worker.run("direct", { tags: ["t"] }, async (task) => {
      task.progress({ total: 2, completed: 1 });
      await new Promise((_resolve, reject) => {
        task.signal.addEventListener("abort", () => reject(task.signal.reason));
      });
    });
    const rejected = assertRejects(() => run);
    await watcher.until("it moves", () => watcher.progress.get("direct")?.percentage === 50);
    await gateway.post("direct", { kind: "cancel_requested" });
    await rejected;
    await watcher.until("it ended", () => statusesOf(watcher, "direct").at(-1) === "cancelled");
  });
});
