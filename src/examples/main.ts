/**
 * `deno task example candles|back-test|group`: channels as prices and strategies use them, and what plug-ins bring, to be watched
 * in the dashboard.
 */
import { runningGateway } from "../demo/running_gateway.ts";
import { connectPublisher, connectWorker } from "../worker/task_reporter.ts";
import { backTest } from "./back_test.ts";
import { readCandles } from "./candle.ts";
import { group, MINUTE } from "./group.ts";
import { replayCandles } from "./replay_candles.ts";

const PER_SECOND = 1_000;
/** The file is some seconds long; it is replayed again and again until somebody stops it. */
const ROUNDS = 1_000;
/** Plug-ins of the gateway, and where they are. */
const PLUGINS = ["group_progress", "task_log"];
const PLUGIN_FILES = PLUGINS.map((name) => `src/plugins/examples/${name}.ts`).join(",");
const CROSSING = { fast: 8, slow: 21, cash: 10_000, fee: 0.001 };

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

async function example(which: string): Promise<void> {
  const host = Deno.env.get("HOST") ?? "127.0.0.1";
  const port = Deno.env.get("PORT") ?? "8000";
  const url = `http://${host}:${port}`;
  if (which === "group") return await groupExample(url);
  await using gateway = await runningGateway(url);
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => stop.abort());
  const candles = await readCandles();
  await using publisher = await connectPublisher(gateway.url);
  const watch = (topic: string): void => {
    print(`Watch: ${gateway.url}/#/channel/${topic}\n  or:  deno task cli watch ${topic}\n`);
  };
  if (which === "candles") {
    watch("data:candles");
    print(`${PER_SECOND} candles a second until Ctrl-C\n`);
    for (let round = 0; round < ROUNDS && !stop.signal.aborted; round++) {
      await replayCandles(publisher, candles, { perSecond: PER_SECOND, signal: stop.signal });
    }
    return;
  }
  await using worker = await connectWorker(gateway.url, { progressIntervalMs: 200 });
  watch("strategy:crossing");
  print(`Task:  ${gateway.url}/#/task/backtest-crossing\n`);
  const test = { name: "crossing", symbol: "BTCUSDT", crossing: CROSSING, perSecond: 20 };
  const { trades, equity } = await backTest({ worker, publisher }, candles, test);
  print(`${trades} trades, from ${CROSSING.cash} to ${equity}\n`);
}

/** A group of tasks that write logs, on a gateway that has the plug-ins for both. */
async function groupExample(url: string): Promise<void> {
  await using gateway = await runningGateway(url, { PLUGINS: PLUGIN_FILES });
  const missing = await missingPlugins(gateway.url);
  if (missing.length > 0) {
    const hint = `End it, or start it with PLUGINS=${PLUGIN_FILES}`;
    print(`The gateway at ${gateway.url} has no plug-in ${missing.join(", ")}. ${hint}\n`);
    return;
  }
  await using publisher = await connectPublisher(gateway.url);
  await using worker = await connectWorker(gateway.url, { progressIntervalMs: 200 });
  // What the group's own worker said of its progress would take the place of what its parts come to.
  await using parent = await connectWorker(gateway.url, { heartbeatMs: 0 });
  const id = `release-${Date.now().toString(36)}`;
  print(`Watch: ${gateway.url}/#/task/${id}\n  or:  deno task cli watch ${id}\n`);
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => stop.abort());
  const { parts } = await group({ worker, parent, publisher }, { id, lengthMs: MINUTE, signal: stop.signal });
  print(`${parts} parts are done; the gateway goes on until Ctrl-C\n`);
  if (gateway.startedHere && !stop.signal.aborted) {
    await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
  }
}

/** Those of {@link PLUGINS} that the gateway does not have, as far as it tells everybody. */
async function missingPlugins(url: string): Promise<readonly string[]> {
  const answer = await fetch(`${url}/api/plugins`);
  if (!answer.ok) {
    await answer.body?.cancel();
    return [];
  }
  const { plugins }: { readonly plugins: readonly { readonly name: string; readonly enabled: boolean }[] } =
    await answer.json();
  return PLUGINS.filter((name) => !plugins.some((plugin) => plugin.name === name && plugin.enabled));
}

if (import.meta.main) {
  const [which = ""] = Deno.args;
  if (which !== "candles" && which !== "back-test" && which !== "group") {
    print(
      "deno task example candles: 1,000 candles a second\ndeno task example back-test: a strategy\n" +
        "deno task example group: a task with parts, each with a log\n",
    );
    Deno.exit(2);
  }
  await example(which);
  Deno.exit(0);
}
