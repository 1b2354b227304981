import { planOf } from "./faults.ts";
import { simulate } from "./simulation.ts";
import { shrunk } from "./shrink.ts";
const from = Number(Deno.args[0] ?? 1), n = Number(Deno.args[1] ?? 20);
const t0 = performance.now();
let steps = 0, events = 0, failed = 0;
for (let s = from; s < from + n; s++) {
  const o = await simulate(planOf(s));
  steps += o.steps;
  events += o.events;
  if (o.failure) {
    failed++;
    console.log("SEED", s, o.failure.message.slice(0, 300));
    const b = await shrunk(planOf(s), o);
    const { happenings, ...rest } = b.plan;
    console.log("   ", JSON.stringify(rest), b.outcome.failure?.message.slice(0, 900));
    console.log("      " + b.outcome.trace.join("\n      "));
  }
}
console.log({ n, failed, steps, events, ms: performance.now() - t0 });
