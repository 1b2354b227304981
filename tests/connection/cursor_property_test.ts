import fc from "fast-check";
import type { ProjectionBounds } from "../../src/projection/projection.ts";
import { boundsOf } from "../projection/bounds.ts";
import { live, steps } from "./lives.ts";
import type { Circumstances } from "./witness.ts";

const ROOMY = boundsOf();
const SHORT_TAIL = boundsOf({ maxEvents: 2 });
const NO_TAIL = boundsOf({ maxEvents: 0, whereaboutsBytes: 600 });
const TINY = boundsOf({ maxTasks: 2, maxEvents: 3 });

function property(
  sentence: string,
  about: {
    readonly bounds: ProjectionBounds;
    readonly about: Circumstances;
    readonly retains?: boolean;
    readonly numRuns: number;
  },
): void {
  Deno.test({
    name: sentence,
    sanitizeOps: true,
    sanitizeResources: true,
    async fn() {
      const { numRuns, retains = false, ...rest } = about;
      const scale = Number(Deno.env.get("RUNS") ?? 1);
      await fc.assert(fc.asyncProperty(steps, (steps) => live({ steps, retains, ...rest })), {
        numRuns: numRuns * scale,
        endOnFailure: false,
      });
    },
  });
}

property("whatever happens, a connection misses nothing, is told nothing twice, and ends up to date", {
  bounds: ROOMY,
  about: { pagesFromLog: false, evicts: false, restarts: false, forgets: false },
  numRuns: 300,
});
property("so it is where the past is read from the log", {
  bounds: SHORT_TAIL,
  about: { pagesFromLog: true, evicts: false, restarts: false, forgets: false },
  numRuns: 300,
});
property("so it is where nothing at all is kept in memory but the tasks", {
  bounds: NO_TAIL,
  about: { pagesFromLog: true, evicts: false, restarts: false, forgets: false },
  numRuns: 200,
});
property("so it is where tasks leave memory and come back", {
  bounds: TINY,
  about: { pagesFromLog: true, evicts: true, restarts: true, forgets: false },
  numRuns: 300,
});
property("what retention took is told as a gap, and nothing else is missing", {
  bounds: SHORT_TAIL,
  about: { pagesFromLog: true, evicts: false, restarts: false, forgets: true },
  retains: true,
  numRuns: 300,
});
property("a gateway that dies and comes back serves its clients as if it had been there", {
  bounds: ROOMY,
  about: { pagesFromLog: true, evicts: false, restarts: true, forgets: false },
  numRuns: 300,
});
