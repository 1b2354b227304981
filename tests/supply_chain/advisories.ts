/**
 * The packages of deno.lock against the registry's advisories. Findings end it with 1; a registry that cannot be asked ends
 * it with 0 (`--ignore-registry-errors`): then nothing is known, which is no finding.
 */
export const AUDIT = ["audit", "--level=high", "--ignore-registry-errors"] as const;

/** How `deno audit` ended, and what it said. */
export type Audit = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** What that means; `says` is one line, or, of findings, all of them. */
export type Verdict = {
  /**
   * `unasked`: no name, no connection, no trust in the certificate, an HTTP status but 200, a proxy's page, or no answer in
   * time.
   */
  readonly kind: "clean" | "found" | "unasked";
  readonly says: string;
};

/** How Deno ends a list, of none too. Where it is missing nobody answered, or what answered was no list of advisories. */
const ENDED = /\bvulnerabilities\b/;

/** The most that a registry may take before it counts as out of reach, ms. */
const MOST_MS = 60_000;

/** Whether there are advisories. Pure. */
export function judged({ code, stdout, stderr }: Audit): Verdict {
  if (code !== 0) return { kind: "found", says: `${stdout}${stderr}`.trim() };
  if (ENDED.test(stdout)) return { kind: "clean", says: stdout.trim().split("\n").join("; ") };
  const [why = ""] = stderr.trim().split("\n");
  return { kind: "unasked", says: `Passed over: ${why}` };
}

/** Runs {@link AUDIT} here; `started` gets the process, so that it can be told to end. */
export async function audited(
  { env = {}, cwd, started = () => {}, withinMs = MOST_MS }: {
    env?: Readonly<Record<string, string>>;
    cwd: URL;
    started?: (child: Deno.ChildProcess) => void;
    withinMs?: number;
  },
): Promise<Verdict> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...AUDIT],
    env: { NO_COLOR: "1", ...env },
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  started(child);
  let isLate = false;
  const deadline = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, withinMs);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(deadline);
  if (isLate) {
    return { kind: "unasked", says: `Passed over: no answer from the registry within ${withinMs / 1000} s` };
  }
  const decoder = new TextDecoder();
  return judged({ code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) });
}
