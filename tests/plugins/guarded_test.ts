import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { GivenUpError, Guarded } from "../../src/plugins/guarded.ts";

/** Time that passes when it is told to. */
class Hands {
  #nowMs = 0;
  readonly #later: (() => void)[] = [];

  elapsed(): number {
    return this.#nowMs;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }

  after(delayMs: number, run: () => void): () => void {
    if (delayMs === 0) this.#later.push(run);
    return () => {};
  }

  /** Runs what was put off to the next turn. */
  turn(): void {
    for (const run of this.#later.splice(0)) run();
  }
}

const BUDGET = { turnMs: 100, answerMs: 5_000, failures: 20 };

Deno.test("a turn that blocks counts once, and once more for each second of it", async () => {
  for (
    const [ms, turns] of [[100, undefined], [150, 20], [999, 20], [2_000, 7], [4_000, 4], [9_000, 2]] as const
  ) {
    const hands = new Hands();
    let told = 0;
    const guarded = new Guarded(hands, BUDGET, () => told++);
    let blocked = 0;
    while (told === 0 && blocked < 30) {
      blocked++;
      await guarded.call(() => hands.pass(ms));
    }
    assertEquals(told === 0 ? undefined : blocked, turns, `turns of ${ms} ms`);
    assertEquals(guarded.counts, { calls: blocked, failed: 0, overdue: turns === undefined ? 0 : blocked });
  }
});

Deno.test("who fails too often within a turn of another is asked no more, and given up in a turn of its own", async () => {
  const hands = new Hands();
  const why: string[] = [];
  const guarded = new Guarded(hands, BUDGET, (one) => why.push(one));
  const fail = (): never => {
    throw new Error("always");
  };
  const failOften = (): void => {
    for (let i = 0; i < 20; i++) assertThrows(() => guarded.turn(fail), Error, "always");
  };
  failOften();
  assertThrows(() => guarded.turn(() => 1), GivenUpError);
  assertEquals([why.length, guarded.counts.failed], [0, 20]);
  hands.turn();
  assertEquals(why, ["20 failures within a minute, the last: always"]);
  guarded.forget();
  assertEquals(guarded.turn(() => 1), 1);
  failOften();
  guarded.forget();
  hands.turn();
  assertEquals(why.length, 1, "who enabled it anew meanwhile meant it");
  for (let i = 0; i < 20; i++) await assertRejects(() => guarded.call(fail), Error, "always");
  assertEquals(why.length, 2, "a call of its own is nobody else's turn");
});
