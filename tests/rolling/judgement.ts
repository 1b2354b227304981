import type { Ended } from "../gateway/gateway_process.ts";
import type { Told } from "../gateway/watcher.ts";
import type { Move, ReturningClient } from "./returning_client.ts";
import { mostInAWindow } from "./windows.ts";
import type { Seen } from "./witness.ts";

/** A gateway's going away, as all who were there saw it. Times are of `performance.now()`, ms. */
export type Drain = {
  readonly gateway: number;
  readonly signalledMs: number;
  readonly endedMs: number;
  readonly ended: Ended;
  readonly drainMs: number;
  /** The connections that it had by its own account, but for the witness. */
  readonly connections: number;
  readonly moves: readonly Move[];
  readonly seen: Seen;
};

/** What is held against a run. */
export type Bounds = {
  /** A client may be back so long after its slot, ms. */
  readonly toleranceMs: number;
  /** The most of a gateway's clients that may come back within one window: a share of them, of a whole client at the least. */
  readonly share: number;
  /**
   * Whether the moments at which they dialled are held to `share`, or the slots that they were told: a machine that has
   * other things to do bunches what comes due.
   */
  readonly spread: "measured" | "told";
};

/** Timers may be due a fraction of this early, and slots are rounded to it, ms. */
const EARLY_MS = 2;

/** How long after its slot each was back, ms. */
export function afterSlot(moves: readonly Move[]): number[] {
  return moves.map(({ toldMs, slotMs, backMs = Infinity }) => backMs - toldMs - slotMs).sort((a, b) => a - b);
}

/** When each opened the connection that it came back on. */
export function dials(moves: readonly Move[]): number[] {
  return moves.map(({ dialledMs = Infinity }) => dialledMs);
}

/** What was wrong with how a gateway went away; empty when nothing was. */
export function faultsOfDrain(drain: Drain, { toleranceMs, share, spread }: Bounds): string[] {
  const { gateway, seen, moves, ended, drainMs, connections } = drain;
  const late = afterSlot(moves);
  const early = moves.filter(({ toldMs, slotMs, dialledMs = 0 }) => dialledMs < toldMs + slotMs - EARLY_MS);
  const most = mostInAWindow(spread === "told" ? moves.map(({ slotMs }) => slotMs) : dials(moves));
  const codes = new Set(moves.flatMap(({ code }) => code === undefined ? [] : [code]));
  codes.delete(1012);
  const takenMs = drain.endedMs - drain.signalledMs;
  const dueMs = drain.signalledMs + seen.slotMs; // its slot began no sooner, and before it heard of it
  const overMs = seen.closedMs - seen.toldMs - seen.slotMs;
  return [
    ...wrong(moves.length !== connections, `${moves.length} of ${connections} clients were told`),
    ...wrong(seen.readyz !== 503, `/readyz was ${seen.readyz} after the drain frame`),
    ...wrong(seen.types.join() !== "drain", `after the drain frame came ${seen.types.slice(1).join()}`),
    ...wrong(seen.code !== 1012, `who stayed was closed with ${seen.code}`),
    ...wrong(seen.closedMs < dueMs, `who stayed was closed ${dueMs - seen.closedMs} ms before its slot`),
    ...wrong(overMs > toleranceMs, `who stayed was closed ${overMs} ms after its slot`),
    ...wrong(codes.size > 0, `connections were closed with ${[...codes]}`),
    ...wrong(early.length > 0, `${early.length} clients came before their slot`),
    ...wrong((late.at(-1) ?? 0) > toleranceMs, `a client was back ${late.at(-1)} ms after its slot`),
    ...wrong(most > Math.ceil(share * moves.length), `${most} of ${moves.length} in one window`),
    ...wrong(ended.code !== 0, `it ended with ${ended.code}`),
    ...wrong(takenMs > drainMs + toleranceMs, `it took ${takenMs} ms to end, of ${drainMs}`),
  ].map((fault) => `gateway ${gateway}: ${fault}`);
}

/** How what clients were told differs from the log. */
export type Differences = {
  readonly lost: number;
  readonly doubled: number;
  readonly invented: number;
  readonly disordered: number;
  /** On the wire, before the client looks whether it told that. */
  readonly repeated: number;
  /** Whatever else: gaps, snapshots, connections that were lost otherwise than by a drain. */
  readonly others: readonly string[];
};

/** What a client was told, and how it fared. */
export type Telling = Pick<ReturningClient, "statuses" | "repeated" | "others" | "losses">;

/** Compares what each client was told with what is in the log. */
export function differences(clients: readonly Telling[], log: readonly Told[]): Differences {
  const all = { lost: 0, doubled: 0, invented: 0, disordered: 0, repeated: 0 };
  const wanted = new Set(log.map(nameOf));
  for (const { statuses, repeated } of clients) {
    const told = new Set(statuses.map(nameOf));
    all.lost += wanted.difference(told).size;
    all.invented += told.difference(wanted).size;
    all.doubled += statuses.length - told.size;
    all.disordered += statuses.filter(({ seq }, i) => seq < (statuses[i - 1]?.seq ?? 0)).length;
    all.repeated += repeated;
  }
  return { ...all, others: clients.flatMap(({ others, losses }) => [...others, ...losses]) };
}

/** What was wrong with what clients were told; empty when nothing was. */
export function faultsOfTelling({ others, ...counts }: Differences): string[] {
  return [
    ...Object.entries(counts).filter(([, count]) => count > 0).map(([what, count]) => `${count} ${what}`),
    ...others.map((other) => `beside status changes: ${other}`),
  ];
}

function nameOf({ seq, taskId, status }: Told): string {
  return `${seq} ${taskId} ${status}`;
}

function wrong(isWrong: boolean, what: string): string[] {
  return isWrong ? [what] : [];
}
