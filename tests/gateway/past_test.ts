import { assert, assertEquals } from "@std/assert";
import * as v from "valibot";
import { TaskAnswerSchema, TaskPageSchema } from "../../src/protocol/server_schemas.ts";
import type { GatewayProcess } from "./gateway_process.ts";
import { Watcher } from "./watcher.ts";
import { LOGS, onLog } from "./worlds.ts";

/** A task at `query`, as `<status> <completed> @<seq>`. */
async function taskAt(gateway: GatewayProcess, query: string): Promise<string> {
  const task = v.parse(TaskAnswerSchema, await gateway.get(`/api/tasks/job1?${query}`));
  assertEquals(task.at?.truncated, false);
  return `${task.status} ${task.progress.completed} @${task.at?.seq}`;
}

/** The list at `query`, as `<id> <status>`. */
async function listAt(gateway: GatewayProcess, query: string): Promise<string[]> {
  const page = v.parse(TaskPageSchema, await gateway.get(`/api/tasks?${query}`));
  assertEquals(page.at?.truncated, false);
  return page.tasks.map(({ task_id: id, status }) => `${id} ${status}`);
}

for (const log of LOGS) {
  Deno.test(`on ${log} a task and the list are told as they were, over HTTP and the socket, before and after a restart`, async () => {
    await onLog(log, async ({ gateway, publish }) => {
      await using watcher = await Watcher.start({ url: gateway.wsUrl, returns: true });
      const told = (seq: number) => watcher.until(`${seq} is told`, () => (watcher.cursor?.seq ?? 0) >= seq);
      await publish("job1", "created", { total: 4 });
      await publish("job1", "progress", { completed: 1 });
      await publish("job2", "started", {});
      await told(3);
      await new Promise((resolve) => setTimeout(resolve, 5)); // the log's clock counts in ms
      const then = Date.now();
      await new Promise((resolve) => setTimeout(resolve, 5));
      await publish("job1", "progress", { completed: 3 });
      await publish("job1", "completed", {});
      await publish("job2", "failed", {});
      await told(6);
      const looks = async () => {
        assertEquals(await taskAt(gateway, "at_seq=1"), "pending 0 @1");
        assertEquals(await taskAt(gateway, "at_seq=2"), "running 1 @2");
        assertEquals(await taskAt(gateway, `at_time=${then}`), "running 1 @3");
        assertEquals(await taskAt(gateway, `at_time=${new Date(then).toISOString()}`), "running 1 @3");
        assertEquals(await taskAt(gateway, "at_seq=999"), "completed 3 @6");
        assertEquals(await listAt(gateway, "at_seq=2"), ["job1 running"]);
        assertEquals(await listAt(gateway, `at_time=${then}`), ["job2 running", "job1 running"]);
        assertEquals(await listAt(gateway, "at_seq=5&status=completed"), ["job1 completed"]);
        const task = await watcher.ask("get_task", { task_id: "job1", at: { seq: 4 } });
        assert(task.type === "task_status");
        assertEquals([task.data.progress.completed, task.data.at?.seq], [3, 4]);
        const list = await watcher.ask("get_tasks", { at: { time: then }, limit: 1 });
        assert(list.type === "task_list" && "total" in list.data);
        const { tasks, total, next_page } = list.data;
        assertEquals([tasks.map(({ task_id }) => task_id), total, next_page], [["job2"], 2, 2]);
        const absent = await fetch(`${gateway.url}/api/tasks/job2?at_seq=2`);
        assertEquals([absent.status, (await absent.json()).code], [404, "TASK_NOT_FOUND"]);
      };
      await looks();
      await gateway.kill();
      await gateway.start();
      await watcher.until("the watcher is back", () => watcher.closes.length > 0 && watcher.caughtUp);
      await looks();
    });
  });
}
