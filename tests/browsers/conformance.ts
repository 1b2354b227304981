import { CHECKS } from "./checks.ts";
import { type Surroundings, Trial } from "./trial.ts";

/** What a check came to: no `problem` where all was well. */
export type Outcome = { readonly name: string; readonly problem?: string; readonly ms: number };

/** The most that a check may take, ms: some of them start a gateway. */
const CHECK_MS = 60_000;

/** Runs every check, one after the other, and tells of each. */
export async function runChecks(
  surroundings: Surroundings,
  tell: (outcome: Outcome) => void = () => {},
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [name, check] of CHECKS) {
    const startedMs = Date.now();
    const trial = new Trial(surroundings);
    const problem = await soon(check(trial).then(() => undefined, said));
    trial.close();
    const outcome = { name, ...(problem === undefined ? {} : { problem }), ms: Date.now() - startedMs };
    outcomes.push(outcome);
    tell(outcome);
  }
  return outcomes;
}

function said(error: unknown): string {
  return error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : String(error);
}

/** What a check came to, or that it is not over in time. */
function soon(problem: Promise<string | undefined>): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(`not over within ${CHECK_MS} ms`), CHECK_MS);
    void problem.then((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}
