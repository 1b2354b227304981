import { assert, assertEquals } from "@std/assert";
import type { PushedFrame } from "../../src/client/client.ts";
import { Bench, words } from "./bench.ts";

Deno.test("a topic whose giving back came too early is given back later", async () => {
  const bench = await Bench.start({ limits: { maxTopics: 256, rate: { perSecond: 1, burst: 2 } } });
  const client = bench.connect();
  const { unsubscribe } = client.subscribe("task:status", () => {});
  await bench.pass(100);
  const asked = client.getTask("t").catch(() => {});
  unsubscribe();
  await bench.pass(3_000);
  await asked;
  assertEquals(bench.world.router.topics, 0);
  client.close();
  assertEquals(bench.world.clock.pending, 0, "no timer is left");
});

Deno.test("a topic that is watched again while its giving back comes too early is live in the end", async () => {
  const bench = await Bench.start({ limits: { maxTopics: 256, rate: { perSecond: 1, burst: 2 } } });
  await bench.event("t", "started");
  const client = bench.connect();
  const { unsubscribe } = client.subscribe("task:status", () => {});
  await bench.pass(100);
  const asked = client.getTask("t").catch(() => {});
  unsubscribe();
  await bench.pass(10);
  const frames: PushedFrame[] = [];
  let isLive = false;
  client.subscribe("task:status", (frame) => frames.push(frame), { onLive: (is) => isLive = is });
  await bench.pass(10_000);
  await asked;
  assert(isLive, "it is live");
  assertEquals(words(frames), ["t running", "caught_up"]);
  client.close();
});

Deno.test("a history that is asked for while its topic is given back too early comes whole", async () => {
  const bench = await Bench.start({ limits: { maxTopics: 256, rate: { perSecond: 1, burst: 2 } } });
  for (const kind of ["started", "paused", "resumed"]) await bench.event("t", kind);
  const client = bench.connect();
  client.subscribe("task:status", () => {});
  await bench.pass(100);
  const asked = client.getTask("t");
  const frames: PushedFrame[] = [];
  client.subscribe("task:status", (frame) => frames.push(frame), { replay: "all" });
  await bench.pass(10_000);
  await asked;
  assertEquals(words(frames), ["t running", "t paused", "t running", "caught_up"]);
  client.close();
});
