import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { channelSubject } from "../../src/channel/channel_subject.ts";
import { connect, type PushedFrame } from "../../src/client/client.ts";
import { settled, World } from "../connection/world.ts";
import { Wire } from "./wire.ts";

const TOPICS = ["data:a", "data:b", "strategy:a"];
const KEYS = ["", "x", "y"];
const encoder = new TextEncoder();

const happening = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      topic: fc.constantFrom(...TOPICS),
      key: fc.constantFrom(...KEYS),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1, 40, 400, 9_000) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("cut" as const, "mute" as const, "restart" as const) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("watch" as const),
      topics: fc.subarray(TOPICS, { minLength: 1 }),
      replay: fc.constantFrom("latest" as const, "none" as const, "all" as const),
      maxRateHz: fc.constantFrom(undefined, 0.2, 3, 50),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("unwatch" as const), which: fc.nat(3) }) },
);

/** What one watch was told: the last value of each key, and that none went back. */
class Witness {
  readonly topics: readonly string[];
  readonly values = new Map<string, number>();

  constructor(topics: readonly string[]) {
    this.topics = topics;
  }

  take(frame: PushedFrame): void {
    if (frame.type !== "data_update" && frame.type !== "strategy_update") return;
    const { topic, key = "", payload } = frame.data;
    assert(this.topics.includes(topic), `${topic} is none of ${this.topics}`);
    assert(typeof payload === "number");
    const name = `${topic} ${key}`;
    assert(
      payload > (this.values.get(name) ?? 0),
      `${name} goes on from ${this.values.get(name)} to ${payload}`,
    );
    this.values.set(name, payload);
  }
}

async function live(
  happenings: readonly (typeof happening extends fc.Arbitrary<infer T> ? T : never)[],
): Promise<void> {
  const world = await World.booted();
  const wire = new Wire(world);
  const { clock } = world;
  const client = connect("ws://gateway/ws", { clock, open: wire.socket, random: () => 0.5, maxRateHz: 0.5 });
  const first = new Witness(TOPICS);
  client.subscribe(TOPICS, (frame) => first.take(frame), { replay: "all" });
  const others: { readonly witness: Witness; readonly hasPast: boolean; readonly stop: () => void }[] = [];
  const faults: unknown[] = [];
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 200) {
      clock.advance(Math.min(left, 200));
      await settled();
    }
  };
  const noteFault = (event: ErrorEvent): void => {
    event.preventDefault();
    faults.push(event.error);
  };
  globalThis.addEventListener("error", noteFault);
  try {
    for (const one of happenings) {
      if (one.do === "publish") {
        world.log.put({ subject: channelSubject(one), body: encoder.encode(String(world.log.lastSeq + 1)) });
        await world.follow();
      } else if (one.do === "pass") await pass(one.ms);
      else if (one.do === "cut") wire.cut();
      else if (one.do === "mute") wire.mute();
      else if (one.do === "restart") {
        wire.cut();
        await world.restart();
      } else if (one.do === "watch") {
        const witness = new Witness(one.topics);
        const { unsubscribe } = client.subscribe(one.topics, (frame) => witness.take(frame), {
          replay: one.replay,
          maxRateHz: one.maxRateHz,
        });
        others.push({ witness, hasPast: one.replay !== "none", stop: unsubscribe });
      } else if (one.do === "unwatch") others.splice(one.which, 1).forEach(({ stop }) => stop());
      await settled();
    }
    await pass(180_000);
    const { topic, seq } = await answered(client.publish("data:a", world.log.lastSeq + 1), pass, world);
    assertEquals([topic, seq], ["data:a", world.log.lastSeq]);
    await pass(5_000);
  } finally {
    client.close();
    globalThis.removeEventListener("error", noteFault);
  }
  assertEquals([...world.faults, ...faults], [], "nothing failed");
  const truth = new Map<string, number>();
  for (const { seq, subject } of world.log.entries) {
    for (const topic of TOPICS) {
      for (const key of KEYS) {
        if (channelSubject({ topic, key }) === subject) truth.set(`${topic} ${key}`, seq);
      }
    }
  }
  assertEquals(
    Object.fromEntries(first.values),
    Object.fromEntries(truth),
    "it has the last value of every key",
  );
  for (const { witness: { topics, values }, hasPast } of others) {
    for (const [name, seq] of truth) {
      if (!topics.some((topic) => name.startsWith(`${topic} `))) continue;
      const known = values.get(name);
      assert(known === seq || (known === undefined && !hasPast), `${name} is ${seq}, and not ${known}`);
    }
  }
}

/** What a request comes to, while the world goes on. */
async function answered<T>(asked: Promise<T>, pass: (ms: number) => Promise<void>, world: World): Promise<T> {
  let isOver = false;
  asked.finally(() => isOver = true).catch(() => {});
  for (let i = 0; i < 50 && !isOver; i++) {
    await pass(20);
    await world.follow();
  }
  return await asked;
}

Deno.test("whatever becomes of the connection, a client ends with the last value of every key, and is told none twice", async () => {
  const runs = 100 * Number(Deno.env.get("RUNS") ?? 1);
  await fc.assert(fc.asyncProperty(fc.array(happening, { minLength: 3, maxLength: 40, size: "max" }), live), {
    numRuns: runs,
  });
});
