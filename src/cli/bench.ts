import { type Command, Option } from "commander";
import { durationMs, whole } from "./arguments.ts";
import { type Measured, measured, type Spread } from "./bench_run.ts";
import { EXIT } from "./exit_codes.ts";
import { clientOf, gatewayOf, type GatewayOptions, opened } from "./gateway.ts";
import { withGatewayOptions } from "./gateway_command.ts";
import { stopped, type World } from "./world.ts";

type BenchOptions = GatewayOptions & { readonly for: number; readonly tasks: number };

const FOR_MS = 5_000;
const TASKS = 10;

/** `bench`. */
export function benchCommand(program: Command, world: World): void {
  withGatewayOptions(program.command("bench"))
    .description(
      "Measure the gateway from here: how long an event takes to be a frame, and how many it appends a second. It " +
        "writes to the log: events of tasks of its own, which carry the tag bench and are ended",
    )
    .addOption(new Option("--for <duration>", "how long").argParser(durationMs).default(FOR_MS, "5s"))
    .option("--tasks <n>", "of how many tasks events are appended at once, 1 to 1000", whole(1, 1_000), TASKS)
    .action(async (options: BenchOptions) => {
      world.finish(await bench(options, world));
    });
}

async function bench(options: BenchOptions, world: World): Promise<number> {
  const gateway = gatewayOf(options, world.env);
  const signal = world.stopSignal();
  const client = clientOf(gateway);
  try {
    await opened(client, gateway);
    const answer = await measured(gateway, client, { forMs: options.for, tasks: options.tasks, signal });
    if (answer === undefined) return await stopped(signal);
    world.out.write(options.json ? `${JSON.stringify(answer)}\n` : described(answer));
    return EXIT.done;
  } finally {
    client.close();
  }
}

function described({ latency, appends }: Measured): string {
  const [rate, events] = [appends.per_second, appends.events].map((value) => value.toLocaleString("en"));
  return `latency  from append to frame: ${spread(latency.frame_ms)}; to the answer: ${
    spread(latency.answer_ms)
  } ` +
    `(${latency.events} events, one at a time)\n` +
    `appends  ${rate} events/s (${events} events of ${appends.tasks} tasks, ${appends.batch} a request); ` +
    `to the answer: ${spread(appends.answer_ms)}\n`;
}

function spread({ p50, p99 }: Spread): string {
  return `p50 ${p50} ms, p99 ${p99} ms`;
}
