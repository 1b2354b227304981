import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../eventually.ts";
import { withGateway } from "../gateway/gateway_process.ts";
import { cli, CliProcess } from "./cli_process.ts";

type Measured = {
  readonly latency: { readonly events: number; readonly frame_ms: Spread; readonly answer_ms: Spread };
  readonly appends: { readonly events: number; readonly per_second: number; readonly answer_ms: Spread };
};
type Spread = { readonly p50: number; readonly p99: number };
type Tasks = { readonly total: number; readonly tasks: readonly { readonly status: string }[] };

Deno.test("a benchmark tells how long a frame takes and how many appends a gateway takes, and ends its tasks", async () => {
  await withGateway({}, async (gateway) => {
    const { code, stdout, stderr } = await cli(["bench", "--for", "1s", "--tasks", "2"], {
      url: gateway.url,
    });
    assertEquals([code, stderr], [0, ""]);
    const ms = String.raw`p50 [\d.]+ ms, p99 [\d.]+ ms`;
    assertMatch(
      stdout,
      new RegExp(
        `^latency  from append to frame: ${ms}; to the answer: ${ms} \\(\\d+ events, one at a time\\)\n` +
          `appends  [\\d,]+ events/s \\([\\d,]+ events of 2 tasks, 100 a request\\); to the answer: ${ms}\n$`,
      ),
    );
    const { tasks, total } = await gateway.get("/api/tasks?tag=bench") as Tasks;
    assertEquals([total, [...new Set(tasks.map(({ status }) => status))]], [3, ["completed"]]);
  });
});

Deno.test("as JSON a benchmark is one object, whose numbers fit together", async () => {
  await withGateway({}, async (gateway) => {
    const { code, stdout } = await cli(["bench", "--for", "1s", "--json"], { url: gateway.url });
    assertEquals(code, 0);
    const { latency, appends }: Measured = JSON.parse(stdout);
    for (const { p50, p99 } of [latency.frame_ms, latency.answer_ms, appends.answer_ms]) {
      assert(p50 > 0 && p99 >= p50, stdout);
    }
    assert(latency.events > 0 && latency.events <= 50, stdout);
    assertEquals(appends.events % 100, 0);
    assert(appends.per_second > 100, stdout);
    await eventually("the gateway has followed all of them", async () => {
      return await gateway.metric('taskwire_events_total{kind="progress"}') ===
        latency.events + appends.events;
    });
  });
});

Deno.test("a benchmark says what it does to the log, and ends its tasks when it is stopped", async () => {
  const help = await cli(["bench", "--help"]);
  assertEquals(help.code, 0);
  assertMatch(
    help.stdout,
    /^Usage: taskwire bench \[options\]\n[^]*writes[^]*--for <duration>[^]*--tasks <n>/,
  );
  const away = await cli(["bench", "--url", "ws://127.0.0.1:9"]);
  assertEquals([away.code, away.stdout], [1, ""]);
  assertMatch(away.stderr, /^error: no gateway answers at [^\n]+\n$/);
  await withGateway({}, async (gateway) => {
    await using bench = new CliProcess(["bench", "--for", "1m"], { url: gateway.url });
    const list = async () => await gateway.get("/api/tasks?tag=bench") as Tasks;
    await eventually("it has begun", async () => (await list()).total > 0, 30_000);
    bench.signal("SIGINT");
    assertEquals((await bench.ended()).code, 130);
    assertEquals([...new Set((await list()).tasks.map(({ status }) => status))], ["cancelled"]);
  });
});
