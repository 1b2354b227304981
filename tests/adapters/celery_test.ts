import { assert, assertEquals } from "@std/assert";
import { type ReadLine, readLine } from "../../src/adapters/ndjson.ts";
import { cli } from "../cli/cli_process.ts";
import { eventually } from "../eventually.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { onPath, run } from "../programs.ts";
import { fence } from "../readme.ts";
import { startRedis } from "../redis_server.ts";
import { Pasted, taskThatIs } from "./pasted.ts";

const STUB = new URL("celery_stub/", import.meta.url).pathname;
/** Celery itself is used where this Python has it, the stub where it has none. */
const PYTHON = Deno.env.get("CELERY_PYTHON") ?? onPath(["python3"]) ?? "python3";

/** What the bridge writes of the signals in `celery_story.py`. */
function toldByPython(): Promise<string> {
  const paths = ["../../src/adapters/", "./"].map((path) => new URL(path, import.meta.url).pathname);
  // Behind everything that Python has by itself.
  const code =
    `import sys, runpy; sys.path[:0] = ${JSON.stringify(paths)}; sys.path.append(${JSON.stringify(STUB)}); ` +
    `runpy.run_path(${JSON.stringify(`${paths[1]}celery_story.py`)}, run_name="__main__")`;
  return run(PYTHON, ["-B", "-c", code], { env: { PYTHONIOENCODING: "utf-8" } });
}

Deno.test("the Celery bridge writes a line for each signal, and pipe makes them the tasks that they are", async () => {
  const said = await toldByPython();
  const lines = said.trimEnd().split("\n");
  const read = lines.map((line): ReadLine | undefined => readLine(line, { taskId: undefined, nowMs: 0 }));
  const events = read.map((one) => {
    assert(one !== undefined && "event" in one, JSON.stringify(one));
    const { taskId, kind, body } = one.event;
    return `${taskId} ${kind} ${body.attempt ?? ""}`.trimEnd();
  });
  assertEquals(events, [
    "paid created",
    "paid started 1",
    "paid progress 1",
    "paid completed 1",
    "broke created",
    "broke started 1",
    "broke retrying 2",
    "broke started 2",
    "broke failed 2",
    "late created",
    "late cancelled 1",
  ]);
  await withGateway({}, async (gateway) => {
    const { code, stdout, stderr } = await cli(["pipe"], {
      url: gateway.url,
      stdin: said,
      closesStdin: true,
    });
    assertEquals([code, stdout], [0, "11 events are in the log\n"], stderr);
    const task = async (id: string) => Object(await gateway.get(`/api/tasks/${id}`));
    const [paid, broke, late] = await Promise.all(["paid", "broke", "late"].map(task));
    assertEquals([paid.status, paid.name, paid.type, paid.parent_id, paid.result], [
      "completed",
      "shop.bill",
      "celery",
      "shop_2fnight",
      { sum: 3 },
    ]);
    assertEquals([paid.progress.completed, paid.progress.current], [1, "Überweisung\n2"]);
    assertEquals([broke.status, broke.attempt, broke.error], [
      "failed",
      2,
      { message: "no such account", code: "ValueError" },
    ]);
    assertEquals([late.status, late.reason], ["cancelled", "expired"]);
  });
});

/** Whether the Python has Celery, and what it needs for Redis. */
async function hasCelery(): Promise<boolean> {
  return await run(PYTHON, ["-c", "import celery, redis"]).then(() => true, () => false);
}

Deno.test("the README's Celery runs as pasted: a task of its shop is told of by who sends it and by a worker", async () => {
  const isReal = await hasCelery();
  await using redis = isReal ? await startRedis() : undefined;
  const folder = await Deno.makeTempDir({ prefix: "taskwire-shop-" });
  try {
    const shop = fence("python shop").replace("redis://127.0.0.1:6379", redis?.url ?? "memory://");
    await Deno.writeTextFile(`${folder}/shop.py`, shop);
    await withGateway({}, async (gateway) => {
      const code = fence("sh celery").replaceAll("../shop", folder)
        .replaceAll("/tmp/taskwire.fifo", `${folder}/fifo`);
      await using shell = new Pasted(code, {
        url: gateway.url,
        env: { PYTHONDONTWRITEBYTECODE: "1", ...(isReal ? {} : { PYTHONPATH: STUB }) },
        commands: { python3: `exec '${PYTHON}' "$@"`, celery: `exec '${PYTHON}' -m celery "$@"` },
      });
      await eventually("there is a task", async () => (await tasksOf(gateway)).length === 1, 30_000);
      const [id = ""] = await tasksOf(gateway);
      const billed = await taskThatIs(gateway, id, "completed");
      assertEquals([billed["name"], billed["type"], billed["result"]], ["shop.bill", "celery", { rows: 3 }]);
      assertEquals(Object(billed["progress"]).completed, 3);
      await shell.end();
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function tasksOf(gateway: { get(path: string): Promise<unknown> }): Promise<string[]> {
  const { tasks } = Object(await gateway.get("/api/tasks"));
  return tasks.map(({ task_id }: { task_id: string }) => task_id);
}
