import { assertEquals, assertMatch } from "@std/assert";
import { lines } from "../../src/cli/drawing.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { taskNamed } from "../sample_task.ts";
import { cli, CliProcess, linesOf } from "./cli_process.ts";

Deno.test("values of a channel are published and watched, the last of each key first", async () => {
  await withGateway({}, async ({ url }) => {
    const run = (...args: string[]) => cli(args, { url });
    const candle = ["publish-value", "data:candles", '{"close":42150.5}', "--key", "BTC/USD"];
    const once = await run(...candle, "--event-id", "c1");
    assertEquals([once.code, once.stderr], [0, ""]);
    assertMatch(once.stdout, /^value \d+ is in the log\n$/);
    assertMatch((await run(...candle, "--event-id", "c1")).stdout, /, as it was before\n$/);
    await using watch = new CliProcess(["watch", "data:candles", "strategy:s1"], { url });
    await watch.said("data:candles  BTC/USD  ");
    await run("publish-value", "strategy:s1", "it is\u001b[2J well");
    await watch.said("strategy:s1");
    assertEquals(linesOf(watch.stdout).map((line) => line.replace(/^\S+Z {2}/, "")), [
      `data:candles  BTC/USD  {"close":42150.5}`,
      `strategy:s1  "it is\\u001b[2J well"`,
    ]);
    const wrong = await run("publish-value", "task:status", "1");
    assertEquals([wrong.code, wrong.stderr.includes("a channel such as data:<name>")], [2, true]);
  });
});

Deno.test("in a terminal each key is a line below the tasks, cut to its width", () => {
  const task = taskNamed("job1", { status: "running" });
  const values = ["BTC", "处理"].map((key) => ({ topic: "data:candles", key, payload: { close: 42_150.5 } }));
  const size = { columns: 40, rows: 24 };
  const mood = { word: "live", isWell: true };
  const picture = { tasks: [{ id: "job1", task, progress: task.progress }], values, mood };
  const [, ...drawn] = lines(picture, { size, colours: false });
  assertEquals(drawn, [
    `◆ data:candles  BTC  {"close":42150.5}`,
    `◆ data:candles  处理 {"close":42150.5}`,
    "live · 1 under way · 2 values",
  ]);
  const few = lines({ ...picture, values: [...values, ...values] }, {
    size: { columns: 30, rows: 5 },
    colours: false,
  });
  assertEquals(few.slice(1), [
    `◆ data:candles  BTC {"close"…`,
    "  and 3 more",
    "live · 1 under way · 4 values",
  ]);
});
