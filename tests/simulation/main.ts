/** `deno task simulate`: see its `--help`. */
import { Command, InvalidArgumentError } from "commander";
import { type Plan, planOf } from "./faults.ts";
import { FOUND } from "./found.ts";
import { findMutants } from "./mutants.ts";
import { shrunk } from "./shrink.ts";
import { type Outcome, simulate } from "./simulation.ts";

/** Between two lines that say how far it is, ms. */
const TOLD_MS = 30_000;

const options = new Command("simulate")
  .description(
    "Workers, a stream, gateways and clients in one time and by one chance, with faults: a seed is a life.",
  )
  .option("--seeds <n>", "how many", whole, 2_000)
  .option("--from <seed>", "the first of them", whole, 1)
  .option("--seed <seed>", "this one alone, with what happens in it", whole)
  .option("--plan <json>", "this very plan, as a failure prints it")
  .option(
    "--mutants",
    "puts known faults into copies of the source, one at a time, and shows which seeds find them",
  )
  .parse()
  .opts<{ seeds: number; from: number; seed?: number; plan?: string; mutants?: true }>();

Deno.exitCode = await run() ? 0 : 1;

async function run(): Promise<boolean> {
  if (options.mutants) return await findMutants(options.seeds, print);
  if (options.plan !== undefined) return await told(JSON.parse(options.plan));
  return options.seed === undefined
    ? await many(options.from, options.seeds)
    : await told(planOf(options.seed));
}

async function many(from: number, count: number): Promise<boolean> {
  const startedMs = performance.now();
  let [toldMs, steps, events] = [startedMs, 0, 0];
  let done = 0;
  for (const plan of plansFrom(from, count)) {
    const outcome = await simulate(plan);
    done++;
    steps += outcome.steps;
    events += outcome.events;
    if (outcome.failure !== undefined) {
      tell(await shrunk(plan, outcome));
      return false;
    }
    if (performance.now() - toldMs < TOLD_MS) continue;
    toldMs = performance.now();
    tellHowFar();
  }
  tellHowFar();
  return true;

  function tellHowFar(): void {
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed();
    print(`${done} lives: ${events} events, ${steps} steps, ${seconds} s, nothing failed`);
  }
}

/** Those of so many seeds; who begins with the first begins with what failed once. */
function* plansFrom(from: number, count: number): Generator<Plan> {
  if (from <= 1) yield* FOUND;
  for (let seed = from; seed < from + count; seed++) yield planOf(seed);
}

async function told(plan: Plan): Promise<boolean> {
  const outcome = await simulate(plan);
  tell({ plan, outcome });
  return outcome.failure === undefined;
}

function tell({ plan, outcome: { trace, failure } }: { plan: Plan; outcome: Outcome }): void {
  for (const line of trace) print(line);
  if (failure === undefined) return print("nothing failed");
  print(failure.stack ?? String(failure));
  print(`The least that fails so: deno task simulate --plan '${JSON.stringify(plan)}'`);
}

function whole(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) {
    throw new InvalidArgumentError("It must be a whole number.");
  }
  return number;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
