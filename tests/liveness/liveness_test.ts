import { assert, assertEquals } from "@std/assert";
import { type EventLog, LogError } from "../../src/log/event_log.ts";
import { Watch } from "./watched.ts";

/** The log, where something happens whenever somebody asks how far it reaches. */
function whenAsked(watch: Watch, happens: () => unknown): EventLog {
  const { log } = watch;
  return {
    append: (entries) => log.append(entries),
    read: (query) => log.read(query),
    follow: (from, signal) => log.follow(from, signal),
    lastPerSubject: (filter) => log.lastPerSubject(filter),
    async extent() {
      await happens();
      return await log.extent();
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

Deno.test("a running task of which nothing is heard is stale, and not before its time", async () => {
  const watch = new Watch();
  const gateway = await watch.gateway();
  const seq = watch.put("job", "started");
  await watch.pass(29_000);
  assertEquals(gateway.told("job"), "running live");
  await watch.pass(4_000);
  assertEquals(gateway.told("job"), "running stale");
  assertEquals(watch.said("job", seq), [["stale", { attempt: 1, through: seq }]]);
  await watch.pass(600_000, () => {}, 5_000);
  assertEquals(watch.said("job", seq).length, 1, "it is said once");
  assertEquals(gateway.liveness.stale, 1);
});

Deno.test("who is heard again is live again, and may be silent anew", async () => {
  const watch = new Watch();
  const gateway = await watch.gateway();
  watch.put("job", "started");
  await watch.pass(33_000);
  assertEquals(gateway.told("job"), "running stale");
  watch.put("job", "progress", { completed: 1 });
  await watch.pass(500);
  assertEquals(gateway.told("job"), "running live");
  // It was silent for 33 s once: that may be usual.
  await watch.pass(80_000);
  assertEquals(gateway.told("job"), "running live");
  await watch.pass(40_000);
  assertEquals(gateway.told("job"), "running stale");
  assertEquals(watch.said("job").filter(([kind]) => kind === "stale").length, 2);
});

Deno.test("tasks that nobody works on, or that have ended, are never stale", async () => {
  const watch = new Watch();
  const gateway = await watch.gateway({ reapAfterMs: 10_000 });
  watch.put("new", "created");
  watch.put("still", "started");
  watch.put("still", "paused");
  watch.put("again", "started");
  watch.put("again", "retrying", { attempt: 2 });
  watch.put("done", "completed");
  await watch.pass(200_000, () => {}, 5_000);
  for (const id of ["new", "still", "again", "done"]) {
    assertEquals(watch.said(id).filter(([kind]) => kind === "stale" || kind === "failed"), [], id);
  }
  assertEquals(gateway.told("still"), "paused");
});

Deno.test("who was to be cancelled and says nothing is stale too: nobody is there to be asked", async () => {
  const watch = new Watch();
  const gateway = await watch.gateway();
  watch.put("job", "started");
  await watch.pass(20_000);
  watch.put("job", "cancel_requested", { reason: "no need" });
  await watch.pass(13_000);
  assertEquals(gateway.told("job"), "cancelling stale no need");
});

Deno.test("a task that always is silent for long is not stale before three times as long", async () => {
  const watch = new Watch();
  const gateway = await watch.gateway();
  watch.put("slow", "started");
  for (let i = 1; i < 6; i++) {
    await watch.pass(25_000, () => assertEquals(gateway.told("slow"), "running live"));
    watch.put("slow", "progress", { completed: i });
  }
  await watch.pass(70_000, () => assertEquals(gateway.told("slow"), "running live"));
  await watch.pass(12_000);
  assertEquals(gateway.told("slow"), "running stale");
});

Deno.test("a gateway that has just started knows how silent tasks usually are, and how long they have been", async () => {
  const watch = new Watch();
  watch.put("slow", "started");
  watch.put("fast", "started");
  for (let i = 1; i < 200; i++) {
    watch.clock.advance(60_000);
    watch.put("slow", "progress", { completed: i });
  }
  watch.clock.advance(40_000);
  const gateway = await watch.gateway();
  await watch.pass(29_000, () => assertEquals(gateway.told("fast"), "running live", "it listens first"));
  await watch.pass(5_000);
  assertEquals(gateway.told("fast"), "running stale");
  assertEquals(gateway.told("slow"), "running live");
  await watch.pass(99_000);
  assertEquals(gateway.told("slow"), "running live");
  await watch.pass(20_000);
  assertEquals(gateway.told("slow"), "running stale");
});

Deno.test("while the log is out of reach silence says nothing", async () => {
  const watch = new Watch();
  const gateway = await watch.gateway();
  watch.put("job", "started");
  await watch.pass(10_000);
  gateway.isListening = false;
  await watch.pass(600_000, () => {}, 5_000);
  gateway.isListening = true;
  await watch.pass(15_000);
  assertEquals(gateway.told("job"), "running live");
  await watch.pass(8_000);
  assertEquals(gateway.told("job"), "running stale");
});

Deno.test("neither a process that stood still nor a clock that was set makes anything stale", async () => {
  const watch = new Watch();
  const gateway = await watch.gateway({ reapAfterMs: 60_000 });
  watch.put("job", "started");
  await watch.pass(10_000);
  for (const jumpMs of [3_600_000, -7_200_000, 3_600_000]) {
    watch.clock.set(jumpMs);
    watch.clock.standStill(Math.max(0, jumpMs));
    await watch.pass(1_000);
    assertEquals(gateway.told("job"), "running live");
  }
  await watch.pass(30_000);
  assertEquals(gateway.told("job"), "running stale");
  watch.clock.set(3_600_000);
  watch.clock.standStill(3_600_000);
  await watch.pass(35_000);
  assertEquals(gateway.told("job"), "running stale", "nor does it end it");
});

Deno.test("what was heard while it was said that nothing is, counts", async () => {
  const watch = new Watch();
  const gateway = await watch.gateway({
    append: (entries) => {
      watch.put("job", "progress", { completed: 1 });
      return watch.log.append(entries);
    },
  });
  const seq = watch.put("job", "started");
  await watch.pass(33_000);
  assertEquals(watch.said("job", seq).map(([kind]) => kind), ["progress", "stale"]);
  assertEquals(gateway.told("job"), "running live");
});

Deno.test("a lost task fails where that is asked for, once, whichever of many gateways says so", async () => {
  const watch = new Watch();
  const gateways = [];
  for (let i = 0; i < 4; i++) gateways.push(await watch.gateway({ reapAfterMs: 60_000 }));
  const seq = watch.put("job", "progress", { completed: 3, total: 9 });
  await watch.pass(88_000);
  assertEquals(gateways.map((gateway) => gateway.told("job")), Array(4).fill("running stale"));
  await watch.pass(8_000);
  assertEquals(gateways.map((gateway) => gateway.told("job")), Array(4).fill("failed lost"));
  const error = { message: "nothing was heard of it for 90 s", code: "lost" };
  assertEquals(watch.said("job", seq), [
    ["stale", { attempt: 1, through: seq }],
    ["failed", { attempt: 1, reason: "lost", error }],
  ]);
  assertEquals(gateways[0]?.projection.tasks.get("job")?.state.greatest.progress?.body.completed, 3);
});

Deno.test("a lost task that goes on in another attempt, and is lost again, fails again", async () => {
  const watch = new Watch();
  const one = await watch.gateway({ reapAfterMs: 10_000 });
  await watch.gateway({ reapAfterMs: 10_000 });
  watch.put("job", "started");
  await watch.pass(60_000);
  assertEquals(one.told("job"), "failed lost");
  watch.put("job", "started", { attempt: 2 });
  await watch.pass(1_000);
  assertEquals(one.told("job"), "running live");
  await watch.pass(200_000);
  assertEquals(one.told("job"), "failed lost");
  assertEquals(watch.said("job").map(([kind]) => kind), [
    "started",
    "stale",
    "failed",
    "started",
    "stale",
    "failed",
  ]);
});

Deno.test("what is in the log and was not followed yet keeps a task from failing", async () => {
  const watch = new Watch();
  const gateway = await watch.gateway({ reapAfterMs: 10_000 });
  watch.put("job", "started");
  await watch.pass(40_000);
  assertEquals(gateway.told("job"), "running stale");
  watch.put("job", "progress", { completed: 1 });
  watch.clock.advance(4_000);
  await new Promise((resolve) => setTimeout(resolve, 10));
  await gateway.follow();
  assertEquals(gateway.told("job"), "running live");
  assertEquals(watch.said("job").some(([kind]) => kind === "failed"), false);
});

Deno.test("a gateway goes on where others died: what was said is not said again, what is due is", async () => {
  const watch = new Watch();
  const first = await watch.gateway({ reapAfterMs: 60_000 });
  watch.put("job", "started");
  await watch.pass(50_000);
  assertEquals(first.told("job"), "running stale");
  await first.liveness[Symbol.asyncDispose]();
  watch.gateways.length = 0;
  watch.clock.advance(30_000);
  const second = await watch.gateway({ reapAfterMs: 60_000 });
  assertEquals(second.told("job"), "running stale");
  await watch.pass(29_000);
  assertEquals(second.told("job"), "running stale", "it listens first");
  await watch.pass(3_000);
  assertEquals(second.told("job"), "failed lost");
  assertEquals(watch.said("job").length, 3);
});

Deno.test("what nobody could say while everything was down makes nothing stale, nor does a clock that is ahead", async () => {
  const watch = new Watch();
  watch.put("job", "started");
  watch.put("gone", "started");
  watch.put("gone", "stale");
  watch.clock.advance(3_600_000);
  const gateway = await watch.gateway({ reapAfterMs: 60_000 });
  await watch.pass(10_000);
  watch.put("job", "progress", { completed: 1 });
  watch.put("gone", "progress", { completed: 1 });
  await watch.pass(35_000, () => assertEquals(gateway.told("job"), "running live"));
  assertEquals(watch.said("gone").map(([kind]) => kind), ["started", "stale", "progress"]);
});

Deno.test("between two attempts nobody is silent, and what nobody could hear is no usual gap", async () => {
  const watch = new Watch();
  const gateway = await watch.gateway();
  watch.put("again", "started");
  watch.put("cut-off", "started");
  await watch.pass(5_000);
  watch.put("again", "failed");
  gateway.isListening = false;
  await watch.pass(3_600_000, () => {}, 60_000);
  gateway.isListening = true;
  watch.put("again", "started", { attempt: 2 });
  watch.put("cut-off", "progress", { completed: 1 });
  await watch.pass(34_000);
  assertEquals(gateway.told("again"), "running stale");
  assertEquals(gateway.told("cut-off"), "running stale");
});

Deno.test("a gateway that has just started knows that a task once stood still on purpose", async () => {
  const watch = new Watch();
  watch.put("job", "started");
  watch.put("job", "paused");
  watch.clock.advance(18_000_000);
  watch.put("job", "resumed");
  watch.clock.advance(10_000);
  watch.put("job", "progress", { completed: 1 });
  const gateway = await watch.gateway();
  await watch.pass(34_000);
  assertEquals(gateway.told("job"), "running stale");
});

Deno.test("who is heard of while it is asked what the log has is neither stale nor lost", async () => {
  for (const reapAfterMs of [0, 10_000]) {
    const watch = new Watch();
    const log = whenAsked(watch, () => {
      watch.put("job", "progress", { completed: 1 });
      return watch.gateways[0]?.follow();
    });
    const gateway = await watch.gateway({ reapAfterMs, log });
    const said = reapAfterMs > 0 ? ["started", "stale"] : ["started"];
    for (const kind of said) watch.put("job", kind);
    await watch.pass(60_000);
    assertEquals(watch.said("job").map(([kind]) => kind), [...said, "progress"]);
    assertEquals(gateway.told("job"), "running live");
  }
});

Deno.test("where more comes all the time it is said all the same", async () => {
  const watch = new Watch();
  const log = whenAsked(watch, () => watch.put("other", "progress"));
  const gateway = await watch.gateway({ log, reapAfterMs: 30_000 });
  watch.put("job", "started");
  await watch.pass(75_000);
  assertEquals(gateway.told("job"), "failed lost");
});

Deno.test("what retention took, or a straggler hides, is asked of the log before it is said again", async () => {
  const watch = new Watch({ retainPerSubject: 3, dedupWindowMs: 1_000 });
  const gateway = await watch.gateway();
  watch.put("job", "started", { attempt: 2 });
  watch.put("job", "stale", { attempt: 1 });
  await watch.pass(60_000);
  assertEquals(gateway.told("job"), "running stale");
});

Deno.test("who came when retention had taken what was heard of a task says the same of it as who was there", async () => {
  const watch = new Watch();
  const old = await watch.gateway();
  watch.put("job", "started");
  watch.put("job", "progress", { completed: 1 });
  await watch.pass(5_000);
  const asked = watch.put("job", "cancel_requested");
  await watch.pass(500);
  watch.log.dropBefore(asked);
  const fresh = await watch.gateway({ staleAfterMs: 10_000 });
  await watch.pass(20_000);
  assertEquals([old, fresh].map((gateway) => gateway.told("job")), ["cancelling stale", "cancelling stale"]);
  await watch.pass(300_000, () => {}, 5_000);
  assertEquals(watch.said("job", asked).length, 1);
});

Deno.test("it is asked so however often it is looked", async () => {
  const watch = new Watch();
  const gateway = await watch.gateway({ staleAfterMs: 7_000 });
  watch.put("job", "started", { attempt: 2 });
  watch.put("job", "stale", { attempt: 2, through: 0 });
  watch.put("job", "stale", { attempt: 1 });
  await watch.pass(30_100, () => {}, 700);
  assertEquals(gateway.told("job"), "running stale");
});

Deno.test("a log that refuses is told once, is left alone for a while, and tried again", async () => {
  const watch = new Watch();
  let tries = 0;
  let isRefused = true;
  const gateway = await watch.gateway({
    append: (entries) => {
      tries++;
      return isRefused ? Promise.reject(new LogError("refused", "no right")) : watch.log.append(entries);
    },
  });
  watch.put("job", "started");
  await watch.pass(95_000);
  assertEquals(gateway.troubles.length, 1);
  assert(tries >= 2 && tries <= 4, `${tries} tries`);
  isRefused = false;
  await watch.pass(45_000);
  assertEquals(gateway.told("job"), "running stale");
});

Deno.test("after an outage it is tried again at once", async () => {
  const watch = new Watch();
  let isAway = false;
  const log = whenAsked(
    watch,
    () => isAway ? Promise.reject(new LogError("unreachable", "away")) : undefined,
  );
  const gateway = await watch.gateway({ log });
  watch.put("job", "started");
  isAway = true;
  await watch.pass(35_000);
  assertEquals(gateway.told("job"), "running live");
  isAway = false;
  await watch.pass(2_000);
  assertEquals(gateway.told("job"), "running stale");
  assertEquals(gateway.troubles, []);
});

Deno.test("whatever was followed, all gateways end with the same, and each silence is said once", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const watch = new Watch();
    for (let i = 0; i < 3; i++) {
      await watch.gateway({ random: () => (seed * 7 + i * 3) % 10 / 10, reapAfterMs: 40_000 });
    }
    for (let i = 0; i < 12; i++) {
      const id = `t${(i * seed) % 4}`;
      watch.put(
        id,
        ["started", "progress", "paused", "resumed", "cancel_requested"][(i + seed) % 5] ?? "",
        {},
      );
      await watch.pass((i * 7_919 * seed) % 40_000, () => {}, 4_000);
    }
    await watch.pass(400_000, () => {}, 5_000);
    for (const id of ["t0", "t1", "t2", "t3"]) {
      assertEquals(new Set(watch.gateways.map((gateway) => gateway.told(id))).size, 1, `${id} of ${seed}`);
      const silences = watch.said(id).filter(([kind]) => kind === "stale").map(([, body]) =>
        JSON.stringify(body)
      );
      assertEquals(silences.length, new Set(silences).size, `${id} of ${seed}: ${silences}`);
      assert(watch.said(id).filter(([kind]) => kind === "failed").length <= 1);
    }
  }
});
