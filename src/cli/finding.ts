import { duration } from "./task_text.ts";

/** What a check came to. `mend`: what to do about it, in one sentence. */
export type Finding =
  & { readonly check: string; readonly says: string }
  & (
    | { readonly verdict: "ok" | "note" }
    | { readonly verdict: "wrong"; readonly mend: string }
  );

const SYMBOLS = { ok: "✓", note: "·", wrong: "✗" } as const;

/** A finding in a line, and one more where something is to be mended. Pure. */
export function printed(finding: Finding): string {
  const line = `${SYMBOLS[finding.verdict]} ${finding.check.padEnd(12)} ${finding.says}`;
  return finding.verdict === "wrong" ? `${line}\n  ${"".padEnd(12)} → ${finding.mend}` : line;
}

/** More than this apart, two clocks make times that people compare look wrong, ms. */
const MOST_SKEW_MS = 2_000;

/**
 * How a clock of `whose` stands to ours: `theirMs` was read between `sentMs` and `answeredMs` of ours and is exact to
 * `gritMs`. Pure.
 */
export function skewFinding(
  whose: string,
  theirMs: number,
  { sentMs, answeredMs, gritMs }: {
    readonly sentMs: number;
    readonly answeredMs: number;
    readonly gritMs: number;
  },
): Finding {
  const check = "clock";
  // What the way there and back, and the clock's own grit, may account for is no skew.
  const ahead = theirMs - answeredMs;
  const behind = sentMs - (theirMs + gritMs);
  const skewMs = Math.max(0, ahead, behind);
  if (skewMs <= MOST_SKEW_MS) return { check, verdict: "ok", says: `that of ${whose} goes as ours` };
  return {
    check,
    verdict: "wrong",
    says: `that of ${whose} is ${duration(skewMs)} ${ahead > 0 ? "ahead of" : "behind"} ours`,
    mend:
      "set both clocks by a time service (chrony, systemd-timesyncd): rates, ages and times of events depend on them",
  };
}
