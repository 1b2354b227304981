import { assertEquals } from "@std/assert";
import { badgeOf } from "../../src/dashboard/badge.ts";

const NOW = { isLive: true, lagMs: null, nowMs: 10_000 };

Deno.test("the badge says live only when nothing is missing and what comes is fresh", () => {
  assertEquals(badgeOf({ kind: "open" }, NOW), { kind: "live" });
  assertEquals(badgeOf({ kind: "open" }, { ...NOW, lagMs: 200 }), { kind: "live" });
  assertEquals(badgeOf({ kind: "open" }, { ...NOW, lagMs: 4_000 }), { kind: "behind", lagMs: 4_000 });
  assertEquals(badgeOf({ kind: "open" }, { ...NOW, isLive: false }), { kind: "behind", lagMs: null });
});

Deno.test("the badge counts down to the next try, and says why there is none", () => {
  const waiting = { kind: "waiting", retryAtMs: 12_100, why: "lost" } as const;
  assertEquals(badgeOf(waiting, NOW), { kind: "reconnecting", inSeconds: 3 });
  assertEquals(badgeOf(waiting, { ...NOW, nowMs: 13_000 }), { kind: "reconnecting", inSeconds: 0 });
  assertEquals(badgeOf({ kind: "waiting", retryAtMs: undefined, why: "no network" }, NOW), {
    kind: "offline",
  });
  assertEquals(badgeOf({ kind: "closed", why: "unauthorized", code: 4401 }, NOW), {
    kind: "closed",
    why: "unauthorized",
  });
  assertEquals(badgeOf({ kind: "connecting" }, NOW), { kind: "connecting" });
});
