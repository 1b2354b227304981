import { assert, assertEquals } from "@std/assert";
import { bars, histogram, mostInAWindow } from "./windows.ts";
import {
  type Bounds,
  differences,
  type Drain,
  faultsOfDrain,
  faultsOfTelling,
  type Telling,
} from "./judgement.ts";
import type { Move } from "./returning_client.ts";

const BOUNDS: Bounds = { toleranceMs: 500, share: 0.1, spread: "measured" };

/** Twenty clients that are sent away, each 100 ms after the one before. */
const MOVES = Array.from({ length: 20 }, (_, i): Move => ({
  toldMs: 1_010,
  slotMs: 100 * i,
  code: 1012,
  dialledMs: 1_010 + 100 * i,
  dials: 1,
  backMs: 1_020 + 100 * i,
}));

const DRAIN: Drain = {
  gateway: 1,
  signalledMs: 1_000,
  endedMs: 3_200,
  ended: { code: 0, stdout: "", stderr: "" },
  drainMs: 15_000,
  connections: MOVES.length,
  moves: MOVES,
  seen: { toldMs: 1_010, slotMs: 50, readyz: 503, closedMs: 1_060, code: 1012, types: ["drain"] },
};

/** What is held against the drain when one of its moves went so. */
function withMove(change: Partial<Move>): string[] {
  const [first, ...rest] = MOVES;
  return first === undefined
    ? []
    : faultsOfDrain({ ...DRAIN, moves: [{ ...first, ...change }, ...rest] }, BOUNDS);
}

Deno.test("a gateway that goes away as it should has no fault, and each that it could have is named", () => {
  assertEquals(faultsOfDrain(DRAIN, BOUNDS), []);
  assertEquals(withMove({ dialledMs: 1_000 }), ["gateway 1: 1 clients came before their slot"]);
  assertEquals(withMove({ backMs: 1_511 }), ["gateway 1: a client was back 501 ms after its slot"]);
  assertEquals(withMove({ backMs: undefined }), ["gateway 1: a client was back Infinity ms after its slot"]);
  assertEquals(withMove({ code: 1006 }), ["gateway 1: connections were closed with 1006"]);
  const crowded = MOVES.map((move, i) => ({ ...move, dialledMs: i < 3 ? 1_300 : move.dialledMs }));
  assertEquals(faultsOfDrain({ ...DRAIN, moves: crowded }, BOUNDS), ["gateway 1: 4 of 20 in one window"]);
  const others: [Partial<Drain>, string][] = [
    [{ connections: 21 }, "20 of 21 clients were told"],
    [{ seen: { ...DRAIN.seen, readyz: 200 } }, "/readyz was 200 after the drain frame"],
    [{ seen: { ...DRAIN.seen, types: ["drain", "pong"] } }, "after the drain frame came pong"],
    [{ seen: { ...DRAIN.seen, code: 1006 } }, "who stayed was closed with 1006"],
    [{ seen: { ...DRAIN.seen, closedMs: 1_049 } }, "who stayed was closed 1 ms before its slot"],
    [{ seen: { ...DRAIN.seen, closedMs: 1_561 } }, "who stayed was closed 501 ms after its slot"],
    [{ ended: { ...DRAIN.ended, code: 1 } }, "it ended with 1"],
    [{ endedMs: 16_501 }, "it took 15501 ms to end, of 15000"],
  ];
  for (const [change, fault] of others) {
    assertEquals(faultsOfDrain({ ...DRAIN, ...change }, BOUNDS), [`gateway 1: ${fault}`]);
  }
});

Deno.test("reconnects are counted by windows, and the fullest one wherever it begins", () => {
  assertEquals(mostInAWindow([250, 0, 90, 180, 100]), 3);
  assertEquals(mostInAWindow([]), 0);
  assertEquals(histogram([10, 110, 119, 310], 10), [1, 2, 0, 1]);
  assertEquals(bars([1, 2, 0, 1]), "▄█ ▄");
});

Deno.test("what a client was told is held against the log, change by change", () => {
  const log = ["pending", "running", "completed"].map((status, i) => ({
    seq: 3 * i + 1,
    taskId: "a",
    status,
  }));
  const [first, second, third] = log;
  assert(first !== undefined && second !== undefined && third !== undefined);
  const faults = (statuses: Telling["statuses"], rest: Partial<Telling> = {}): string[] =>
    faultsOfTelling(differences([{ statuses, repeated: 0, others: [], losses: [], ...rest }], log));
  assertEquals(faults(log), []);
  assertEquals(faults([first, third]), ["1 lost"]);
  assertEquals(faults([first, second, second, third]), ["1 doubled"]);
  assertEquals(faults([second, first, third]), ["1 disordered"]);
  assertEquals(faults([...log, { ...third, status: "failed" }]), ["1 invented"]);
  assertEquals(faults(log, { repeated: 2, others: ["gap"], losses: ["1006 "] }), [
    "2 repeated",
    "beside status changes: gap",
    "beside status changes: 1006 ",
  ]);
});
