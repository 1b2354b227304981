import { assertEquals } from "@std/assert";
import { connectWorker } from "../../src/worker/task_reporter.ts";
import { eventually } from "../eventually.ts";
import { startNatsServer } from "../nats_server.ts";
import { withGateway } from "./gateway_process.ts";
import { Watcher } from "./watcher.ts";

const QUICK = { STALE_AFTER_MS: "600" };

/** Each change of a task that was told, and whether anything was heard of it. */
function toldBy(watcher: Watcher): string[] {
  const told = watcher.of("task_status").map(({ data: { status, liveness, reason } }) =>
    [status, liveness, reason].filter((word) => word !== null).join(" ")
  );
  return told.filter((word, i) => word !== told[i - 1]);
}

Deno.test("who watches is told that nothing is heard of a task, and that something is again", async () => {
  await withGateway({ settings: QUICK }, async (gateway) => {
    await using watcher = await Watcher.start({ url: gateway.wsUrl, topics: ["task:id:job"] });
    await gateway.post("job", { kind: "progress", completed: 1, total: 3 });
    await watcher.until("it is stale", () => toldBy(watcher).at(-1) === "running stale");
    await using late = await Watcher.start({ url: gateway.wsUrl, topics: ["task:id:job:status"] });
    assertEquals(toldBy(late), ["running stale"], "who comes late is told too");
    await gateway.post("job", { kind: "progress", completed: 2, total: 3 });
    await late.until("it is heard again", () => toldBy(late).at(-1) === "running live");
    await watcher.until("it is heard again", () => toldBy(watcher).at(-1) === "running live");
    await gateway.post("job", { kind: "completed" });
    await watcher.until("it has ended", () => toldBy(watcher).at(-1) === "completed");
    assertEquals(toldBy(watcher), ["running live", "running stale", "running live", "completed"]);
    const { events } = await gateway.get("/api/tasks/job/events") as { events: { kind: string }[] };
    assertEquals(events.map(({ kind }) => kind), ["progress", "stale", "progress", "completed"]);
  });
});

Deno.test("a worker that works and says nothing is not stale; one that was killed is, and fails once on three gateways", async () => {
  await using server = await startNatsServer();
  const settings = { ...QUICK, NATS_URL: server.url, REAP_AFTER_MS: "600" };
  await withGateway({ settings }, async (one) => {
    await withGateway({ settings }, async (two) => {
      await withGateway({ settings }, async (three) => {
        const gateways = [one, two, three];
        await using watcher = await Watcher.start({ url: two.wsUrl });
        const quiet = Promise.withResolvers<void>();
        await using worker = await connectWorker(server.url, { heartbeatMs: 150 });
        const run = worker.run("quiet", {}, () => quiet.promise);
        await three.post("killed", { kind: "started" });
        await watcher.until("it has failed", () => watcher.statuses.at(-1)?.status === "failed");
        quiet.resolve();
        await run;
        await watcher.until("the other one has ended", () => watcher.statuses.at(-1)?.status === "completed");
        const of = (id: string) => watcher.of("task_status").filter(({ data }) => data.task_id === id);
        assertEquals(of("quiet").map(({ data }) => `${data.status} ${data.liveness}`), [
          "pending null",
          "running live",
          "completed null",
        ]);
        const told = of("killed").map(({ data }) => `${data.status} ${data.liveness} ${data.reason}`);
        assertEquals(told, ["running live null", "running stale null", "failed null lost"]);
        for (const gateway of gateways) {
          await eventually("every gateway says the same", async () => {
            const task = await gateway.get("/api/tasks/killed") as {
              status: string;
              error: { code: string };
            };
            return task.status === "failed" && task.error.code === "lost";
          });
        }
        const { events } = await one.get("/api/tasks/killed/events") as { events: { kind: string }[] };
        assertEquals(events.map(({ kind }) => kind), ["started", "stale", "failed"]);
        for (const { url } of gateways) {
          await eventually("none is stale any more", async () => {
            const metrics = await fetch(`${url}/metrics`).then((answer) => answer.text());
            return /^taskwire_stale_tasks(\{[^}]*\})? 0/m.test(metrics);
          });
        }
      });
    });
  });
});
