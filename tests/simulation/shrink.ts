import type { Happening, Plan } from "./faults.ts";
import { type Outcome, simulate } from "./simulation.ts";

/** The least of a plan that still fails, and how: happenings are left out, many at once at first, while it does. */
export async function shrunk(plan: Plan, failed: Outcome): Promise<{ plan: Plan; outcome: Outcome }> {
  let best = { plan, outcome: failed };
  for (let size = Math.ceil(plan.happenings.length / 2); size >= 1;) {
    const before = best.plan.happenings.length;
    for (let start = 0; start < best.plan.happenings.length;) {
      const happenings = without(best.plan.happenings, start, size);
      const fewer = { ...best.plan, happenings };
      const outcome = await simulate(fewer);
      if (outcome.failure === undefined) start += size;
      else best = { plan: fewer, outcome };
    }
    const isDone = size === 1 && best.plan.happenings.length === before;
    if (isDone) break;
    size = Math.max(1, Math.floor(size / 2));
  }
  return best;
}

function without(all: readonly Happening[], start: number, count: number): readonly Happening[] {
  return [...all.slice(0, start), ...all.slice(start + count)];
}
