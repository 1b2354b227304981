import { assert } from "@std/assert";
import fc from "fast-check";
import {
  type Client,
  ClientError,
  connect,
  type PushedFrame,
  type Store,
  type TaskView,
} from "../../src/client/client.ts";
import { shareTabs } from "../../src/client/tab_share.ts";
import { settled, type World } from "../connection/world.ts";
import { KINDS, TASKS, TOPICS } from "./statuses.ts";
import { Browser, type Tab } from "./tab_browser.ts";
import { Wire } from "./wire.ts";

const which = fc.nat(5);
const doing = <T extends string>(...what: T[]) => fc.record({ do: fc.constantFrom(...what), which });

/** What may happen to the tabs of a browser. */
export const happening = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("event" as const),
      task: fc.constantFrom(...TASKS),
      kind: fc.constantFrom(...KINDS),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("pass" as const),
      ms: fc.constantFrom(1, 3, 7, 15, 40, 400, 4_000, 11_000, 70_000),
    }),
  },
  { weight: 4, arbitrary: doing("open") },
  { weight: 4, arbitrary: doing("close", "leave", "crash") },
  { weight: 6, arbitrary: doing("hide", "show") },
  { weight: 4, arbitrary: doing("freeze", "stop", "wake", "return") },
  { weight: 3, arbitrary: doing("cut", "mute") },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("reachable" as const), is: fc.boolean() }) },
  { weight: 1, arbitrary: doing("online", "offline", "restart", "shout") },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("ask" as const),
      which,
      task: fc.constantFrom(...TASKS, "nobody"),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("watch" as const),
      which,
      topics: fc.subarray(TOPICS, { minLength: 1 }),
      replay: fc.constantFrom("latest" as const, "none" as const),
    }),
  },
  { weight: 1, arbitrary: doing("history") },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("unwatch" as const), which, watch: which }) },
);

/** One of them. */
export type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

/** What a watch was told of statuses. */
export class Witness {
  readonly topics: readonly string[];
  readonly seen: string[] = [];
  isLive = false;
  /** How far the gateway was when it was live first: what happens from then on it must be told. */
  from: number;
  readonly stop: () => void;

  constructor(world: World, client: Client, topics: readonly string[], replay: "latest" | "none" | "all") {
    this.topics = topics;
    this.from = replay === "all" ? 0 : Infinity;
    const take = (frame: PushedFrame): void => {
      if (frame.type === "task_status") this.seen.push(frame.id);
      if (frame.type === "gap") throw new Error("nothing was lost, so there is no gap");
    };
    this.stop = client.subscribe(topics, take, {
      replay,
      onLive: (isLive) => {
        this.isLive = isLive;
        if (isLive) this.from = Math.min(this.from, world.projection.head);
      },
      onError: (error) => {
        throw error;
      },
    }).unsubscribe;
  }
}

/** A tab with its client, and what is watched there. */
export class Page {
  readonly tab: Tab;
  readonly wire: Wire;
  readonly client: Client;
  readonly #world: World;
  readonly witnesses: Witness[] = [];
  /**
   * Whether it asked for a whole history, or watches without knowing how things are: who wants that later, here or in another
   * tab that it leads, makes it begin with the past. It has a connection of its own then, unless it leads. */
  hasHistory = false;
  readonly stores: readonly Store<TaskView>[];
  readonly answers: Promise<string>[] = [];
  /** Whether it was closed or crashed. */
  isGone = false;

  constructor(world: World, browser: Browser, isReachable: boolean) {
    this.#world = world;
    this.tab = browser.open();
    this.wire = new Wire(world);
    this.wire.reachable = isReachable;
    let luck = 0;
    this.client = connect("ws://gateway/ws", {
      clock: this.tab.clock,
      open: this.tab.sockets(this.wire.socket),
      random: () => (luck = (luck + 0.37) % 1),
      tabs: shareTabs(undefined, this.tab),
    });
    this.watch(["task:status"], "latest");
    this.stores = TASKS.map((id) => this.client.task(id));
    for (const store of this.stores) store.subscribe(() => {});
  }

  watch(topics: readonly string[], replay: "latest" | "none" | "all"): void {
    this.hasHistory ||= replay !== "latest";
    this.witnesses.push(new Witness(this.#world, this.client, topics, replay));
  }

  ask(task: string): void {
    this.answers.push(
      this.client.getTask(task).then(() => "answered", (error: unknown) => {
        assert(error instanceof ClientError);
        return error.code;
      }),
    );
  }

  close(): void {
    this.isGone = true;
    this.client.close();
    this.tab.crash();
  }

  crash(): void {
    this.isGone = true;
    this.tab.crash();
    this.wire.cut();
  }
}

/** A gateway, and a browser with tabs. */
export class Trial {
  readonly world: World;
  readonly browser: Browser;
  readonly pages: Page[] = [];
  isReachable = true;

  constructor(world: World, hopMs: number) {
    this.world = world;
    this.browser = new Browser(world.clock, hopMs);
  }

  get alive(): readonly Page[] {
    return this.pages.filter(({ isGone }) => !isGone);
  }

  open(): void {
    if (this.alive.length < 4) this.pages.push(new Page(this.world, this.browser, this.isReachable));
  }

  async pass(ms: number): Promise<void> {
    const stepMs = ms > 1_000 ? 20 : 1;
    for (let left = ms; left > 0; left -= Math.min(left, stepMs)) {
      this.world.clock.advance(Math.min(left, stepMs));
      await settled();
    }
  }

  async happen(one: Happening): Promise<void> {
    const page = "which" in one ? this.alive[one.which % Math.max(1, this.alive.length)] : undefined;
    switch (one.do) {
      case "event":
        this.world.put(one.task, one.kind, one.kind === "created" ? { tags: ["a"] } : {});
        return await this.world.follow();
      case "pass":
        return await this.pass(one.ms);
      case "open":
        return this.open();
      case "close":
        return page?.close();
      case "leave":
        page?.tab.tell("pagehide");
        return page?.tab.sleep();
      case "freeze":
        page?.tab.tell("freeze");
        return page?.tab.sleep();
      case "stop":
        return page?.tab.sleep();
      case "wake":
        page?.tab.wake();
        return page?.tab.tell("resume");
      case "return":
        page?.tab.wake();
        return page?.tab.tell("pageshow");
      case "crash":
        return page?.crash();
      case "hide":
      case "show":
        return page?.tab.show(one.do === "show");
      case "cut":
      case "mute":
        return page?.wire[one.do]();
      case "reachable":
        return this.reachable(one.is);
      case "online":
      case "offline":
        globalThis.dispatchEvent(new Event(one.do));
        return;
      case "restart":
        for (const { wire } of this.pages) wire.cut();
        return await this.world.restart();
      case "shout":
        for (const junk of JUNK) this.browser.shout(junk);
        return;
      case "ask":
        return page?.ask(one.task);
      case "watch":
        return page?.watch(one.topics, one.replay);
      case "history":
        return page?.watch(["task:status"], "all");
      case "unwatch":
        page?.witnesses.splice(one.watch + 1, 1).forEach(({ stop }) => stop());
        return;
    }
  }

  reachable(is: boolean): void {
    this.isReachable = is;
    for (const { wire } of this.pages) wire.reachable = is;
  }
}

const JUNK = [
  null,
  7,
  "lead",
  { kind: "lead" },
  ["lead"],
  ["what", "", "", ""],
  ["say", "nobody", "nobody", "{"],
  ["open", 1, 2, 3],
  ["hear", "nobody", "nobody", "no JSON"],
];
