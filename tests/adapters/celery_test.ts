import { assert, assertEquals } from "@std/assert";
import * as v from "valibot";
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

/** What a program of this folder says, which has the bridge. */
function toldByPython(program: string): Promise<string> {
  const paths = ["../../src/adapters/", "./"].map((path) => new URL(path, import.meta.url).pathname);
  // Behind everything that Python has by itself.
  const code =
    `import sys, runpy; sys.path[:0] = ${JSON.stringify(paths)}; sys.path.append(${JSON.stringify(STUB)}); ` +
    `runpy.run_path(${JSON.stringify(`${paths[1]}${program}`)}, run_name="__main__")`;
  return run(PYTHON, ["-B", "-c", code], { env: { PYTHONIOENCODING: "utf-8" } });
}

Deno.test("the Celery bridge writes a line for each signal, and pipe makes them the tasks that they are", async () => {
  const said = await toldByPython("celery_story.py");
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
    "turned started 1",
    "turned started 1",
    "turned cancelled 1",
  ]);
  await withGateway({}, async (gateway) => {
    const { code, stdout, stderr } = await cli(["pipe"], {
      url: gateway.url,
      stdin: said,
      closesStdin: true,
    });
    assertEquals([code, stdout], [0, "14 events are in the log\n"], stderr);
    const task = async (id: string) => Object(await gateway.get(`/api/tasks/${id}`));
    const ids = ["paid", "broke", "late", "turned"];
    const [paid, broke, late, turned] = await Promise.all(ids.map(task));
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
    assertEquals([turned.status, turned.reason], ["cancelled", "rejected"]);
  });
});

const Outage = v.object({
  others: v.array(v.array(v.string())),
  progress: v.array(v.number()),
  told: v.array(v.string()),
  said: v.number(),
  read: v.number(),
  shared_ids: v.number(),
  odd_ids: v.array(v.string()),
});

Deno.test("of lines of Celery's that nobody takes the oldest progress goes first, ends last, and it is told; ids are one task's", async () => {
  const said = v.parse(Outage, JSON.parse(await toldByPython("celery_outage.py")));
  // Six may wait: two of what began went for the four that ended.
  assertEquals(said.others, [
    ["task-2", "created"],
    ["task-3", "created"],
    ["task-0", "completed"],
    ["task-1", "failed"],
    ["task-2", "completed"],
    ["task-3", "failed"],
  ]);
  assertEquals(said.progress, [0], "what was on its way is there");
  const counts = said.told.map((text) => {
    const [, total, what = ""] = /^(\d+) lines were dropped, which nobody took: (.*)$/.exec(text) ?? [];
    const each = what.split(", ").map((one) => parseInt(one)).reduce((sum, one) => sum + one, 0);
    assertEquals(each, Number(total), text);
    return each;
  });
  assert(said.told.some((text) => text.includes("2 created")), said.told.join("\n"));
  const lost = said.said - said.read - counts.reduce((sum, one) => sum + one, 0);
  assert(lost === 0 || lost === 1, `${lost} are on their way at the end, and one may be`);
  assertEquals([said.shared_ids, said.odd_ids], [0, []]);
});

/** Whether the Python has Celery, and what it needs for Redis. */
async function hasCelery(): Promise<boolean> {
  return await run(PYTHON, ["-c", "import celery, redis"]).then(() => true, () => false);
}

Deno.test("the README's Celery runs as pasted: tasks of its shop are told of by who sends them and by a worker that comes late", async () => {
  const isReal = await hasCelery();
  await using redis = isReal ? await startRedis() : undefined;
  const folder = await Deno.makeTempDir({ prefix: "taskwire-shop-" });
  try {
    const shop = fence("python shop").replace("redis://127.0.0.1:6379", redis?.url ?? "memory://");
    await Deno.writeTextFile(`${folder}/shop.py`, shop);
    await withGateway({}, async (gateway) => {
      const code = fence("sh celery").replaceAll("../shop", folder)
        .replaceAll("/tmp/taskwire.fifo", `${folder}/fifo`);
      // Where the first is sent and told of before there is a worker, nobody has the FIFO open to write.
      const until = (file: string): string => `until [ -e '${folder}/${file}' ]; do sleep 0.1; done`;
      const later = ["touch sent", until("again"), "python3 -c 'import shop; shop.bill.delay(4)'"];
      await using shell = new Pasted([code, ...later].join("\n"), {
        url: gateway.url,
        env: { PYTHONDONTWRITEBYTECODE: "1", ...(isReal ? {} : { PYTHONPATH: STUB }) },
        commands: {
          python3: `exec '${PYTHON}' "$@"`,
          celery: `${until("again")}; exec '${PYTHON}' -m celery "$@"`,
        },
      });
      await eventually("there is a task", async () => (await tasksOf(gateway)).length === 1, 30_000);
      const isSent = () => Deno.stat(`${folder}/sent`).then(() => true, () => false);
      await eventually("who sent it is gone", isSent, 30_000);
      await Deno.writeTextFile(`${folder}/again`, "");
      await eventually("there are two", async () => (await tasksOf(gateway)).length === 2, 30_000);
      const billed = await Promise.all(
        (await tasksOf(gateway)).map((id) => taskThatIs(gateway, id, "completed")),
      );
      assertEquals(billed.map(({ name, type }) => [name, type]), Array(2).fill(["shop.bill", "celery"]));
      assertEquals(billed.map(({ result }) => Object(result).rows).sort(), [3, 4]);
      assertEquals(billed.map(({ progress }) => Object(progress).completed).sort(), [3, 4]);
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
