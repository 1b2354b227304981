import { assert, assertEquals } from "@std/assert";
import type { Entry } from "../../src/log/event_log.ts";
import { isAtWork, isStale } from "../../src/task/fold.ts";
import { statusData } from "../../src/task/task.ts";
import { Truth } from "../connection/truth.ts";
import { Chance } from "./chance.ts";
import type { Happening, Plan } from "./faults.ts";
import { LINES, valueAt, WATCHED } from "./sim_channels.ts";
import { SimClient } from "./sim_client.ts";
import { isLink, SimGateway } from "./sim_gateway.ts";
import { SimFollower } from "./sim_follower.ts";
import { SimNetwork } from "./sim_network.ts";
import { SimStream } from "./sim_stream.ts";
import { SimTime } from "./sim_time.ts";
import { SimWorker } from "./sim_worker.ts";

/** How long everything may take to come to rest once nothing goes wrong any more, ms. */
const REST_MS = 200_000;

const decoder = new TextDecoder();

/** More steps than any simulation takes that comes to rest. */
const MOST_STEPS = 50_000;

/** What a simulation came to. */
export type Outcome = {
  /** The first thing that was wrong. */
  readonly failure: Error | undefined;
  /** What happened, a line each. */
  readonly trace: readonly string[];
  /** Timers that ran, and events in the log. */
  readonly steps: number;
  readonly events: number;
};

/** Runs a plan to its end, and judges it. The same plan comes to the same outcome, step by step. */
export async function simulate(plan: Plan): Promise<Outcome> {
  const simulation = new Simulation(plan);
  let failure: Error | undefined;
  try {
    await simulation.run();
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
  }
  const { trace, time, published } = simulation;
  return { failure, trace, steps: time.steps, events: published };
}

class Simulation {
  readonly time = new SimTime();
  readonly trace: string[] = [];
  readonly #plan: Plan;
  readonly #stream = new SimStream(() => this.time.now());
  readonly #network: SimNetwork;
  readonly #gateways: SimGateway[];
  readonly #workers: SimWorker[];
  readonly #clients: SimClient[];
  readonly #followers: readonly SimFollower[];
  readonly #tasks: readonly string[];
  readonly #faults: unknown[] = [];
  #works = 0;
  #lives = 0;
  /** Whether some of what was written is gone, and the stream is another one than at the beginning. */
  #isForgotten = false;

  constructor(plan: Plan) {
    this.#plan = plan;
    const chance = new Chance(plan.seed).of("world");
    const { time } = this;
    const env = {
      TAIL_EVENTS: String(plan.tailEvents),
      STALE_AFTER_MS: String(plan.staleMs),
      REAP_AFTER_MS: String(plan.reapMs),
    };
    const gatewayWorld = {
      time,
      stream: this.#stream,
      chance: chance.of("gateways"),
      asksForTokens: plan.tokenMs !== undefined,
      incident: (error: unknown) => void this.#faults.push(error),
      env,
      plugins: plan.channels === true ? [LINES] : [],
    };
    this.#tasks = Array.from({ length: plan.tasks }, (_, i) => `t${i}`);
    this.#gateways = Array.from({ length: plan.gateways }, (_, i) => new SimGateway(`g${i}`, gatewayWorld));
    this.#network = new SimNetwork(time, (url, socket, own) => {
      assert(isLink(socket));
      const ready = this.#gateways.filter(({ pipeline, isDraining }) =>
        pipeline !== undefined && !isDraining
      );
      return ready.length === 0 ? undefined : own.pick(ready).accept(url, socket);
    });
    const workers = chance.of("workers");
    this.#workers = Array.from({ length: plan.workers }, (_, i) => this.#worker(`w${i}`, workers));
    const clientWorld = {
      time,
      network: this.#network,
      chance: chance.of("clients"),
      tokenMs: plan.tokenMs,
      head: () => this.published,
    };
    this.#clients = Array.from(
      { length: plan.clients },
      (_, i) => new SimClient(`c${i}`, this.#tasks, clientWorld),
    );
    const watched = plan.channels === true ? WATCHED : [];
    this.#followers = watched.map((topics, i) => new SimFollower(`f${i}`, topics, clientWorld));
  }

  /** How many events the log has. */
  get published(): number {
    return this.#stream.extent.lastSeq;
  }

  async run(): Promise<void> {
    for (const gateway of this.#gateways) gateway.start();
    let atMs = 0;
    for (const happening of this.#plan.happenings) {
      await this.#pass(happening.atMs - atMs);
      atMs = happening.atMs;
      this.#happen(happening);
    }
    await this.#pass(2_000);
    this.#heal();
    await this.#pass(REST_MS);
    this.#judge();
    for (const client of [...this.#clients, ...this.#followers]) client.close();
    await this.#pass(100);
    assertEquals(this.#network.links.length, 0, "no link is left");
  }

  async #pass(ms: number): Promise<void> {
    await this.time.pass(ms, () => this.#assertSound());
  }

  /** Holds after every step. */
  #assertSound(): void {
    if (this.time.steps > MOST_STEPS) throw new Error("it comes to no rest");
    const [fault] = [
      ...this.#faults,
      ...this.#clients.flatMap(({ faults }) => faults),
      ...this.#followers.flatMap(({ faults }) => faults),
      ...this.#workers.flatMap(({ faults }) => faults),
    ];
    if (fault !== undefined) throw fault;
    for (const gateway of this.#gateways) this.#assertBounded(gateway);
  }

  /** What a gateway keeps is bounded by its settings and by who is connected. */
  #assertBounded({ name, pipeline, connections }: SimGateway): void {
    if (pipeline === undefined) return;
    const { projection: { tail }, router, liveness } = pipeline;
    assert(tail.size <= this.#plan.tailEvents, `${name} keeps ${tail.size} events`);
    assert(router.audiences <= connections.length, `${name} has ${router.audiences} audiences`);
    assert((liveness?.stale ?? 0) <= this.#plan.tasks, `${name} takes ${liveness?.stale} tasks for stale`);
  }

  #happen({ fault, who }: Happening): void {
    this.trace.push(`${((this.time.now() - this.time.startMs) / 1_000).toFixed(3)} s: ${fault} (${who})`);
    const gateway = this.#gateways[who % this.#gateways.length];
    const client = this.#clients[who % this.#clients.length];
    const worker = this.#workers[who % this.#workers.length];
    const link = this.#network.links[who % Math.max(1, this.#network.links.length)];
    switch (fault) {
      case "work": {
        const task = `t${who % this.#tasks.length}`;
        return worker?.work(task, this.#works++ % 2 === 0 ? ["a"] : []);
      }
      case "publish":
        if (this.#stream.isUp) this.#stream.publish(valueAt(this.published + 1, who));
        return;
      case "fidget":
        return client?.fidget(this.#tasks);
      case "ask":
        return client?.ask(this.#tasks);
      case "cut a link":
        return link?.cut();
      case "cut all links":
        return this.#network.links.forEach((one) => one.cut());
      case "mute a link":
        return link?.mute();
      case "stall a reader":
        return link?.stall(true);
      case "read again":
        return link?.stall(false);
      case "kill a gateway":
        return gateway?.kill();
      case "drain a gateway":
        return void gateway?.drain();
      case "unlink a gateway":
      case "link a gateway":
        if (gateway !== undefined) gateway.log.isLinked = fault === "link a gateway";
        return this.#stream.changed();
      case "lose answers":
        if (gateway !== undefined) gateway.log.losses = 0.3;
        return;
      case "slow the log":
        if (gateway !== undefined) gateway.log.latencyMs = 250;
        return;
      case "heal the log":
        if (gateway !== undefined) [gateway.log.losses, gateway.log.latencyMs] = [0, 4];
        return;
      case "stop the stream":
      case "start the stream":
        this.#stream.isUp = fault === "start the stream";
        return this.#stream.changed();
      case "let retention take":
        this.#isForgotten = true;
        return this.#stream.dropBefore(Math.ceil(this.#stream.extent.lastSeq * (0.2 + who / 15)));
      case "make the stream anew":
        this.#isForgotten = true;
        return this.#stream.recreate();
      case "unlink a worker":
      case "link a worker":
        if (worker !== undefined) worker.isLinked = fault === "link a worker";
        return;
      case "lose acknowledgements":
        if (worker !== undefined) worker.losses = 0.4;
        return;
      case "kill a worker": {
        const at = who % this.#workers.length;
        worker?.die();
        this.#workers[at] = this.#worker(
          `w${at}-${++this.#lives}`,
          new Chance(this.#plan.seed + this.#lives),
        );
        return;
      }
    }
  }

  #worker(name: string, chance: Chance): SimWorker {
    return new SimWorker(name, { time: this.time, stream: this.#stream, chance });
  }

  /** Nothing goes wrong from now on. */
  #heal(): void {
    this.#stream.isUp = true;
    for (const { log } of this.#gateways) [log.isLinked, log.losses, log.latencyMs] = [true, 0, 4];
    for (const worker of this.#workers) [worker.isLinked, worker.losses] = [true, 0];
    for (const link of this.#network.links) link.stall(false);
    this.#stream.changed();
  }

  #judge(): void {
    const truth = new Truth();
    for (const entry of this.#stream.archive) truth.add(entry);
    for (const client of [...this.#clients, ...this.#followers]) client.assertAtRest();
    this.#judgeGateways(truth);
    this.#judgeClients(truth);
    this.#judgeLiveness(truth);
    this.#judgeChannels();
    const { epoch, firstSeq } = this.#stream.extent;
    for (const { acknowledged } of this.#workers) {
      for (const { id, epoch: life, seq } of acknowledged) {
        if (life !== epoch || seq < firstSeq) continue;
        assert(this.#stream.has(id), `event ${id} was acknowledged, and is in the log`);
      }
    }
  }

  /** Every gateway knows what the log says, and the same as every other. */
  #judgeGateways(truth: Truth): void {
    for (const { name, pipeline, connections } of this.#gateways) {
      assert(pipeline !== undefined, `${name} is ready`);
      assertEquals(pipeline.reasons, [], `${name} is ready`);
      assertEquals(pipeline.projection.head, this.#stream.extent.lastSeq, `${name} has read all`);
      for (const connection of connections) {
        assertEquals(connection.stateName, "live", `a connection of ${name} is live`);
      }
      for (const [id, { state }] of truth.tasks) {
        // Who read an event before it was taken, or hidden by one of a lower attempt, knows more than who did not.
        if (!this.#isWhole(id) || truth.tasks.get(id)?.straggled === true) continue;
        const record = pipeline.projection.tasks.get(id);
        assert(record !== undefined, `${name} knows ${id}`);
        // Not how fast it goes: who has just started does not know that before the next progress.
        assertEquals(statusData(record.state, undefined), statusData(state, undefined), `${id} on ${name}`);
      }
    }
  }

  /** Workers that are there have ended their tasks by now: what is at work is known to be lost, and was said to be once. */
  #judgeLiveness(truth: Truth): void {
    for (const [id, { state, straggled }] of truth.tasks) {
      if (!this.#isWhole(id) || straggled) continue;
      assert(!isAtWork(state) || isStale(state), `${id} is known to be lost`);
      assert(!isAtWork(state) || this.#plan.reapMs === 0, `${id} has failed, as it is lost`);
    }
    const said = new Map<string, number>();
    for (const { seq, subject, body } of this.#stream.entries) {
      if (!/\.(stale|failed)$/.test(subject)) continue;
      const { attempt, through, reason = "" } = JSON.parse(decoder.decode(body));
      if (reason === "" && through === undefined) continue; // its worker says so
      const heard = subject.endsWith(".stale") ? this.#heardUpTo(subject, through) : "";
      const what = `${subject} ${attempt} ${heard}`;
      assertEquals(said.get(what), undefined, `${what} is said once, and not at ${seq} too`);
      said.set(what, seq);
    }
  }

  /** The position of the last that was said of a stale task's worker up to a position. */
  #heardUpTo(staleSubject: string, through: number): number {
    const task = staleSubject.slice(0, -"stale".length);
    const isHeard = ({ subject, seq }: Entry): boolean =>
      seq <= through && subject.startsWith(task) && !/\.(stale|cancel_requested)$/.test(subject);
    return this.#stream.archive.findLast(isHeard)?.seq ?? 0;
  }

  #judgeChannels(): void {
    const { archive, taken } = this.#stream;
    const isForgotten = this.#isForgotten;
    for (const { witness } of this.#followers) witness.assertKnows(archive, { taken, isForgotten });
  }

  /** Whether all there is of a task is in the log yet. */
  #isWhole(taskId: string): boolean {
    const first = this.#stream.archive.find(({ subject }) => subject.startsWith(`task.${taskId}.`));
    return first !== undefined && first.seq > this.#stream.taken;
  }

  #judgeClients(truth: Truth): void {
    const isCertain = (seq: number): boolean => {
      const [, id = ""] = this.#stream.archive.find((entry) => entry.seq === seq)?.subject.split(".") ?? [];
      return truth.tasks.get(id)?.straggled !== true;
    };
    const told = [...truth.told.values()].flatMap(({ seq, status }) => status === undefined ? [] : [seq])
      .filter(isCertain);
    for (const { name, history, stores } of this.#clients) {
      const from = Math.max(history.from, this.#stream.taken);
      const due = told.filter((seq) => seq > from).map((seq) => `status_${seq}`);
      const missed = due.filter((id) => !history.seen.includes(id));
      assertEquals(
        missed,
        [],
        `${name} was told every change after ${from}, and not ${missed}, but ${history.seen}; gaps ${history.gaps}, taken ${this.#stream.taken}, last ${this.#stream.extent.lastSeq}`,
      );
      if (!this.#isForgotten) {
        assertEquals(history.gaps, 0, `${name} was told of no gap, as there was none`);
        const seen = history.seen.filter((id) => isCertain(Number(id.slice("status_".length))));
        assertEquals(seen, due, `${name} was told every change, in order, once`);
      }
      for (const [id, store] of stores) {
        const view = store.getSnapshot();
        assertEquals(view.isStale, false, `${name} shows ${id} as live`);
        const task = truth.tasks.get(id);
        if ((this.#isForgotten && !this.#isWhole(id)) || task?.straggled === true) continue;
        const data = task && statusData(task.state, task.pace);
        assertEquals(view.status, data?.status, `${name} shows the status of ${id}`);
        assertEquals(
          view.progress?.completed,
          data?.progress.completed,
          `${name} shows the progress of ${id}`,
        );
      }
    }
  }
}
