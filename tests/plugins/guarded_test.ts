import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { LogError } from "../../src/log/event_log.ts";
import { GivenUpError, Guarded, OverdueError } from "../../src/plugins/guarded.ts";

/** Time that passes when it is told to. */
class Hands {
  #nowMs = 0;
  #later: { readonly delayMs: number; readonly run: () => void }[] = [];

  elapsed(): number {
    return this.#nowMs;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }

  after(delayMs: number, run: () => void): () => void {
    const later = { delayMs, run };
    this.#later.push(later);
    return () => this.#later = this.#later.filter((one) => one !== later);
  }

  /** Runs what was put off to the next turn, or for so long. */
  turn(delayMs = 0): void {
    for (const { run } of this.#later.filter((one) => one.delayMs === delayMs)) run();
    this.#later = this.#later.filter((one) => one.delayMs !== delayMs);
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

Deno.test("what the log fails with is no failure of who asked it, and the time that it takes is not theirs", async () => {
  const hands = new Hands();
  let told = 0;
  const guarded = new Guarded(hands, BUDGET, () => told++);
  const away = new LogError("unreachable", "NATS is out of reach");
  for (const error of [away, new Error("cannot tell", { cause: away })]) {
    for (let i = 0; i < 30; i++) {
      await assertRejects(() => guarded.call(() => guarded.lent(() => Promise.reject(error))), Error);
    }
  }
  /** A call that is overdue after it waited for the log for so long, and is that still where it `waits`. */
  const overdue = async (ms: number, waits: boolean): Promise<unknown> => {
    const never = Promise.withResolvers<void>();
    let over: AbortSignal | undefined;
    const read = Promise.withResolvers<void>();
    const called = guarded.call(async () => {
      await guarded.lent((signal) => {
        over = signal;
        return read.promise;
      });
      await never.promise;
    });
    hands.pass(ms);
    if (!waits) read.resolve();
    await Promise.resolve().then(() => {}).then(() => {}).then(() => {});
    hands.pass(5_000 - ms);
    hands.turn(5_000);
    const error = await called.then(() => undefined, (one: unknown) => one);
    assert(over?.aborted === true && over.reason === error, "what is read for nobody ends");
    never.resolve();
    read.resolve();
    return error;
  };
  assert(await overdue(5_000, true) instanceof LogError);
  assert(await overdue(1_000, true) instanceof LogError);
  assert(await overdue(4_000, false) instanceof LogError);
  assertEquals([told, guarded.counts], [0, { calls: 63, failed: 0, overdue: 0 }]);
  assert(await overdue(1_000, false) instanceof OverdueError);
  assertEquals(guarded.counts, { calls: 64, failed: 0, overdue: 1 });
});

/** What is done now, and what follows from that, is done. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
}

Deno.test("a call that goes on and on with what it is lent is overdue, counts as that, and has come to an end then", async () => {
  const hands = new Hands();
  const why: string[] = [];
  const guarded = new Guarded(hands, BUDGET, (one) => why.push(one));
  const ends: unknown[] = [];
  for (let i = 0; i < 10; i++) {
    let appended = 0;
    const next: (() => void)[] = [];
    const loop = async (): Promise<never> => {
      for (;;) {
        await guarded.lent(async () => {
          appended++;
          await new Promise<void>((resolve) => next.push(resolve));
        });
      }
    };
    const called = guarded.call(() => loop().catch((error) => ends.push(error)));
    const refused = assertRejects(() => called, OverdueError, "no answer within 5000 ms");
    for (let each = 0; each < 10; each++) {
      hands.pass(500);
      if (each === 9) hands.turn(5_000);
      next.pop()?.();
      await settled();
    }
    await refused;
    assertEquals([appended, ends.length], [10, i + 1], "nothing is lent to it any more");
  }
  assert(ends.every((error) => error instanceof OverdueError));
  assertEquals(guarded.counts, { calls: 10, failed: 0, overdue: 10 });
  assertEquals(why, ["20 failures within a minute, the last: no answer within 5000 ms"]);
});

Deno.test("those that share what one of them was lent wait for the log as that one does", async () => {
  const hands = new Hands();
  let told = 0;
  const guarded = new Guarded(hands, BUDGET, () => told++);
  const read = Promise.withResolvers<void>();
  let shared: Promise<void> | undefined;
  const ask = () => guarded.call(() => shared ??= guarded.lent(() => read.promise));
  const asked = Array.from({ length: 30 }, () => ask().catch((error: unknown) => error));
  hands.pass(5_000);
  hands.turn(5_000);
  const errors = await Promise.all(asked);
  assert(errors.every((error) => error instanceof LogError));
  // It is there at last, and whoever asked meanwhile goes on with something else for a little while too long.
  shared = undefined;
  const never = Promise.withResolvers<void>();
  const late = guarded.call(async () => {
    await read.promise;
    await never.promise;
  });
  hands.pass(3_000);
  read.resolve();
  await settled();
  hands.pass(2_000);
  hands.turn(5_000);
  await assertRejects(() => late, LogError);
  assertEquals([told, guarded.counts], [0, { calls: 31, failed: 0, overdue: 0 }]);
  const own = guarded.call(() => never.promise);
  hands.pass(5_000);
  hands.turn(5_000);
  await assertRejects(() => own, OverdueError);
  assertEquals(guarded.counts.overdue, 1, "then the log had nothing to do");
  never.resolve();
});
