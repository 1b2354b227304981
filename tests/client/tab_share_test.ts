import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Client, ClientError, type ClientOptions, connect } from "../../src/client/client.ts";
import { shareTabs } from "../../src/client/tab_share.ts";
import { settled, World, type WorldOptions } from "../connection/world.ts";
import { Browser, type Tab } from "./tab_browser.ts";
import { Wire } from "./wire.ts";

/** A tab with a client, and what its one watch was told. */
type Page = {
  readonly tab: Tab;
  readonly wire: Wire;
  readonly client: Client;
  readonly urls: URL[];
  readonly words: string[];
  readonly errors: string[];
  readonly lives: boolean[];
};

type PageOptions = ClientOptions & { readonly owner?: string; readonly topics?: readonly string[] };

/** A gateway, a browser, and time that the test moves. */
class Bench {
  readonly world: World;
  readonly browser: Browser;

  private constructor(world: World) {
    this.world = world;
    this.browser = new Browser(world.clock);
  }

  static async start(options: WorldOptions = {}): Promise<Bench> {
    return new Bench(await World.booted(options));
  }

  /** A page that watches all changes of status, unless other topics are given. */
  open({ owner, topics = ["task:status"], ...options }: PageOptions = {}): Page {
    const tab = this.browser.open();
    const wire = new Wire(this.world);
    const urls: URL[] = [];
    const socket = tab.sockets(wire.socket);
    const client = connect("ws://gateway/ws", {
      clock: tab.clock,
      random: () => 0.5,
      open: (url, listener) => {
        urls.push(new URL(url));
        return socket(url, listener);
      },
      tabs: shareTabs(owner, tab),
      ...options,
    });
    const [words, errors, lives]: [string[], string[], boolean[]] = [[], [], []];
    client.subscribe(topics, (frame) => {
      if (frame.type === "task_status") words.push(`${frame.data.task_id} ${frame.data.status}`);
      if (frame.type === "gap") words.push("gap");
    }, { onLive: (isLive) => lives.push(isLive), onError: ({ code }) => errors.push(code) });
    return { tab, wire, client, urls, words, errors, lives };
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left--) {
      this.world.clock.advance(1);
      await settled();
    }
  }

  async event(task: string, kind: string, body: object = {}): Promise<void> {
    this.world.put(task, kind, body);
    await this.world.follow();
    await this.pass(60);
  }

  async end(...pages: readonly Page[]): Promise<void> {
    for (const { client } of pages) client.close();
    await this.pass(10);
    assertEquals([this.world.clock.pending, this.browser.locks.length, this.browser.channels.size], [
      0,
      0,
      0,
    ]);
  }
}

function roles(...pages: readonly Page[]): readonly string[] {
  return pages.map(({ client }) => client.tab);
}

function connections(...pages: readonly Page[]): number {
  return pages.reduce((sum, { wire }) => sum + wire.open, 0);
}

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
