import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { LogError } from "../../src/log/event_log.ts";
import { UNDER_WAY_FACTOR } from "../../src/projection/task_table.ts";
import { boundsOf } from "../projection/bounds.ts";
import { type Peer, settled, World } from "./world.ts";

const HOUR_MS = 3_600_000;
const STEP_MS = 40_000;

const TOPICS = ["task:progress", "task:status", "task:list", "task:tag:a", "task:tag:b:status", "task:id:t1"];
const KINDS = [
  "created",
  "started",
  "progress",
  "progress",
  "progress",
  "paused",
  "resumed",
  "completed",
] as const;

/** A stream of numbers below `max` that is the same in every run. */
function dice(seed: number): (max: number) => number {
  let state = seed;
  return (max) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * max);
  };
}

/** One of `items`. */
function pick<T>(roll: (max: number) => number, items: readonly T[]): T {
  const item = items[roll(items.length)];
  if (item === undefined) throw new RangeError("nothing to pick from");
  return item;
}

/** What a gateway keeps in memory that grows with its clients. */
function kept({ router, clock }: World): Record<string, number> {
  return { audiences: router.audiences, topics: router.topics, timers: clock.pending };
}

/** A day of clients that come, ask, lag, and go, while tasks begin and end and the log is away at times. */
class Day {
  readonly world: World;
  readonly #roll: (max: number) => number;
  readonly #peers = new Set<Peer>();
  #tasks = 0;
  connected = 0;
  outages = 0;

  constructor(world: World, seed: number) {
    this.world = world;
    this.#roll = dice(seed);
  }

  async live(hours: number): Promise<void> {
    const { clock, log } = this.world;
    const endMs = clock.now() + hours * HOUR_MS;
    while (clock.now() < endMs) {
      const isAway = this.#roll(40) === 0;
      if (isAway) this.outages++;
      log.gate = () => isAway ? Promise.reject(new LogError("unreachable", "away")) : Promise.resolve();
      for (let i = this.#roll(4); i > 0; i--) this.#event();
      this.#client();
      if (!isAway) await this.world.follow();
      clock.advance(STEP_MS);
      if (this.#roll(8) === 0) log.dropBefore(log.lastSeq - 500);
      if (this.#roll(20) === 0) await settled();
    }
    log.gate = () => Promise.resolve();
    await this.world.follow();
    await settled();
  }

  everybodyLeaves(): void {
    for (const peer of this.#peers) peer.vanish();
    this.#peers.clear();
    this.world.clock.advance(HOUR_MS);
  }

  #event(): void {
    const roll = this.#roll;
    if (roll(3) === 0) this.#tasks++;
    const id = `t${Math.max(0, this.#tasks - roll(30))}`;
    this.world.put(id, pick(roll, KINDS), {
      tags: [pick(roll, ["a", "b"])],
      completed: roll(100),
      total: 100,
    });
  }

  #client(): void {
    const roll = this.#roll;
    if (this.#peers.size < 20 && roll(2) === 0) {
      this.connected++;
      const peer = this.world.connect({ codec: pick(roll, ["json", "json-batch"]) });
      peer.socket.onWritten = () => peer.socket.written.splice(0);
      this.#peers.add(peer);
    }
    if (this.#peers.size === 0) return;
    const peer = pick(roll, [...this.#peers]);
    const topics = [pick(roll, TOPICS), `task:id:t${roll(this.#tasks + 1)}`];
    const since = { epoch: this.world.log.epoch, seq: Math.max(0, this.world.router.head - roll(900)) };
    const { socket, connection } = peer;
    const deeds: readonly (() => void)[] = [
      () => peer.send("subscribe", { topics }),
      () => peer.send("subscribe", { topics, replay: "all" }),
      () => peer.send("subscribe", { topics, since }),
      () => peer.send("unsubscribe", { topics: TOPICS }),
      () => peer.send("get_tasks", { limit: 3 }),
      () => peer.send("get_task", { task_id: `t${roll(this.#tasks + 1)}` }),
      () => peer.send("get_history", { task_id: `t${roll(this.#tasks + 1)}` }),
      () => socket.congest(),
      () => socket.drain(),
      () => connection.receive(pick(roll, ["{", "[]", '{"type":"x","id":"1"}'])),
      () => this.#leaves(peer, () => peer.vanish()),
      () => this.#leaves(peer, () => connection.close("idle")),
    ];
    pick(roll, deeds)();
    if (connection.stateName === "closed") this.#peers.delete(peer);
  }

  #leaves(peer: Peer, how: () => void): void {
    how();
    this.#peers.delete(peer);
  }
}

Deno.test({
  name: "after a day of comings and goings nothing is left of those who have gone",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const world = await World.booted({
      bounds: boundsOf({ maxTasks: 200, maxEvents: 300, whereaboutsBytes: 20_000 }),
    });
    const day = new Day(world, 4711);
    await day.live(24);
    assert(day.connected > 100, `${day.connected} connections`);
    assert(world.projection.head > 2_000, `${world.projection.head} events`);
    assert(day.outages > 10, `${day.outages} outages`);
    assert(world.router.audiences > 0, "somebody is there at midnight");
    day.everybodyLeaves();
    await settled();
    assertEquals(kept(world), { audiences: 0, topics: 0, timers: 0 });
    assertEquals(world.faults, []);
    const { projection } = world;
    const { tasks, tail } = projection;
    assert(tasks.size <= 200 * UNDER_WAY_FACTOR && tail.size <= 300, "the memory is within its bounds");
    assert(
      tasks.size <= 200 || [...tasks.all()].every(({ id }) => tasks.isActive(id)),
      "only tasks under way are more than there is room for",
    );
    assert(projection.whereabouts.bytes <= 20_000);
    const { writes, flushes } = world.routed;
    for (let i = 0; i < 50; i++) world.put("t0", "progress", { completed: i });
    await world.follow();
    world.clock.advance(HOUR_MS);
    assertEquals([world.routed.writes, world.routed.flushes], [writes, flushes], "and nobody is written to");
  },
});

Deno.test("so it is after any hour", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const world = await World.booted({ bounds: boundsOf({ maxTasks: 20, maxEvents: 10 }) });
      const day = new Day(world, seed);
      await day.live(1);
      day.everybodyLeaves();
      await settled();
      assertEquals(kept(world), { audiences: 0, topics: 0, timers: 0 });
      assertEquals(world.faults, []);
    }),
    { numRuns: 20 },
  );
});

Deno.test("a connection that has gone can be forgotten: nothing that lives on holds it", async () => {
  const world = await World.booted();
  let collected = 0;
  const registry = new FinalizationRegistry(() => collected++);
  const come = (i: number): void => {
    const peer = world.connect({ query: { topics: ["task:status", `task:id:t${i}`] } });
    registry.register(peer.connection, i);
    peer.vanish();
  };
  for (let i = 0; i < 500; i++) come(i);
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  for (let i = 0; i < 100 && collected < 500; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  // The last may still be on the stack of the engine.
  assert(collected >= 490, `${collected} of 500 were collected`);
});
