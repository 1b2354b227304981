import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type Link,
  type LinkContext,
  type LinkEffect,
  type LinkInput,
  stepLink,
  type TimerName,
} from "../../src/client/link.ts";
import { CLOSE_CODES } from "../../src/protocol/close_codes.ts";

const LIMITS = { connectTimeoutMs: 10_000, firstWaitMs: 500, longestWaitMs: 30_000 };
const HEARTBEAT = { intervalMs: 30_000, timeoutMs: 60_000 };
const TIMERS: readonly TimerName[] = ["connect", "retry", "ping", "dead", "slot"];

/** Decided at this time, by this luck. */
function at(nowMs: number, chance = 0.5): LinkContext {
  return { nowMs, elapsedMs: nowMs, chance, limits: LIMITS };
}

const open: Link = {
  kind: "open",
  attempt: 0,
  socket: 1,
  sinceMs: 0,
  heartbeat: HEARTBEAT,
  isAsked: false,
  slot: undefined,
};

const socket = fc.nat(6);
const input: fc.Arbitrary<LinkInput> = fc.oneof(
  fc.constantFrom<LinkInput>(
    { kind: "start" },
    { kind: "online" },
    { kind: "offline" },
    { kind: "shown" },
    { kind: "anew" },
    { kind: "useless", why: "because" },
  ),
  fc.record({ kind: fc.constant("token" as const), socket, token: fc.constantFrom("t", undefined) }),
  fc.record({ kind: fc.constant("tokenFailed" as const), socket }),
  fc.record({ kind: fc.constant("greeted" as const), socket, heartbeat: fc.constant(HEARTBEAT) }),
  fc.record({ kind: fc.constant("heard" as const), socket }),
  fc.record({ kind: fc.constant("drain" as const), socket, afterMs: fc.nat(2_000) }),
  fc.record({
    kind: fc.constant("ended" as const),
    socket,
    code: fc.constantFrom(1006, 1011, 1012, 1013, 4402, 4408, 4429),
    why: fc.constantFrom("", "because"),
  }),
  fc.record({ kind: fc.constant("timer" as const), name: fc.constantFrom(...TIMERS) }),
);

Deno.test("a link has one socket at most, and always something that brings it on", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(input, fc.nat(20_000)), { maxLength: 80, size: "max" }), (inputs) => {
      let link: Link = { kind: "idle" };
      let opened: number | undefined;
      let nowMs = 0;
      const timers = new Set<TimerName>();
      const perform = (effect: LinkEffect): void => {
        if (effect.kind === "open") {
          assertEquals(opened, undefined, "the former socket was dropped before");
          opened = effect.socket;
        }
        if (effect.kind === "drop" && effect.socket === opened) opened = undefined;
        if (effect.kind === "set") {
          assert(effect.ms >= 0 && effect.ms <= 60_000);
          timers.add(effect.timer);
        }
        if (effect.kind === "clear") timers.delete(effect.timer);
      };
      for (const [one, ms] of [[{ kind: "start" }, 0] as [LinkInput, number], ...inputs]) {
        nowMs += ms;
        if (one.kind === "timer" && !timers.delete(one.name)) continue;
        const [next, effects] = stepLink(link, one, at(nowMs, 0.9));
        const was = link;
        link = next;
        effects.forEach(perform);
        const ups = effects.filter(({ kind }) => kind === "up").length;
        const downs = effects.filter(({ kind }) => kind === "down").length;
        assertEquals(ups, was.kind !== "open" && next.kind === "open" ? 1 : 0);
        assertEquals(
          downs,
          was.kind === "open" && next !== was && socketOf(next) !== socketOf(was) ||
            was.kind === "open" && next.kind !== "open"
            ? 1
            : 0,
        );
        assertEquals(opened === undefined, next.kind !== "open" && next.kind !== "opening", next.kind);
        if (next.kind === "waiting") assert(timers.has("retry"), "it will be tried again");
        if (next.kind === "authorizing" || next.kind === "opening") assert(timers.has("connect"));
        if (next.kind === "open") assert(timers.has("ping"), "it is asked whether anybody is there");
      }
      const [last, effects] = stepLink(link, { kind: "close" }, at(nowMs, 0));
      effects.forEach(perform);
      assertEquals([last.kind, opened, timers.size], ["closed", undefined, 0]);
      assertEquals(stepLink(last, { kind: "online" }, at(nowMs, 0)), [last, []]);
    }),
    { numRuns: 1_000 },
  );
});

function socketOf(link: Link): number | undefined {
  return "socket" in link ? link.socket : undefined;
}

Deno.test("after a code that says so nobody comes back, and why is told", () => {
  for (const { code, reason: why, reconnect } of Object.values(CLOSE_CODES)) {
    const [next] = stepLink(open, { kind: "ended", socket: 1, code, why }, at(0, 0));
    assertEquals(next.kind, reconnect === "no" ? "closed" : "waiting");
    assert("why" in next && next.why === why);
  }
  const [waiting] = stepLink(open, { kind: "ended", socket: 1, code: 1006, why: "" }, at(5, 1));
  assert(waiting.kind === "waiting" && waiting.dueMs === 505);
});

Deno.test("the wait after a drain is until the slot, whenever the gateway closes", () => {
  const [draining] = stepLink(open, { kind: "drain", socket: 1, afterMs: 700 }, at(1_000));
  const [waiting] = stepLink(draining, { kind: "ended", socket: 1, code: 1012, why: "" }, at(1_200));
  assert(waiting.kind === "waiting");
  assertEquals(waiting.dueMs, 1_700);
});

Deno.test("the wait after a drain is as long as the gateway said, whatever becomes of the clock", () => {
  const [draining] = stepLink(open, { kind: "drain", socket: 1, afterMs: 700 }, at(3_600_000));
  const back = { ...at(0), elapsedMs: 3_600_200 };
  const [waiting, effects] = stepLink(draining, { kind: "ended", socket: 1, code: 1012, why: "" }, back);
  assert(waiting.kind === "waiting");
  assertEquals(waiting.dueMs, 500);
  assertEquals(effects.filter(({ kind }) => kind === "set"), [{ kind: "set", timer: "retry", ms: 500 }]);
  // A clock that is not even steady.
  const [later] = stepLink(draining, { kind: "ended", socket: 1, code: 1012, why: "" }, at(0));
  assert(later.kind === "waiting" && later.dueMs === 700);
});

Deno.test("a connection that there never was is not said to be lost", () => {
  const opening: Link = { kind: "opening", attempt: 0, socket: 1 };
  const why = (link: Link, code: number, said = ""): string | undefined => {
    const [next] = stepLink(link, { kind: "ended", socket: 1, code, why: said }, at(0));
    return next.kind === "waiting" ? next.why : undefined;
  };
  assertEquals([why(opening, 0), why(opening, 1006), why(opening, 1013, "try later")], [
    "the gateway could not be reached",
    "the gateway could not be reached (1006)",
    "try later",
  ]);
  assertEquals([why(open, 0), why(open, 1006)], [
    "the connection was lost",
    "the connection was lost (1006)",
  ]);
});
