import { assert, assertEquals } from "@std/assert";
import { Bench, connections, roles } from "./tab_bench.ts";
import { Wire } from "./wire.ts";

for (const how of ["closed", "crashed", "left"] as const) {
  Deno.test(`when the leader's tab is ${how} another goes on at once, and nobody misses anything or hears it twice`, async () => {
    const bench = await Bench.start();
    const pages = [bench.open(), bench.open(), bench.open()];
    const [one, two, three] = pages;
    assert(one && two && three);
    await bench.pass(60);
    await bench.event("a", "started");
    bench.world.put("a", "paused");
    await bench.world.follow();
    const asked = three.client.getTask("a");
    const cancelled = two.client.cancel("a", "enough");
    if (how === "closed") one.client.close();
    if (how === "left") one.tab.tell("pagehide");
    if (how === "crashed") {
      one.tab.crash();
      one.wire.cut();
    }
    bench.world.put("a", "resumed");
    await bench.world.follow();
    await bench.pass(80);
    assertEquals(roles(two, three), ["leading", "following"]);
    assertEquals([connections(one, two, three), two.client.state.kind, three.client.state.kind], [
      1,
      "open",
      "open",
    ]);
    assertEquals(
      [(await asked).task_id, (await cancelled).task_id],
      ["a", "a"],
      "what was asked is answered",
    );
    await bench.event("a", "completed");
    const all = ["a running", "a paused", "a running", "a cancelling", "a completed"];
    assertEquals([two.words, three.words], [all, all]);
    assertEquals([two.lives.at(-1), three.lives.at(-1)], [true, true]);
    if (how === "left") {
      one.tab.tell("pageshow");
      await bench.pass(400);
      assertEquals([roles(...pages), one.words, connections(...pages)], [
        ["following", "leading", "following"],
        all,
        1,
      ]);
    }
    await bench.end(...pages);
  });
}

Deno.test("a tab that is seen takes the lead from one hidden for ten seconds, and not sooner", async () => {
  const bench = await Bench.start();
  const [one, two] = [bench.open(), bench.open()];
  await bench.pass(60);
  one.tab.show(false);
  await bench.pass(8_000);
  one.tab.show(true);
  await bench.pass(5_000);
  assertEquals(roles(one, two), ["leading", "following"], "who looks elsewhere for a moment changes nothing");
  one.tab.show(false);
  await bench.pass(10_100);
  assertEquals(roles(one, two), ["following", "leading"]);
  two.tab.show(false);
  await bench.pass(60_000);
  assertEquals(roles(one, two), ["following", "leading"], "where nobody is seen it stays");
  one.tab.show(true);
  await bench.pass(100);
  assertEquals(roles(one, two), ["leading", "following"], "and is taken at once by who comes back");
  await bench.event("a", "started");
  assertEquals([one.words, two.words, connections(one, two)], [["a running"], ["a running"], 1]);
  await bench.end(one, two);
});

Deno.test("a leader that hangs is noticed by its silence, and robbed; when it goes on it follows", async () => {
  const bench = await Bench.start();
  const [one, two] = [bench.open(), bench.open()];
  await bench.pass(60);
  one.tab.sleep();
  await bench.pass(30_000);
  assertEquals(roles(two), ["leading"]);
  await bench.event("a", "started");
  assertEquals([two.words, two.client.state.kind], [["a running"], "open"]);
  one.tab.wake();
  await bench.pass(1_000);
  assertEquals([roles(one, two), one.words, connections(one, two)], [
    ["following", "leading"],
    ["a running"],
    1,
  ]);
  await bench.end(one, two);
});

Deno.test("a tab that was frozen goes on where it was, and holds nothing meanwhile", async () => {
  const bench = await Bench.start();
  const [one, two] = [bench.open(), bench.open()];
  await bench.pass(60);
  await bench.event("a", "started");
  two.tab.tell("freeze");
  two.tab.sleep();
  const { size } = bench.browser.channels;
  await bench.event("a", "paused");
  await bench.event("a", "resumed");
  assertEquals(bench.browser.channels.size, size, "it is not in the channel, so nothing waits for it");
  two.tab.wake();
  two.tab.tell("resume");
  await bench.pass(400);
  assertEquals(two.words, ["a running", "a paused", "a running"]);
  assertEquals([one.words, roles(one, two)], [two.words, ["leading", "following"]]);
  await bench.end(one, two);
});

Deno.test("tokens go nowhere: each leader has its own tab's", async () => {
  const bench = await Bench.start();
  const asked: string[] = [];
  const token = (secret: string) => () => {
    asked.push(secret);
    return Promise.resolve(secret);
  };
  const [one, two] = [
    bench.open({ owner: "u", token: token("secret-1") }),
    bench.open({ owner: "u", token: token("secret-2") }),
  ];
  await bench.pass(60);
  assertEquals([roles(one, two), two.urls, asked], [["leading", "following"], [], ["secret-1"]]);
  one.client.close();
  await bench.pass(60);
  assertEquals(asked, ["secret-1", "secret-2"]);
  assertEquals([one, two].map(({ urls }) => urls.map(({ searchParams }) => searchParams.get("token"))), [
    ["secret-1"],
    ["secret-2"],
  ]);
  assert(!JSON.stringify(bench.browser.posted).includes("secret"));
  await bench.end(one, two);
});

Deno.test("what a tab begins with is no news for what it goes on with", async () => {
  const bench = await Bench.start();
  const [one, two] = [bench.open({ topics: ["task:tag:x"] }), bench.open()];
  await bench.pass(60);
  two.tab.tell("freeze");
  two.client.subscribe("task:tag:x", () => {});
  await bench.event("a", "created", { tags: ["x"] });
  await bench.event("a", "started");
  two.tab.tell("resume");
  await bench.pass(400);
  assertEquals([two.words, roles(one, two)], [["a pending", "a running"], ["leading", "following"]]);
  await bench.end(one, two);
});

Deno.test("a leader that begins anew with what another tab goes on with takes nothing from it", async () => {
  const bench = await Bench.start();
  const pages = [bench.open(), bench.open({ topics: ["task:id:other"] }), bench.open()];
  const [one, two, three] = pages;
  assert(one && two && three);
  await bench.pass(60);
  one.client.close();
  await bench.pass(200);
  assertEquals(roles(two, three), ["leading", "following"]);
  // It holds the topic without the present state, and has to ask for that: in between nothing comes.
  two.client.subscribe("task:status", () => {});
  const kinds = ["started", "paused", "resumed", "paused", "resumed", "completed"];
  for (const kind of kinds) {
    await bench.pass(3);
    bench.world.put("a", kind);
    await bench.world.follow();
  }
  await bench.pass(2_000);
  assertEquals(three.words, kinds.map((kind) => `a ${kind.replace(/started|resumed/, "running")}`));
  await bench.end(...pages);
});

Deno.test("while the leader goes from one gateway to another nobody takes for live what is not", async () => {
  const bench = await Bench.start();
  let tell: (text: string) => void = () => {};
  const wire = new Wire(bench.world);
  const one = bench.open({
    open: (url, listener) => {
      tell = listener.message;
      return wire.socket(url, listener);
    },
  });
  const two = bench.open();
  await bench.pass(60);
  const data = { reconnect_after_ms: 10, seq: 0, epoch: "e" };
  tell(JSON.stringify({ type: "drain", id: "d", timestamp: 0, data }));
  await bench.pass(200);
  assertEquals([wire.opened, one.lives, two.lives], [2, [true, false, true], [true, false, true]]);
  await bench.end(one, two);
});

Deno.test("who waits for a leader that has no connection goes on as soon as that has one", async () => {
  const bench = await Bench.start();
  const [one, two] = [bench.open(), bench.open()];
  await bench.pass(60);
  two.tab.tell("freeze");
  one.wire.reachable = false;
  one.wire.cut();
  const three = bench.open();
  three.wire.reachable = false;
  await bench.pass(100);
  one.tab.crash();
  two.tab.tell("resume");
  await bench.pass(50_000);
  assertEquals([roles(two, three), two.client.state.kind === "open"], [["following", "leading"], false]);
  three.wire.reachable = true;
  globalThis.dispatchEvent(new Event("online"));
  await bench.pass(100);
  assertEquals([two.client.state.kind, two.lives.at(-1)], ["open", true]);
  await bench.event("a", "started");
  assertEquals([two.words, three.words], [["a running"], ["a running"]]);
  one.client.close();
  await bench.end(two, three);
});
