import type { Client } from "../client/client.ts";
import type { Kind } from "../task/worker_event.ts";
import { abortable, sleep, systemClock } from "../worker/clock.ts";
import { httpTransport } from "../worker/http_transport.ts";
import { type Outgoing, outgoing, parseTaskId } from "../worker/outgoing.ts";
import type { Transport } from "../worker/transport.ts";
import type { Gateway } from "./gateway.ts";

/** Of many times the middle one, and one that all but a hundredth do not exceed; ms. */
export type Spread = { readonly p50: number; readonly p99: number };

/** What a benchmark came to, as `--json` prints it. */
export type Measured = {
  /** One event at a time: until the append is answered, and until its frame is here. */
  readonly latency: { readonly events: number; readonly frame_ms: Spread; readonly answer_ms: Spread };
  /** As many as go, in requests of `batch` events for each of `tasks` tasks at once. */
  readonly appends: {
    readonly events: number;
    readonly per_second: number;
    readonly tasks: number;
    readonly batch: number;
    readonly answer_ms: Spread;
  };
};

/** Half of `forMs` goes to each of the two measurements. */
export type BenchPlan = { readonly forMs: number; readonly tasks: number; readonly signal: AbortSignal };

const BATCH = 100;
/** Between two events of which each is alone, ms: more than a busy gateway gathers frames for. */
const QUIET_MS = 30;
/** How long a frame, and the ends of the tasks, are waited for, ms. */
const PATIENCE_MS = 10_000;
const ABOUT = { name: "Benchmark", type: "bench", tags: ["bench"] } as const;

/** Measures the gateway that `client` is connected to. Undefined: the signal came first. Its tasks are ended either way. */
export async function measured(
  gateway: Gateway,
  client: Client,
  { forMs, tasks, signal }: BenchPlan,
): Promise<Measured | undefined> {
  await using transport = httpTransport(gateway.http, {
    clock: systemClock,
    token: gateway.token,
    cancelPollMs: PATIENCE_MS,
  });
  const run = crypto.randomUUID().slice(0, 8);
  const begun: string[] = [];
  const begin = async (number: number): Promise<string> => {
    const id = `bench-${run}-${number}`;
    begun.push(id);
    await transport.send([event(id, "created", ABOUT), event(id, "started", {})], signal);
    return id;
  };
  try {
    const latency = await alone(transport, client, await begin(0), forMs / 2, signal);
    const ids = await Promise.all(Array.from({ length: tasks }, (_, i) => begin(i + 1)));
    return { latency, appends: await together(transport, ids, forMs / 2, signal) };
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    await ended(transport, begun, signal.aborted ? "cancelled" : "completed");
  }
}

/** One event after the other, each awaited until its frame is here. */
async function alone(
  transport: Transport,
  client: Client,
  id: string,
  forMs: number,
  signal: AbortSignal,
): Promise<Measured["latency"]> {
  const [frames, answers]: [number[], number[]] = [[], []];
  let arrived: (completed: number) => void = () => {};
  const live = Promise.withResolvers<void>();
  const { unsubscribe } = client.subscribe(`task:id:${id}:progress`, (frame) => {
    if (frame.type === "task_progress") arrived(frame.data.progress.completed);
  }, { onLive: (isLive) => isLive && live.resolve(), onError: live.reject });
  try {
    await abortable(live.promise, patience(signal));
    const untilMs = performance.now() + forMs;
    do {
      const completed = frames.length + 1;
      const frame = new Promise<void>((resolve) => arrived = (seen) => seen >= completed && resolve());
      const sentMs = performance.now();
      const here = frame.then(() => performance.now() - sentMs);
      await transport.send([event(id, "progress", { completed })], signal);
      answers.push(performance.now() - sentMs);
      frames.push(await abortable(here, patience(signal)));
      await sleep(systemClock, QUIET_MS, signal);
    } while (performance.now() < untilMs);
    return { events: frames.length, frame_ms: spread(frames), answer_ms: spread(answers) };
  } finally {
    unsubscribe();
  }
}

/** As many events of all these tasks as the gateway takes. */
async function together(
  transport: Transport,
  ids: readonly string[],
  forMs: number,
  signal: AbortSignal,
): Promise<Measured["appends"]> {
  const answers: number[] = [];
  const startMs = performance.now();
  await Promise.all(ids.map(async (id) => {
    for (let completed = 0; completed === 0 || performance.now() < startMs + forMs;) {
      const events = Array.from({ length: BATCH }, () => event(id, "progress", { completed: ++completed }));
      const sentMs = performance.now();
      await transport.send(events, signal);
      answers.push(performance.now() - sentMs);
    }
  }));
  const events = answers.length * BATCH;
  const perSecond = Math.round(events / (performance.now() - startMs) * 1_000);
  return { events, per_second: perSecond, tasks: ids.length, batch: BATCH, answer_ms: spread(answers) };
}

async function ended(transport: Transport, ids: readonly string[], kind: Kind): Promise<void> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  // Where the gateway is gone, what was measured, or why it was not, is of more interest.
  await Promise.allSettled(ids.map((id) => transport.send([event(id, kind, {})], signal)));
}

function event(id: string, kind: Kind, body: Readonly<Record<string, unknown>>): Outgoing {
  return outgoing({ id: crypto.randomUUID(), taskId: parseTaskId(id), kind, attempt: 1 }, body, Date.now());
}

function patience(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
}

function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    Math.round((sorted[Math.ceil(share * sorted.length) - 1] ?? NaN) * 100) / 100;
  return { p50: at(0.5), p99: at(0.99) };
}
