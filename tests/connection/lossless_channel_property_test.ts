import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { EVERYBODY } from "../../src/access/access.ts";
import { CHANNELS, TASKS } from "../../src/channel/built_in.ts";
import { channelSubject } from "../../src/channel/channel_subject.ts";
import { Namespaces } from "../../src/channel/namespaces.ts";
import { boundsOf } from "../projection/bounds.ts";
import { FakeSocket } from "./fake_socket.ts";
import { type Peer, settled, World } from "./world.ts";

/** Of each, one about a task and one about none. */
const LOSSLESS = ["task:id:job:log", "chat:room"];
const HELD = [["task:id:job:log"], ["chat:room"], ["task:id:job:log", "task:id:job"], [
  "task:id:job:log",
  "chat:room",
  "task:status",
]];
const encoder = new TextEncoder();

type Happening =
  | { readonly do: "publish"; readonly topic: string }
  | { readonly do: "event" | "restart" }
  | { readonly do: "follow" | "come" | "leave" | "stall" | "read" | "wait"; readonly who: number };

const who = fc.nat(HELD.length - 1);
const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("publish" as const), topic: fc.constantFrom(...LOSSLESS) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("event" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "follow" as const,
        "come" as const,
        "leave" as const,
        "stall" as const,
        "read" as const,
        "wait" as const,
      ),
      who,
    }),
  },
);

/** A client that asks for all there ever was, and goes on from its cursor when it comes back. */
class Reader {
  readonly topics: readonly string[];
  readonly seen: number[] = [];
  peer: Peer | undefined;
  #cursor: { readonly epoch: string; readonly seq: number } | undefined;

  constructor(topics: readonly string[]) {
    this.topics = topics;
  }

  come(world: World): void {
    if (this.peer !== undefined || world.isRestarting) return;
    const socket = new FakeSocket();
    socket.onWritten = ({ frame }) => {
      const seq = frame.type === "caught_up"
        ? frame.data.seq
        : "seq" in frame && frame.type !== "gap"
        ? frame.seq
        : undefined;
      if (frame.type === "channel_update") {
        assert(seq !== undefined && seq === frame.data.payload, "a value is of its position");
        this.seen.push(seq);
      }
      if (seq !== undefined && seq >= (this.#cursor?.seq ?? 0)) {
        this.#cursor = { epoch: world.log.epoch, seq };
      }
    };
    this.peer = world.peer(socket);
    this.peer.connection.open(EVERYBODY);
    const begin = this.#cursor === undefined ? { replay: "all" } : { since: this.#cursor };
    this.peer.send("subscribe", { topics: this.topics, ...begin });
  }

  leave(): void {
    this.peer?.vanish();
    this.peer = undefined;
  }
}

async function live(happenings: readonly Happening[], tail: number): Promise<void> {
  const lines = { conflation: "all", retained: false } as const;
  const namespaces = new Namespaces([
    TASKS,
    ...CHANNELS,
    { name: "log", of: "task", ...lines },
    { name: "chat", ...lines },
  ]);
  const world = await World.booted({ bounds: { ...boundsOf({ maxEvents: tail }), namespaces } });
  const readers = HELD.map((topics) => new Reader(topics));
  world.put("job", "created");
  const published: (readonly [topic: string, seq: number])[] = [];
  for (const one of happenings) {
    const reader = "who" in one ? readers[one.who] : undefined;
    if (one.do === "publish") {
      const seq = world.log.lastSeq + 1;
      world.log.put({ subject: channelSubject({ ...one, key: "" }), body: encoder.encode(String(seq)) });
      published.push([one.topic, seq]);
    } else if (one.do === "event") world.put("other", "progress", { completed: world.log.lastSeq });
    else if (one.do === "come") reader?.come(world);
    else if (one.do === "follow") await world.follow();
    else if (one.do === "leave") reader?.leave();
    else if (one.do === "stall") reader?.peer?.socket.congest();
    else if (one.do === "read") reader?.peer?.socket.drain();
    else if (one.do === "wait") world.clock.advance(100);
    else {
      for (const each of readers) each.leave();
      await world.restart();
    }
    await settled();
  }
  for (let i = 0; i < 12; i++) {
    for (const each of readers) {
      each.peer?.socket.drain();
      each.come(world);
    }
    await world.follow();
    world.clock.advance(1_000);
    await settled();
  }
  assertEquals(world.faults, []);
  for (const { topics, seen } of readers) {
    const due = published.filter(([topic]) => topics.includes(topic)).map(([, seq]) => seq);
    assertEquals(seen, due, `of ${topics}`);
  }
}

Deno.test("whatever happens, who asked for all of a channel of which nothing is merged has every value, once and in order", async () => {
  const runs = 300 * Number(Deno.env.get("RUNS") ?? 1);
  await fc.assert(
    fc.asyncProperty(
      fc.array(happening, { minLength: 5, maxLength: 60, size: "max" }),
      fc.constantFrom(0, 4, 1_000),
      live,
    ),
    { numRuns: runs },
  );
});
