import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClientError } from "../../src/client/client.ts";
import { shareTabs } from "../../src/client/tab_share.ts";
import { Bench, connections, roles } from "./tab_bench.ts";

Deno.test("three tabs have one connection, and each is told what it watches, once", async () => {
  const bench = await Bench.start();
  const pages = [bench.open(), bench.open(), bench.open({ topics: ["task:id:b"] })];
  const [one, two, three] = pages;
  assert(one && two && three);
  await bench.pass(60);
  assertEquals(roles(...pages), ["leading", "following", "following"]);
  assertEquals([connections(...pages), pages.map(({ client }) => client.state.kind)], [1, [
    "open",
    "open",
    "open",
  ]]);
  assertEquals(bench.world.counts.messages, { subscribe: 2 }, "what one has is not asked for again");
  await bench.event("a", "started");
  await bench.event("b", "started");
  await bench.event("a", "completed");
  assertEquals(pages.map(({ words }) => words), [
    ["a running", "b running", "a completed"],
    ["a running", "b running", "a completed"],
    ["b running"],
  ]);
  const late = bench.open();
  await bench.pass(60);
  assertEquals(late.words.toSorted(), ["a completed", "b running"], "who comes later is told how things are");
  await bench.end(...pages, late);
});

Deno.test("an event goes over the channel once for all tabs, and not at all where no other wants it", async () => {
  const bench = await Bench.start();
  const one = bench.open({ topics: ["task:status", "task:progress"] });
  const others = [bench.open(), bench.open(), bench.open()];
  await bench.pass(60);
  const heard = () =>
    bench.browser.posted.filter((message) => Array.isArray(message) && message[0] === "hear").length;
  const before = heard();
  await bench.event("a", "started");
  assertEquals(heard() - before, 1);
  await bench.event("a", "progress", { completed: 1 });
  assertEquals(heard() - before, 1);
  assertEquals(others.map(({ words }) => words), [["a running"], ["a running"], ["a running"]]);
  await bench.end(one, ...others);
});

Deno.test("all tabs say how the connection stands, and are stale together", async () => {
  const bench = await Bench.start();
  const [one, two] = [bench.open(), bench.open()];
  await bench.pass(60);
  one.wire.reachable = false;
  one.wire.cut();
  await bench.pass(50);
  assertEquals([one.client.state.kind, one.lives, two.lives], ["waiting", [true, false], [true, false]]);
  assertEquals(two.client.state, one.client.state);
  one.wire.reachable = true;
  await bench.pass(2_000);
  assertEquals([two.client.state.kind, one.lives, two.lives], ["open", [true, false, true], [
    true,
    false,
    true,
  ]]);
  await bench.end(one, two);
});

Deno.test("only those of one owner share; with a token and no owner, and where a browser lacks what it takes, nobody does", async () => {
  const bench = await Bench.start();
  const token = () => "t";
  const pages = [
    bench.open({ owner: "u", token }),
    bench.open({ owner: "v", token }),
    bench.open({ owner: "u", token }),
    bench.open({ owner: "u", clientId: "another", token }),
    bench.open({ token }),
    bench.open({ tabs: shareTabs("u", undefined) }),
  ];
  await bench.pass(60);
  assertEquals(roles(...pages), ["leading", "leading", "following", "leading", "own", "own"]);
  assertEquals(pages.map(({ client }) => client.state.kind), Array(6).fill("open"));
  await bench.end(...pages);
});

Deno.test("who asks for a whole history has a connection of its own: the others would wait for it", async () => {
  const bench = await Bench.start();
  const [one, two] = [bench.open(), bench.open()];
  await bench.pass(60);
  await bench.event("a", "started");
  const past: string[] = [];
  two.client.subscribe("task:id:a:status", ({ id }) => past.push(id), { replay: "all" });
  await bench.event("a", "completed");
  await bench.pass(600);
  assertEquals(roles(one, two), ["leading", "own"]);
  assertEquals(past.filter((id) => id.startsWith("status")), ["status_1", "status_2"]);
  assertEquals([one.words, two.words], Array(2).fill(["a running", "a completed"]));
  await bench.end(one, two);
});

Deno.test("where a connection has no room for the topics of all tabs, one has its own", async () => {
  const bench = await Bench.start({
    limits: { maxTopics: 2, rate: { perSecond: 1e9, burst: 1e9 }, authMs: 10_000 },
  });
  const [one, two] = [
    bench.open({ topics: ["task:id:a", "task:id:b"] }),
    bench.open({ topics: ["task:id:c"] }),
  ];
  await bench.pass(200);
  assertEquals([roles(one, two), two.errors], [["leading", "own"], []]);
  await bench.event("c", "started");
  assertEquals(two.words, ["c running"]);
  await bench.end(one, two);
});

Deno.test("what the gateway refuses is told in the tab that asked for it", async () => {
  const bench = await Bench.start();
  const [one, two] = [bench.open(), bench.open()];
  await bench.pass(60);
  const errors: string[] = [];
  two.client.subscribe("task:nothing", () => {}, { onError: ({ code }) => errors.push(code) });
  const missing = assertRejects(() => two.client.getTask("nobody"), ClientError, "no task nobody");
  await bench.pass(100);
  await missing;
  assertEquals([errors, roles(one, two)], [["TOPIC_NOT_FOUND"], ["leading", "following"]]);
  await bench.event("a", "started");
  assertEquals(two.words, ["a running"]);
  await bench.end(one, two);
});

Deno.test("a stream that begins anew is a gap for every tab, and the new truth follows", async () => {
  const bench = await Bench.start();
  const [one, two] = [bench.open(), bench.open()];
  await bench.pass(60);
  await bench.event("a", "started");
  one.wire.reachable = false;
  one.wire.cut();
  bench.world.log.recreate();
  await bench.world.restart();
  await bench.event("b", "started");
  one.wire.reachable = true;
  await bench.pass(3_000);
  await bench.event("b", "completed");
  const all = ["a running", "gap", "b running", "b completed"];
  assertEquals([one.words, two.words, roles(one, two)], [all, all, ["leading", "following"]]);
  await bench.end(one, two);
});

Deno.test("tabs that come at the same time are live when they have been told how things are", async () => {
  const bench = await Bench.start();
  await bench.event("a", "started");
  const pages = [bench.open(), bench.open(), bench.open()];
  const told = pages.map(({ words, lives }) => {
    const at: number[] = [];
    return { words, lives, at };
  });
  pages.forEach(({ client }, i) =>
    client.subscribe("task:id:a", () => {}, {
      onLive: (isLive) => isLive && told[i]?.at.push(told[i].words.length),
    })
  );
  await bench.pass(100);
  assertEquals(told.map(({ words, at }) => [words, at]), Array(3).fill([["a running"], [1]]));
  await bench.end(...pages);
});

Deno.test("when what comes to the leader is late all tabs are stale, and keep their place", async () => {
  const bench = await Bench.start();
  const [one, two] = [bench.open(), bench.open()];
  await bench.pass(60);
  await bench.event("a", "started");
  one.wire.mute();
  one.tab.tell("visibilitychange");
  globalThis.dispatchEvent(new Event("online"));
  await bench.pass(3_000);
  assertEquals([one.lives, two.lives], [[true, false], [true, false]]);
  assertEquals([roles(one, two), connections(one, two)], [["leading", "following"], 1]);
  await bench.pass(10_000);
  await bench.event("a", "completed");
  assertEquals([one.words, two.words], Array(2).fill(["a running", "a completed"]));
  assertEquals([one.lives.at(-1), two.lives.at(-1)], [true, true]);
  await bench.end(one, two);
});
