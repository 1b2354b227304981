import { assertEquals } from "@std/assert";
import { planOf } from "./faults.ts";
import { FOUND } from "./found.ts";
import { shrunk } from "./shrink.ts";
import { simulate } from "./simulation.ts";

/** How many, and the first of them; `SEEDS` and `SEEDS_FROM` say otherwise. */
const SEEDS = Number(Deno.env.get("SEEDS") ?? 2_000);
const FROM = Number(Deno.env.get("SEEDS_FROM") ?? 1);

Deno.test("whatever goes wrong, nothing that was acknowledged is lost, and everybody ends with what the log says", async () => {
  for (let seed = FROM; seed < FROM + SEEDS; seed++) {
    const plan = planOf(seed);
    const outcome = await simulate(plan);
    if (outcome.failure === undefined) continue;
    const least = await shrunk(plan, outcome);
    throw new Error(`deno task simulate --plan '${JSON.stringify(least.plan)}'`, {
      cause: least.outcome.failure,
    });
  }
});

Deno.test("what failed once does so no more", async () => {
  for (const plan of FOUND) assertEquals((await simulate(plan)).failure, undefined);
});

Deno.test("a plan comes to the same, step by step, however often it is run", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const [once, again] = [await simulate(planOf(seed)), await simulate(planOf(seed))];
    assertEquals(again, once);
  }
});
