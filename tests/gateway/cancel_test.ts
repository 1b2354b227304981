import { assertEquals, assertRejects } from "@std/assert";
import { connectWorker } from "../../src/worker/task_reporter.ts";
import { startNatsServer } from "../nats_server.ts";
import { type GatewayProcess, withGateway } from "./gateway_process.ts";
import { Watcher } from "./watcher.ts";

const QUICK = { progressIntervalMs: 20, cancelPollMs: 50, onTrouble: () => {} };

type Cancel = (gateway: GatewayProcess, watcher: Watcher, taskId: string) => Promise<unknown>;

const overTheSocket: Cancel = async (_gateway, watcher, taskId) => {
  const answer = await watcher.ask("cancel_task", { task_id: taskId, reason: "not needed" });
  if (answer.type !== "cancel_requested") throw new TypeError(JSON.stringify(answer));
  return answer.data;
};

const overHttp: Cancel = async ({ url }, _watcher, taskId) => {
  const response = await fetch(`${url}/api/tasks/${taskId}/cancel`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ reason: "not needed" }),
  });
  assertEquals(response.status, 202);
  return await response.json();
};

/** Runs work that never ends by itself, cancels it, and checks that it is told how it ended. */
async function cancelled(
  { gateway, workerUrl, cancel }: {
    readonly gateway: GatewayProcess;
    readonly workerUrl: string;
    readonly cancel: Cancel;
  },
): Promise<void> {
  await using watcher = await Watcher.start({ url: gateway.wsUrl });
  await using worker = await connectWorker(workerUrl, QUICK);
  const run = worker.run("endless", {}, (task) =>
    new Promise((_resolve, reject) => {
      task.signal.addEventListener("abort", () => reject(task.signal.reason));
    }));
  const rejected = assertRejects(() => run);
  const statuses = () => watcher.statuses.map(({ status }) => status);
  await watcher.until("it runs", () => statuses().includes("running"));
  assertEquals(await cancel(gateway, watcher, "endless"), { task_id: "endless", seq: 3 });
  await rejected;
  await watcher.until("it ended", () => statuses().at(-1) === "cancelled");
  assertEquals(statuses(), ["pending", "running", "cancelling", "cancelled"]);
  assertEquals(watcher.of("task_status").at(-1)?.data.reason, "not needed");
  const again = await fetch(`${gateway.url}/api/tasks/endless/cancel`, { method: "POST" });
  assertEquals([again.status, (await again.json()).details.status], [409, "cancelled"]);
}

for (const [how, cancel] of [["over the socket", overTheSocket], ["over HTTP", overHttp]] as const) {
  Deno.test(`a worker over HTTP stops when its task is cancelled ${how}`, async () => {
    await withGateway({}, async (gateway) => {
      await cancelled({ gateway, workerUrl: gateway.url, cancel });
    });
  });

  Deno.test(`a worker on NATS stops when its task is cancelled ${how}`, async () => {
    await using server = await startNatsServer();
    await withGateway({ settings: { NATS_URL: server.url } }, async (gateway) => {
      await cancelled({ gateway, workerUrl: server.url, cancel });
    });
  });
}

Deno.test("a page of another site cannot cancel a task, nor look into the past", async () => {
  await withGateway({}, async (gateway) => {
    await gateway.post("job1", { kind: "started" });
    const headers = { origin: "http://evil.example", "content-type": "application/json" };
    const cancel = await fetch(`${gateway.url}/api/tasks/job1/cancel`, {
      method: "POST",
      headers,
      body: "{}",
    });
    assertEquals([cancel.status, (await cancel.json()).code], [403, "FORBIDDEN"]);
    for (const path of ["/api/tasks?at_seq=1", "/api/tasks/job1?at_seq=1"]) {
      const past = await fetch(`${gateway.url}${path}`, { headers });
      assertEquals([past.status, (await past.json()).code], [403, "FORBIDDEN"]);
    }
    const history = await gateway.get("/api/tasks/job1/events") as { readonly events: readonly unknown[] };
    assertEquals(history.events.length, 1);
  });
});
