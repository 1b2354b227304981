/**
 * `deno task faults`: causes each fault on real parts, with clients watching, and prints what was lost and doubled, and how
 * long it took until frames came again. `--only <words>` picks some of them.
 */
import { parseArgs } from "node:util";
import { runToItsEnd } from "../gateway/gateway_process.ts";
import { change, DAMAGES, DAMAGES_AHEAD, filesOf, killed, made } from "../log/damaged_log.ts";
import type { Fault } from "./fault.ts";
import { FAULTS } from "./faults.ts";
import { type Survival, survival } from "./survival.ts";
import { inWorld, type LogName } from "./world.ts";

/** Events before a fault, and after it: a second and a half of them. */
const EVENTS = 300;

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** Causes one fault in a world of its own; whether all came through. */
async function tried(log: LogName, fault: Fault): Promise<boolean> {
  const name = `${log}: ${fault.name}`;
  if (fault.impossible !== undefined) {
    print(row(name, "-", "-", "-", "-", `NOT TRIED: ${fault.impossible}`));
    return true;
  }
  try {
    const { lost, doubled, backMs, closed, says, wrong }: Survival = await inWorld(
      log,
      (world) => survival(world, fault, EVENTS),
    );
    const back = `${(backMs / 1_000).toFixed(1)} s`;
    const isWell = lost + doubled + wrong.length === 0;
    print(row(name, lost, doubled, back, closed, isWell ? says : `WRONG: ${wrong.join("; ")}`));
    return isWell;
  } catch (error) {
    print(row(name, "?", "?", "-", "-", `FAILED: ${error instanceof Error ? error.message : error}`));
    return false;
  }
}

function row(name: string, ...[lost, doubled, back, closed, says]: readonly (string | number)[]): string {
  const numbers = [
    `${lost}`.padStart(5),
    `${doubled}`.padStart(8),
    `${back}`.padStart(8),
    `${closed}`.padStart(7),
  ];
  return `${name.padEnd(84)}${numbers.join("")}  ${says}`;
}

/** Starts a gateway on a log that is damaged; whether it refused, said what to do, and left the files as they were. */
async function refused(what: string, prepare: (dataDir: string) => Promise<void>): Promise<boolean> {
  const dataDir = await Deno.makeTempDir({ prefix: "taskwire-damage-" });
  try {
    await prepare(dataDir);
    const before = JSON.stringify(await filesOf(dataDir));
    const { code, stderr } = await runToItsEnd({}, dataDir);
    const isSame = JSON.stringify(await filesOf(dataDir)) === before;
    const isTold = stderr.includes("restore it from a backup, or move it away") &&
      !stderr.includes("    at ");
    const isWell = code === 1 && isTold && isSame;
    print(row(damaged(what), isSame ? 0 : "?", 0, "-", "-", isWell ? REFUSED : `WRONG: ${code} ${stderr}`));
    return isWell;
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

const REFUSED = "the gateway ends with 1 and says what to do; the files are as they were";

function damaged(what: string): string {
  return `the embedded log's file: ${what}`;
}

/** Every log that is damaged, and how it comes to be so. */
function* damagedLogs(): Generator<readonly [what: string, prepare: (dataDir: string) => Promise<void>]> {
  for (const [what, damage] of Object.entries(DAMAGES)) {
    yield [what, async (dataDir) => {
      await made(dataDir);
      await change(`${dataDir}/log.sqlite`, damage);
    }];
  }
  for (const [what, [file, damage]] of Object.entries(DAMAGES_AHEAD)) {
    yield [what, async (dataDir) => {
      await killed(dataDir);
      await change(`${dataDir}/log.sqlite${file}`, damage);
    }];
  }
}

async function main(only: string): Promise<number> {
  print(row("fault", "lost", "doubled", "back in", "closes", "meanwhile"));
  let failed = 0;
  for (const [log, faults] of FAULTS) {
    for (const fault of faults) {
      if (`${log}: ${fault.name}`.includes(only) && !await tried(log, fault)) failed++;
    }
  }
  for (const [what, prepare] of damagedLogs()) {
    if (damaged(what).includes(only) && !await refused(what, prepare)) failed++;
  }
  print(failed === 0 ? "All came through." : `${failed} did not come through.`);
  return failed === 0 ? 0 : 1;
}

const { values: { only } } = parseArgs({
  args: Deno.args,
  options: { only: { type: "string", default: "" } },
});
Deno.exit(await main(only));
