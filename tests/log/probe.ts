import { assert, assertRejects } from "@std/assert";
import {
  type Entry,
  type EventLog,
  type Followed,
  LogError,
  type NewEntry,
} from "../../src/log/event_log.ts";

const DEADLINE_MS = 15_000;
/** A producer's trace context. */
export const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/** What a follower was brought, told apart by kind. */
export class Collected {
  /** What kinds came in which order; repeats count once, and being out of reach is no news here. */
  readonly kinds: Followed["kind"][] = [];
  readonly entries: Entry[] = [];
  readonly missed: number[] = [];
  readonly extents: Extract<Followed, { kind: "epoch" }>["extent"][] = [];
  /** Every position, brought or missed, in the order it was told. */
  readonly covered: number[] = [];
  epoch = "";

  add(item: Followed): void {
    if (item.kind !== "reachable" && item.kind !== this.kinds.at(-1)) this.kinds.push(item.kind);
    switch (item.kind) {
      case "entries":
        assert(item.entries.length > 0, "a batch is never empty");
        this.entries.push(...item.entries);
        this.covered.push(...item.entries.map((e) => e.seq));
        return;
      case "missed":
        this.missed.push(...positions(item.from, item.to));
        this.covered.push(...positions(item.from, item.to));
        return;
      case "epoch":
        this.extents.push(item.extent);
        return;
      case "reachable":
        return;
    }
  }
}

/** Follows from `after` until `enough`; fails after a deadline with what it had got by then. */
export async function followed(
  log: EventLog,
  after: number,
  enough: (got: Collected) => boolean,
  epoch?: string,
): Promise<Collected> {
  const from = { epoch: epoch ?? (await log.extent()).epoch, after };
  const collected = new Collected();
  collected.epoch = from.epoch;
  using life = lifetime();
  await within(
    collect(log.follow(from, life.signal), collected, enough),
    () => `got ${JSON.stringify(collected.kinds)}, positions ${JSON.stringify(collected.covered)}`,
  );
  return collected;
}

/** Adds what comes until `enough`. */
export async function collect(
  items: AsyncIterable<Followed>,
  into: Collected,
  enough: (got: Collected) => boolean,
): Promise<void> {
  for await (const item of items) {
    into.add(item);
    if (enough(into)) return;
  }
}

/** An abort signal that ends with its scope. */
export function lifetime(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  return { signal: controller.signal, [Symbol.dispose]: () => controller.abort() };
}

/** Every record of `subject`, page by page, checking of each page that it keeps to its query. */
export async function whole(log: EventLog, subject?: string, limit = 100): Promise<readonly Entry[]> {
  const { lastSeq } = await log.extent();
  const entries: Entry[] = [];
  for (let after = 0; after < lastSeq;) {
    const page = await log.read({ after, limit, ...(subject === undefined ? {} : { subject }) });
    assert(page.entries.length <= limit);
    assert(page.through > after, `through ${page.through} does not pass ${after}`);
    assert(page.entries.every((e) => e.seq > after && e.seq <= page.through));
    if (page.entries.length < limit) assert(page.through >= lastSeq, `short page ends at ${page.through}`);
    entries.push(...page.entries);
    after = page.through;
  }
  return entries;
}

/** Everything the batches hold. */
export async function gathered(batches: AsyncIterable<readonly Entry[]>): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for await (const batch of batches) entries.push(...batch);
  return entries;
}

/** The first of `items`; undefined when there is none. */
export async function first<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}

/** Resolves with the first answer that is not undefined, asking until the deadline. */
export async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (const end = performance.now() + DEADLINE_MS; performance.now() < end;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`Nothing came of it within ${DEADLINE_MS} ms`);
}

/** Resolves as `promise` does, or fails at the deadline with what `state` says. */
export async function within<T>(promise: Promise<T>, state: () => string = () => "nothing came"): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`Within ${DEADLINE_MS} ms: ${state()}`)), DEADLINE_MS);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The {@link LogError} that `promise` rejects with; fails when it does not. */
export function rejection(promise: Promise<unknown>, message?: string): Promise<LogError> {
  return assertRejects(
    async () => {
      const value = await promise;
      throw new TypeError(message ?? `Expected a LogError, got ${JSON.stringify(value)}`);
    },
    LogError,
  );
}

/** UTF-8. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A record, with an id where one is given. */
export function record(subject: string, id?: string): NewEntry {
  return { subject, body: bytes(`{"of":"${id ?? ""}"}`), ...(id === undefined ? {} : { id }) };
}

/** `count` records with bodies of their own; with ids where `ids` gives their first part. */
export function numbered(
  count: number,
  subject: (index: number) => string = () => "task.a.progress",
  ids = "",
): readonly NewEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    subject: subject(i),
    body: bytes(`{"completed":${i}}`),
    ...(ids === "" ? {} : { id: `${ids}-${i}` }),
  }));
}

/** The positions `from`…`to`. */
export function positions(from: number, to: number, step = 1): number[] {
  const all: number[] = [];
  for (let seq = from; seq <= to; seq += step) all.push(seq);
  return all;
}

/** What a record is, to compare: position, subject, body. */
export function plain(entry: Entry): readonly [number, string, string] {
  return [entry.seq, entry.subject, new TextDecoder().decode(entry.body)];
}

/** The same of a record to be found at `seq`. */
export function expected(seq: number, { subject, body }: NewEntry): readonly [number, string, string] {
  return [seq, subject, new TextDecoder().decode(body)];
}
