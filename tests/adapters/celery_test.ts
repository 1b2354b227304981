import { assert, assertEquals } from "@std/assert";
import { type ReadLine, readLine } from "../../src/adapters/ndjson.ts";
import { cli } from "../cli/cli_process.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { run } from "../programs.ts";

/** What the bridge writes of the signals in `celery_story.py`. Celery itself is used where Python has it. */
function toldByPython(): Promise<string> {
  const paths = ["../../src/adapters/", "./"].map((path) => new URL(path, import.meta.url).pathname);
  const stub = new URL("celery_stub/", import.meta.url).pathname;
  // Behind everything that Python has by itself.
  const code =
    `import sys, runpy; sys.path[:0] = ${JSON.stringify(paths)}; sys.path.append(${JSON.stringify(stub)}); ` +
    `runpy.run_path(${JSON.stringify(`${paths[1]}celery_story.py`)}, run_name="__main__")`;
  const python = Deno.env.get("CELERY_PYTHON") ?? "python3";
  return run(python, ["-B", "-c", code], { env: { PYTHONIOENCODING: "utf-8" } });
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
