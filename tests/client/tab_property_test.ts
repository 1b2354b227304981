import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type Client,
  ClientError,
  connect,
  type PushedFrame,
  type TaskView,
} from "../../src/client/client.ts";
import type { Store } from "../../src/client/client.ts";
import { shareTabs } from "../../src/client/tab_share.ts";
import { statusData } from "../../src/task/task.ts";
import { settled, World } from "../connection/world.ts";
import { Browser, type Tab } from "./tab_browser.ts";
import { Wire } from "./wire.ts";

const TASKS = ["t0", "t1", "t2"];
const KINDS = ["created", "started", "progress", "progress", "paused", "resumed", "completed"];
const TOPICS = ["task:status", "task:progress", "task:list", "task:id:t0", "task:id:t1:status", "task:tag:a"];

const which = fc.nat(5);
const doing = <T extends string>(...what: T[]) => fc.record({ do: fc.constantFrom(...what), which });

/** What may happen to the tabs of a browser. */
const happening = fc.oneof(
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

type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

/** What a watch was told of statuses. */
class Witness {
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
class Page {
  readonly tab: Tab;
  readonly wire: Wire;
  readonly client: Client;
  readonly #world: World;
  readonly witnesses: Witness[] = [];
  /** Whether it asked for a whole history: it has a connection of its own then, unless it leads. */
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

  get isAlive(): boolean {
    return !this.isGone;
  }

  watch(topics: readonly string[], replay: "latest" | "none" | "all"): void {
    this.witnesses.push(new Witness(this.#world, this.client, topics, replay));
    this.hasHistory ||= replay === "all";
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

class Trial {
  readonly world: World;
  readonly browser: Browser;
  readonly pages: Page[] = [];
  isReachable = true;

  constructor(world: World) {
    this.world = world;
    this.browser = new Browser(world.clock);
  }

  get alive(): readonly Page[] {
    return this.pages.filter(({ isAlive }) => isAlive);
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

async function live(happenings: readonly Happening[]): Promise<void> {
  const world = await World.booted();
  const trial = new Trial(world);
  trial.open();
  trial.open();
  for (const one of happenings) {
    await trial.happen(one);
    await settled();
  }
  trial.reachable(true);
  for (const { tab } of trial.alive) {
    tab.wake();
    tab.tell("pageshow");
  }
  globalThis.dispatchEvent(new Event("online"));
  await trial.pass(200_000);

  assertEquals(world.faults, [], "nothing failed");
  const { alive } = trial;
  const roles = alive.map(({ client }) => client.tab);
  const open = alive.map(({ wire }) => wire.open);
  const isShared = roles.some((role) => role !== "own");
  assertEquals(roles.filter((role) => role === "leading").length, isShared ? 1 : 0, `one leads: ${roles}`);
  assertEquals(
    open,
    roles.map((role) => role === "following" ? 0 : 1),
    `it alone has a connection: ${roles}`,
  );
  assert(alive.every(({ client, hasHistory }) => client.tab !== "own" || hasHistory), `all share: ${roles}`);
  const changes = await truth(world);
  for (const page of alive) assertTold(page, changes, world);
  for (const page of alive) {
    assertEquals(
      (await Promise.all(page.answers)).length,
      page.answers.length,
      "every request came to an end",
    );
  }
  for (const page of trial.pages) page.client.close();
  for (const { tab } of trial.pages) tab.crash();
  await trial.pass(10);
  const left = {
    timers: world.clock.pending,
    locks: trial.browser.locks.length,
    channels: trial.browser.channels.size,
  };
  assertEquals(left, { timers: 0, locks: 0, channels: 0 }, `nothing is left: ${JSON.stringify(left)}`);
}

function assertTold({ client, witnesses, stores }: Page, changes: readonly string[], world: World): void {
  assertEquals(client.state.kind, "open");
  for (const { isLive, topics, seen, from } of witnesses) {
    assert(isLive, `what is watched is live: ${topics}`);
    assertEquals(new Set(seen).size, seen.length, "no event twice");
    for (const id of TASKS) {
      const ofIt = ofTask(world, seen, id);
      assertEquals(ofIt, ofIt.toSorted((one, other) => seqOf(one) - seqOf(other)), "in order");
    }
    // Of several topics one may be asked for anew, with how things are by now.
    if (topics.join() !== "task:status") continue;
    const due = changes.filter((change) => seqOf(change) > from);
    assertEquals(seen.filter((change) => seqOf(change) > from).join(), due.join(), "nothing is missing");
  }
  stores.forEach((store, i) => {
    const id = TASKS[i] ?? "";
    const record = world.projection.tasks.get(id);
    const data = record && statusData(record.state, record.pace);
    const { isStale, status, progress } = store.getSnapshot();
    const shown = [isStale, status, progress?.completed];
    assertEquals(shown, [false, data?.status, data?.progress.completed], `${id} is shown as ${shown}`);
  });
}

function seqOf(id: string): number {
  return Number(id.slice("status_".length));
}

function ofTask(world: World, ids: readonly string[], task: string): string[] {
  return ids.filter((id) =>
    world.log.entries.some(({ seq, subject }) => seq === seqOf(id) && subject.startsWith(`task.${task}.`))
  );
}

/** The ids of all status frames that a watcher from the beginning is told. */
async function truth(world: World): Promise<string[]> {
  const ids: string[] = [];
  for (let after = 0; after < world.projection.head;) {
    const page = await world.history.page({ after, upTo: world.projection.head });
    for (const { seq, status } of page.block.deliveries) {
      if (status !== undefined && seq > page.after && seq <= page.through) ids.push(`status_${seq}`);
    }
    after = page.through;
  }
  return ids;
}

Deno.test("whatever becomes of tabs, one has the connection, and each is told everything, once", async () => {
  const runs = 60 * Number(Deno.env.get("RUNS") ?? 1);
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 40, size: "max" }), live),
    { numRuns: runs },
  );
});
