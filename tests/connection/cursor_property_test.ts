import fc from "fast-check";
import type { ProjectionBounds } from "../../src/projection/projection.ts";
import { live, steps } from "./lives.ts";
import type { Circumstances } from "./witness.ts";

const ROOMY = { maxTasks: 100, tail: { maxEvents: 1_000, maxBytes: 1e9 } };
const SHORT_TAIL = { maxTasks: 100, tail: { maxEvents: 2, maxBytes: 1e9 } };
const NO_TAIL = { maxTasks: 100, tail: { maxEvents: 0, maxBytes: 0 } };
const TINY = { maxTasks: 2, tail: { maxEvents: 3, maxBytes: 1e9 } };

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
  about: { pagesFromLog: false, evicts: false, forgets: false },
  numRuns: 300,
});
property("so it is where the past is read from the log", {
  bounds: SHORT_TAIL,
  about: { pagesFromLog: true, evicts: false, forgets: false },
  numRuns: 300,
});
property("so it is where nothing at all is kept in memory but the tasks", {
  bounds: NO_TAIL,
  about: { pagesFromLog: true, evicts: false, forgets: false },
  numRuns: 200,
});
property("so it is where tasks leave memory and come back", {
  bounds: TINY,
  about: { pagesFromLog: true, evicts: true, forgets: false },
  numRuns: 300,
});
property("what retention took is told as a gap, and nothing else is missing", {
  bounds: SHORT_TAIL,
  about: { pagesFromLog: true, evicts: false, forgets: true },
  retains: true,
  numRuns: 300,
});
