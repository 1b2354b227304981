/** `deno task soak`: see its `--help`. */
import { Command, InvalidArgumentError, Option } from "commander";
import { picture, report } from "./report.ts";
import { LOGS, soak } from "./soak.ts";

const MINUTE_MS = 60_000;
const MB = 1_048_576;

const options = new Command("soak")
  .description(
    "A gateway under clients and workers that come and go, with faults: whether it holds more and more, and everybody " +
      "knows in the end what the log says. Exits with 1 where not.",
  )
  .option("--minutes <n>", "for how long", number, 30)
  .addOption(new Option("--log <log>", "the log that it is on").choices(LOGS).default("nats"))
  .option("--seed <n>", "the chance by which all comes and goes", number, 1)
  .option("--visitors <n>", "clients at a time", number, 30)
  .option("--tasks <n>", "tasks begun a second", number, 25)
  .option("--out <file>", "where the plot goes", "soak.svg")
  .option("--leak <mb>", "makes the gateway leak so many MB an hour, which has to be found", number)
  .option("--snapshots <folder>", "takes snapshots of the heap, one when it is warm and one at the end")
  .parse()
  .opts<{
    minutes: number;
    log: (typeof LOGS)[number];
    seed: number;
    visitors: number;
    tasks: number;
    out: string;
    leak?: number;
    snapshots?: string;
  }>();

const { minutes, log, seed, visitors, tasks, out, leak, snapshots } = options;
const soaked = await soak({
  durationMs: minutes * MINUTE_MS,
  log,
  seed,
  visitors,
  tasksPerSecond: tasks,
  ...(leak === undefined ? {} : { leak: leak * MB / 3_600 }),
  ...(snapshots === undefined ? {} : { snapshots }),
  tell: print,
});
await Deno.writeTextFile(out, picture(soaked));
print(report(soaked));
print(`The plot is in ${out}`);
Deno.exit(soaked.findings.every(({ isGood }) => isGood) ? 0 : 1);

function number(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("It must be a number above 0.");
  return value;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
