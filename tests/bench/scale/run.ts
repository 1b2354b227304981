import type { Bench } from "../bench.ts";
import { monotonicMs } from "../libc.ts";
import { connectionCurves } from "./connections.ts";
import { type Curve, tableOf } from "./curve.ts";
import { eventCurves } from "./events.ts";
import { taskCurves } from "./tasks.ts";

const SCALE = new URL("../SCALE.md", import.meta.url);

/** Measures what grows with connections, tasks and events, and fits a line to each. A whole run writes `SCALE.md`. */
export async function scale(bench: Bench, machine: readonly string[]): Promise<void> {
  const before = Deno.loadavg()[0];
  const curves: Curve[] = [];
  const startMs = monotonicMs();
  const parts = { connections: connectionCurves, tasks: taskCurves, events: eventCurves };
  for (const [name, measure] of Object.entries(parts)) {
    bench.say(`\n${name}`);
    const measured = await measure(bench);
    curves.push(...measured);
    bench.say(`\n${tableOf(measured)}`);
  }
  const seconds = (monotonicMs() - startMs) / 1_000;
  bench.say(`\n${seconds.toFixed(0)} s`);
  if (!bench.quick) {
    // Who else was at work is in the numbers too.
    const load = `Load of the machine: ${before?.toFixed(1)} at the beginning, ${
      Deno.loadavg()[0]?.toFixed(1)
    } at the end`;
    await Deno.writeTextFile(SCALE, document(curves, [...machine, load]));
  }
}

/** The whole of `SCALE.md`. Pure. */
function document(curves: readonly Curve[], machine: readonly string[]): string {
  return `# Results of \`deno task bench --scale\`

Written by the command itself. The gateway has core 0 to itself; worker, receiver and nats-server share core 1. Each row is a
curve: what was measured at each point, and the straight line of least squares through them. Memory is the resident size after
the garbage was collected.

${machine.map((line) => `- ${line}`).join("\n")}

${tableOf(curves)}
`;
}
