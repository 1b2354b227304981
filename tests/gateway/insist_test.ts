import { assert, assertEquals } from "@std/assert";
import { Gate } from "../../src/access/gate.ts";
import { insist } from "../../src/gateway/insist.ts";
import { Pipeline } from "../../src/gateway/pipeline.ts";
import type { Plugin } from "../../src/plugins/plugin.ts";
import { readSettings } from "../../src/settings/settings.ts";
import { createTelemetry } from "../../src/telemetry/telemetry.ts";
import { MemoryLog } from "../connection/memory_log.ts";
import { eventually } from "../eventually.ts";
import { ManualClock } from "../router/manual_clock.ts";

/** What was awaited is there. */
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

Deno.test("what fails is done again, later each time, until it works, and its failure is told once", async () => {
  const clock = new ManualClock(0);
  const tries: number[] = [];
  const told: unknown[] = [];
  const deed = (): Promise<void> => {
    tries.push(clock.elapsed());
    return tries.length < 9 ? Promise.reject(new Error(`${tries.length}`)) : Promise.resolve();
  };
  const failed = (error: unknown): void => void told.push(String(error));
  const done = insist(deed, { clock, signal: new AbortController().signal, failed });
  for (let i = 0; i < 130; i++) {
    await turn();
    clock.advance(500);
  }
  await done;
  assertEquals(tries.map((atMs) => atMs / 500), [0, 1, 3, 7, 15, 31, 63, 95, 127]);
  assertEquals([told, clock.pending], [["Error: 1"], 0]);
});

Deno.test("what nobody wants any more is done no more, and nothing waits for its turn", async () => {
  const clock = new ManualClock(0);
  const over = new AbortController();
  let tries = 0;
  const deed = (): Promise<void> => Promise.reject(new Error(`${++tries}`));
  const done = insist(deed, { clock, signal: over.signal, failed: () => {} });
  await turn();
  assertEquals([tries, clock.pending], [1, 1]);
  over.abort();
  await done;
  assertEquals([tries, clock.pending], [1, 0]);
});

const CHAT: Plugin = { name: "chatting", namespaces: [{ name: "chat" }] };

/** A pipeline over a log of which namespaces cannot be read while it is away. */
class Outage implements AsyncDisposable {
  readonly log = new MemoryLog({ now: () => 0 });
  readonly clock = new ManualClock();
  readonly warnings: string[] = [];
  readonly pipeline: Pipeline;
  isAway = false;
  tries = 0;
  /** Called once when the whole log was walked for the state. */
  walked = (): void => {};

  constructor() {
    const read = readSettings({ STALE_AFTER_MS: "0" });
    assert("settings" in read);
    const { log, clock } = this;
    const lasts = log.lastPerSubject.bind(log);
    const beginning = (subject: string | undefined): void => {
      if (subject === undefined) return;
      this.tries++;
      if (this.isAway) throw new Error("it is away");
    };
    const ended = (subject: string | undefined): void => {
      if (subject !== undefined) return;
      this.walked();
      this.walked = () => {};
    };
    log.lastPerSubject = async function* (subject) {
      beginning(subject);
      yield* lasts(subject);
      ended(subject);
    };
    this.pipeline = new Pipeline({
      log,
      settings: read.settings,
      telemetry: createTelemetry({
        newId: () => "id",
        log: {
          debug: () => {},
          info: () => {},
          warn: (message) => void this.warnings.push(message),
          error: (message) => void this.warnings.push(message),
        },
      }),
      clock,
      gate: new Gate(undefined, { now: () => 0 }),
      connections: () => [],
    });
  }

  say(text: string): number {
    return this.log.put({ subject: "data.~chat.room", body: new TextEncoder().encode(JSON.stringify(text)) });
  }

  get held(): readonly string[] {
    return this.pipeline.projection.channels.newestFirst().map(({ topic, seq }) => `${topic} ${seq}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pipeline[Symbol.asyncDispose]();
    await this.log[Symbol.asyncDispose]();
  }
}

const AWAY = "Channels are asked of the log each time, for now";

Deno.test("the channels of a namespace that came while the log was away are held once it is back", async () => {
  await using outage = new Outage();
  const { pipeline, clock, warnings } = outage;
  outage.say("one");
  await pipeline.start();
  outage.isAway = true;
  pipeline.plugins.add(CHAT);
  await eventually("it was tried", () => warnings.length === 1);
  for (let tries = 2; tries < 5; tries++) {
    clock.advance(10_000);
    await eventually("it is tried again", () => outage.tries === tries);
    await turn();
  }
  assertEquals([outage.held, warnings], [[], [AWAY]]);
  outage.isAway = false;
  const last = outage.say("two");
  await eventually("it is followed", () => pipeline.projection.head === last);
  clock.advance(10_000);
  await eventually("it is held", () => outage.held.join() === "chat:room 2");
  assertEquals(warnings, [AWAY]);
});

Deno.test("so are those of one that came while the state was built, and of one that left meanwhile nothing is read", async () => {
  await using outage = new Outage();
  const { pipeline, clock, warnings, log } = outage;
  await pipeline.start();
  outage.walked = () => {
    outage.isAway = true;
    pipeline.plugins.add(CHAT);
  };
  log.recreate();
  outage.say("anew");
  await eventually("it was tried when it came, and after that", () => outage.tries === 2);
  await eventually("it is said", () => warnings.filter((message) => message === AWAY).length === 2);
  clock.advance(500);
  await eventually("the one that counts is tried again", () => outage.tries === 3);
  await turn();
  assertEquals(outage.held, []);
  outage.isAway = false;
  clock.advance(1_000);
  await eventually("it is held", () => outage.held.join() === "chat:room 1");
  assertEquals(outage.tries, 4);

  outage.isAway = true;
  for (const tries of [5, 6]) {
    pipeline.plugins.disable("chatting");
    pipeline.plugins.enable("chatting");
    await eventually("it was tried", () => outage.tries === tries);
    await turn();
  }
  clock.advance(500);
  await turn();
  assertEquals(outage.tries, 7, "the one that came last is tried again");
  pipeline.plugins.disable("chatting");
  clock.advance(60_000);
  await turn();
  assertEquals(outage.tries, 7);
});
