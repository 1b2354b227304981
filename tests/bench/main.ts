/**
 * Measures the gateway against its peers and against the machine's floor, scenario by scenario, and writes
 * `RESULTS.md`: `deno task bench [--quick] [--only A,C] [--alternations 5]`. Either of the first two, or fewer
 * alternations than five, make it a try that writes nothing. `--again A,C` measures those anew and writes their rows. With `BENCH_PROFILES=folder` the gateway's CPU profiles
 * are written there. `--scale` measures in place of that how costs grow, and writes `SCALE.md`: some seven minutes.
 */
import { natsServerBinary } from "../nats_server_binary.ts";
import { Bench, LOAD_CORE } from "./bench.ts";
import { monotonicMs } from "./libc.ts";
import { machine } from "./machine.ts";
import { document, renewed, type Result, table } from "./results.ts";
import { scale } from "./scale/run.ts";
import { Measured, type Measures, type Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/all.ts";

const RESULTS = new URL("RESULTS.md", import.meta.url);
/** A median of fewer says too little to be written down. */
const ALTERNATIONS = 5;
const USAGE = "--quick, --only A,C, --again A,C, --alternations 5 and --scale";
/** The characters of a failure that are shown. */
const MOST_WHY = 200;
const EXIT_INTERRUPTED = 130;

let interrupted = false;

type Options = {
  readonly quick: boolean;
  readonly scenarios: readonly Scenario[];
  readonly alternations: number;
  /** Whether their rows are written in the place of those of a whole run. */
  readonly again: boolean;
  /** Whether it is measured how costs grow, in place of the scenarios. */
  readonly scale: boolean;
};

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** Reads the arguments; a sentence where they cannot be understood. */
function optionsOf(args: readonly string[]): Options | string {
  let names: readonly string[] | undefined;
  let quick = false;
  let scale = false;
  let again = false;
  let alternations: number | undefined;
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--quick") quick = true;
    else if (args[i] === "--scale") scale = true;
    else if (args[i] === "--only" || args[i] === "--again") {
      again = args[i] === "--again";
      names = (args[++i] ?? "").split(",");
    } else if (args[i] === "--alternations") alternations = Number(args[++i]);
    else return `${args[i]} is not understood: there are ${USAGE}`;
  }
  const known = SCENARIOS.map(({ name }) => name);
  const unknown = names?.find((name) => !known.includes(name));
  if (unknown !== undefined) return `There is no scenario ${unknown}; there are ${known.join(", ")}`;
  alternations ??= quick ? 1 : ALTERNATIONS;
  if (!Number.isInteger(alternations) || alternations < 1) {
    return "--alternations takes a whole number from 1 on";
  }
  const scenarios = SCENARIOS.filter(({ name }) => names?.includes(name) ?? true);
  return { quick, scenarios, alternations, again, scale };
}

/** Moves us to the load's core, and with us everything that we start and do not pin elsewhere. */
async function pinned(): Promise<void> {
  const args = ["-a", "-c", "-p", String(LOAD_CORE), String(Deno.pid)];
  const { success } = await new Deno.Command("taskset", { args, stdout: "null", stderr: "null" }).output();
  if (!success) throw new Error("The benchmark needs Linux, two cores and taskset (util-linux)");
}

/** Where every temporary file of the run lies, ours and our children's. */
async function scratchFolder(): Promise<AsyncDisposable> {
  // Found before, because a downloaded one is kept where temporary files are.
  Deno.env.set("NATS_SERVER", await natsServerBinary());
  const path = await Deno.makeTempDir({ prefix: "taskwire-bench-" });
  Deno.env.set("TMPDIR", path);
  return { [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Whoever stops us finds no process and no file of ours afterwards. */
function stopOnSignals(scratch: AsyncDisposable): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      interrupted = true;
      // What everything that we started listens for, to be killed with us.
      globalThis.dispatchEvent(new Event("unload"));
      const end = () => Deno.exit(EXIT_INTERRUPTED);
      // Dying takes them a moment in which they may still write.
      setTimeout(() => scratch[Symbol.asyncDispose]().then(end, end), 300);
    });
  }
}

/** Runs a scenario. One that fails is a row of its own, and does not take the others along. */
async function run(scenario: Scenario, bench: Bench, alternations: number): Promise<Result> {
  print(`\n${scenario.name} ${scenario.title}`);
  try {
    return { scenario, rows: scenario.rows(await measured(scenario, bench, alternations)) };
  } catch (error) {
    if (interrupted) throw error;
    // A cell of a table is one line, and not a long one.
    const why = String(error instanceof Error ? error.message : error).replace(/\s+/g, " ");
    const what = `did not get through: ${why.slice(0, MOST_WHY)}`;
    return { scenario, rows: [{ what, ours: "", peers: "", floor: "", ratio: "", target: "", met: false }] };
  }
}

async function measured(scenario: Scenario, bench: Bench, alternations: number): Promise<Measured> {
  const turns: Record<string, Measures>[] = [];
  for (let turn = 1; turn <= alternations; turn++) {
    const measures: Record<string, Measures> = {};
    turns.push(measures);
    for (const [name, contender] of Object.entries(scenario.contenders)) {
      measures[name] = await contender(bench, measures);
      const shown = Object.entries(measures[name]).map(([what, value]) =>
        `${what} ${Number(value.toPrecision(4))}`
      );
      print(`  ${turn}. ${name}: ${shown.join(", ")}`);
    }
  }
  return new Measured(turns);
}

async function main(args: readonly string[]): Promise<number> {
  const options = optionsOf(args);
  if (typeof options === "string") {
    print(options);
    return 2;
  }
  await pinned();
  const { quick, scenarios, alternations, again } = options;
  const about = await machine();
  for (const line of about) print(line);
  await using scratch = await scratchFolder();
  stopOnSignals(scratch);
  await using bench = new Bench({ quick, say: print });
  if (options.scale) {
    await scale(bench, about);
    return 0;
  }
  const results: Result[] = [];
  for (const scenario of scenarios) {
    const startMs = monotonicMs();
    results.push(await run(scenario, bench, alternations));
    print(`\n${table(results.slice(-1))}\n${((monotonicMs() - startMs) / 1_000).toFixed(0)} s`);
  }
  print(`\n${table(results)}`);
  const whole = !quick && scenarios.length === SCENARIOS.length && alternations >= ALTERNATIONS;
  if (again && !quick && alternations >= ALTERNATIONS) {
    const when = about.at(-1) ?? "";
    await Deno.writeTextFile(RESULTS, renewed(await Deno.readTextFile(RESULTS), results, when));
  }
  if (whole) await Deno.writeTextFile(RESULTS, document(results, about, alternations));
  return results.some(({ rows }) => rows.some(({ met }) => met === false)) ? 1 : 0;
}

const code = await main(Deno.args).catch((error: unknown) => {
  // Who stops us also ends what we were waiting for.
  if (interrupted) return EXIT_INTERRUPTED;
  throw error;
});
Deno.exit(code);
