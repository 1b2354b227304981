/** `deno task fuzz [--minutes N] [--seed N]`: gives all there is that takes input such as nobody expects. */
import { parseArgs } from "node:util";
import { fuzz } from "./run.ts";

const encoder = new TextEncoder();

function print(line: string): void {
  Deno.stdout.writeSync(encoder.encode(`${line}\n`));
}

const { values } = parseArgs({
  args: [...Deno.args],
  options: {
    minutes: { type: "string", default: "30" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
  print("deno task fuzz [--minutes N] [--seed N]");
  Deno.exit(2);
}
print(`${minutes} minutes from seed ${seed}`);
const { inputs, findings } = await fuzz({ seconds: minutes * 60, seed, tell: print });
for (const [name, count] of Object.entries(inputs)) print(`${String(count).padStart(10)} ${name}`);
for (const { target, what } of findings) print(`\nFOUND, ${target}: ${what}`);
print(`\n${findings.length} findings`);
Deno.exit(findings.length === 0 ? 0 : 1);
