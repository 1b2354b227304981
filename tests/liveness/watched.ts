import { setImmediate } from "node:timers";
import { Liveness, type LivenessOptions } from "../../src/liveness/liveness.ts";
import { Projection } from "../../src/projection/projection.ts";
import { statusData } from "../../src/task/task.ts";
import { MemoryLog } from "../connection/memory_log.ts";
import { boundsOf } from "../projection/bounds.ts";
import { ManualClock } from "../router/manual_clock.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What one gateway knows of the log, and how it looks after the tasks. Nothing is known before {@link Watched.boot}. */
export class Watched {
  readonly projection: Projection;
  readonly troubles: unknown[] = [];
  readonly liveness: Liveness;
  readonly #log: MemoryLog;
  isListening = true;

  constructor(log: MemoryLog, clock: ManualClock, options: Partial<LivenessOptions> = {}) {
    this.#log = log;
    this.projection = new Projection(log, boundsOf());
    this.liveness = new Liveness({
      log,
      projection: this.projection,
      append: (entries) => log.append(entries),
      clock,
      random: () => 0,
      staleAfterMs: 30_000,
      reapAfterMs: 0,
      isListening: () => this.isListening,
      onTrouble: (error) => void this.troubles.push(error),
      ...options,
    });
  }

  async boot(): Promise<void> {
    await this.projection.boot();
    await this.projection.learnWhereabouts(new AbortController().signal);
    this.liveness.start();
  }

  async follow(): Promise<void> {
    const { head } = this.projection;
    await this.projection.apply(this.#log.entries.filter(({ seq }) => seq > head));
  }

  /** A task's status and liveness. */
  told(taskId: string): string {
    const record = this.projection.tasks.get(taskId);
    if (record === undefined) return "unknown";
    const { status, liveness, reason } = statusData(record.state, undefined);
    return [status, liveness, reason].filter((word) => word !== null).join(" ");
  }
}

/** A log and gateways on it, and time that a test moves. */
export class Watch {
  readonly clock = new ManualClock();
  readonly log: MemoryLog;
  readonly gateways: Watched[] = [];

  constructor(retention: { readonly retainPerSubject?: number; readonly dedupWindowMs?: number } = {}) {
    this.log = new MemoryLog({ ...retention, now: () => this.clock.now() });
  }

  /** A gateway that has just started. */
  async gateway(options: Partial<LivenessOptions> = {}): Promise<Watched> {
    const gateway = new Watched(this.log, this.clock, options);
    await gateway.boot();
    this.gateways.push(gateway);
    return gateway;
  }

  put(taskId: string, kind: string, body: object = {}): number {
    return this.log.put({ subject: `task.${taskId}.${kind}`, body: encoder.encode(JSON.stringify(body)) });
  }

  /** Lets time pass, a step at a time; every gateway follows the log after each, and `each` is called. */
  async pass(ms: number, each: () => void = () => {}, stepMs = 500): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(stepMs);
      await settled();
      for (const gateway of this.gateways) await gateway.follow();
      each();
    }
  }

  /** Kinds and bodies of what was said of a task, from `after` on. */
  said(taskId: string, after = 0): (readonly [string, unknown])[] {
    return this.log.entries.filter(({ seq, subject }) => seq > after && subject.startsWith(`task.${taskId}.`))
      .map(({ subject, body }) => [subject.split(".")[2] ?? "", JSON.parse(decoder.decode(body))] as const);
  }
}

/** Lets everything that is ready to go on do so. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
