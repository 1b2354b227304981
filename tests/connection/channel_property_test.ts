import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { EVERYBODY } from "../../src/access/access.ts";
import { channelSubject } from "../../src/channel/channel_subject.ts";
import { boundsOf } from "../projection/bounds.ts";
import { FakeSocket } from "./fake_socket.ts";
import { type Peer, settled, World } from "./world.ts";

const TOPICS = ["data:a", "data:b.c", "strategy:a"];
const KEYS = ["", "x", "y.z", "ä*"];
const encoder = new TextEncoder();

type Happening =
  | { readonly do: "publish"; readonly topic: string; readonly key: string }
  | {
    readonly do: "follow" | "leave" | "stall" | "read" | "restart" | "wait" | "retention";
    readonly who: number;
  }
  | { readonly do: "come"; readonly who: number; readonly replay: "latest" | "all" | "none" };

const who = fc.nat(2);
const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      topic: fc.constantFrom(...TOPICS),
      key: fc.constantFrom(...KEYS),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "follow" as const,
        "leave" as const,
        "stall" as const,
        "read" as const,
        "wait" as const,
      ),
      who,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("restart" as const, "retention" as const), who }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("come" as const),
      who,
      replay: fc.constantFrom("latest" as const, "all" as const, "none" as const),
    }),
  },
);

/** What one client knows: the last value of each key, and where it is. */
class Watcher {
  readonly values = new Map<string, number>();
  readonly seen: number[] = [];
  readonly topics: readonly string[];
  /** Whether it asked for what there was when it first came. */
  hasPast = true;
  peer: Peer | undefined;
  cursor: { readonly epoch: string; readonly seq: number } | undefined;
  gaps = 0;
  #isReplaying = false;

  constructor(topics: readonly string[]) {
    this.topics = topics;
  }

  come(world: World, replay: "latest" | "all" | "none"): void {
    if (this.peer !== undefined) return;
    const socket = new FakeSocket();
    const lastOf = new Map<string, number>();
    this.#isReplaying = true;
    socket.onWritten = ({ frame }) => {
      if (frame.type === "caught_up") this.#isReplaying = false;
      if (frame.type === "gap") this.gaps++;
      if (frame.type === "subscribed" && replay === "none" && this.cursor === undefined) {
        this.#isReplaying = false;
      }
      if ("seq" in frame && frame.seq !== undefined && !this.#isReplaying && frame.type !== "caught_up") {
        this.cursor = { epoch: world.log.epoch, seq: frame.seq };
      }
      if (frame.type === "caught_up") this.cursor = { epoch: world.log.epoch, seq: frame.data.seq };
      if (frame.type !== "data_update" && frame.type !== "strategy_update") return;
      const { topic, key = "", payload } = frame.data;
      const name = `${topic} ${key}`;
      assert(typeof payload === "number" && payload === frame.seq, "a value is of its position");
      assert(this.topics.includes(topic), `${topic} is none of ${this.topics}`);
      assertEquals(frame.type, topic.startsWith("data:") ? "data_update" : "strategy_update");
      // After a gap the present is told again.
      const least = (lastOf.get(name) ?? 0) + (frame.snapshot === true ? 0 : 1);
      assert(payload >= least, `${name} never goes back, nor comes twice`);
      lastOf.set(name, payload);
      this.values.set(name, Math.max(payload, this.values.get(name) ?? 0));
      if (frame.snapshot !== true) this.seen.push(payload);
    };
    if (this.cursor === undefined && replay === "none") this.hasPast = false;
    this.peer = world.peer(socket);
    this.peer.connection.open(EVERYBODY);
    const begin = this.cursor === undefined ? { replay } : { since: this.cursor };
    this.peer.send("subscribe", { topics: this.topics, ...begin });
  }

  leave(): void {
    this.peer?.vanish();
    this.peer = undefined;
  }
}

async function live(happenings: readonly Happening[], tail: number, kept: number): Promise<void> {
  const bounds = { ...boundsOf({ maxEvents: tail }), channelBytes: kept };
  const world = await World.booted({ bounds });
  const watchers = [new Watcher(["data:a"]), new Watcher(TOPICS), new Watcher(["strategy:a", "task:status"])];
  let dropped = 0;
  for (const one of happenings) {
    const watcher = "who" in one ? watchers[one.who] : undefined;
    if (one.do === "publish") {
      const seq = world.log.lastSeq + 1;
      world.log.put({ subject: channelSubject(one), body: encoder.encode(String(seq)) });
    } else if (one.do === "come") watcher?.come(world, one.replay);
    else if (one.do === "follow") await world.follow();
    else if (one.do === "leave") watcher?.leave();
    else if (one.do === "stall") watcher?.peer?.socket.congest();
    else if (one.do === "read") watcher?.peer?.socket.drain();
    else if (one.do === "wait") world.clock.advance(100);
    else if (one.do === "retention") world.log.dropBefore(dropped = Math.ceil(world.log.lastSeq / 2));
    else {
      for (const each of watchers) each.leave();
      await world.restart();
    }
    await settled();
  }
  for (const each of watchers) each.peer?.socket.drain();
  for (const each of watchers) each.come(world, "latest");
  for (let i = 0; i < 12; i++) {
    await world.follow();
    world.clock.advance(1_000);
    await settled();
    for (const each of watchers) each.peer?.socket.drain();
  }
  assertEquals(world.faults, []);
  const truth = new Map<string, number>();
  for (const { seq, subject } of world.log.entries) {
    for (const topic of TOPICS) {
      for (const key of KEYS) {
        if (channelSubject({ topic, key }) === subject) truth.set(`${topic} ${key}`, seq);
      }
    }
  }
  for (const { topics, values, gaps } of watchers) {
    for (const [name, seq] of truth) {
      const [topic = ""] = name.split(" ");
      if (!topics.includes(topic)) continue;
      // Who asked for nothing of before need not have what nobody said since.
      const known = values.get(name) ?? 0;
      assert(known === seq || known === 0, `${name} is ${seq}, and not ${known}`);
    }
    assert(dropped > 0 || gaps === 0, "nobody is told of a gap where there is none");
  }
  const [one] = watchers;
  if (one?.hasPast === true && one?.gaps === 0 && dropped === 0) {
    const due = [...truth].filter(([name]) => name.startsWith("data:a "));
    assertEquals(due.filter(([name]) => !one.values.has(name)), [], "nothing is missing");
  }
}

Deno.test("whatever happens, who watches a channel ends with the last value of every key, and none goes back", async () => {
  const runs = 300 * Number(Deno.env.get("RUNS") ?? 1);
  await fc.assert(
    fc.asyncProperty(
      fc.array(happening, { minLength: 5, maxLength: 60, size: "max" }),
      fc.constantFrom(0, 4, 1_000),
      fc.constantFrom(0, 3_000, 1_000_000),
      live,
    ),
    { numRuns: runs },
  );
});
