import type { NatsConnection } from "nats.ws";
import type { Entry, Extent, Followed } from "./event_log.ts";
import { API_CODES, ApiError, connectionOf, type JetStream, logError } from "./jetstream_api.ts";
import { draw, GoneError } from "./jetstream_draw.ts";
import type { Delivered } from "./jetstream_record.ts";
import { ensureStream, extentOf, type StreamSettings } from "./jetstream_stream.ts";
import { linkChange, unlessAborted } from "./jetstream_wait.ts";

/** How far a follower has come. */
export type Cursor = {
  readonly epoch: string;
  readonly seq: number;
  /** When the record at `seq` was stored, where the follower was brought it: that it is still the same one is checked. */
  readonly stamp?: string;
};

/** Where to go on after looking at the stream, and what to tell first. */
export type Settled = { readonly at: Cursor; readonly tell: readonly Followed[] };

/**
 * How a cursor stands to the stream as it is now. Pure.
 *
 * Another creation time is another stream: its positions mean something else, so following goes on from its start. So it
 * does when the stream ends before the cursor though its creation time is the same: a backup was restored, or the
 * machine lost what was not flushed, and the positions up to the cursor are being given anew. Of the same stream, what
 * lies between the cursor and its oldest record is gone.
 */
export function settle(at: Cursor, extent: Extent): Settled {
  if (at.epoch !== extent.epoch || at.seq > extent.lastSeq) return startOver(extent);
  if (at.seq + 1 >= extent.firstSeq) return { at, tell: [] };
  const missed: Followed = { kind: "missed", from: at.seq + 1, to: extent.firstSeq - 1 };
  return { at: { epoch: at.epoch, seq: extent.firstSeq - 1 }, tell: [missed] };
}

function startOver(extent: Extent): Settled {
  return { at: { epoch: extent.epoch, seq: extent.firstSeq - 1 }, tell: [{ kind: "epoch", extent }] };
}

/**
 * What a batch from the consumer says. Pure. Undefined when its first record is at the cursor but is another than the one
 * that was there: the end of the stream was lost and written anew.
 *
 * A hole in the positions is told as missed. It is none of transport's: the consumer numbers what it sends, and `draw` has
 * seen every number. So the log has no record there any more: its subject's cap took it, or somebody deleted it.
 */
export function advance(at: Cursor, batch: readonly Delivered[]): Settled | undefined {
  const tell: Followed[] = [];
  let run: Entry[] = [];
  let { seq, stamp } = at;
  for (const delivered of batch) {
    const { entry } = delivered;
    if (entry.seq === at.seq && at.stamp !== undefined && delivered.stamp !== at.stamp) return undefined;
    if (entry.seq <= seq) continue;
    if (entry.seq > seq + 1) {
      if (run.length > 0) tell.push({ kind: "entries", entries: run });
      run = [];
      tell.push({ kind: "missed", from: seq + 1, to: entry.seq - 1 });
    }
    run.push(entry);
    seq = entry.seq;
    stamp = delivered.stamp;
  }
  if (run.length > 0) tell.push({ kind: "entries", entries: run });
  return { at: { epoch: at.epoch, seq, ...(stamp === undefined ? {} : { stamp }) }, tell };
}

/** Where a consumer for this cursor starts: at its record, to see that it is still there, or after it. Pure. */
export function startOf(at: Cursor, { firstSeq }: Extent): number {
  return at.stamp !== undefined && at.seq >= firstSeq ? at.seq : at.seq + 1;
}

/** Most records that a follower is handed at once, and asks for at once. */
const FOLLOWED_AT_ONCE = 1_024;
/** Waiting after a consumer was lost or could not be had, ms: this, doubled each time in a row, up to the longest. */
const BACKOFF_MS = { first: 50, longest: 1_000 };
/** How long a consumer must have lived for its loss not to count as one more in a row, ms. */
const LIVED_MS = 1_000;
/** How often a follower that is brought nothing looks at the stream, ms. */
const LOOK_MS = 2_000;
/** How long the stream may be away before a follower makes it anew, ms: whoever deleted it may be about to. */
const ABSENT_MS = 5_000;

/**
 * Follows the stream with one consumer at a time. Whatever ends that consumer, the answer is the same: look at the stream,
 * see how the cursor stands to it, and attach a new one there. Throws `LogError` "refused" only when it never could.
 */
export async function* followStream(
  js: JetStream,
  settings: StreamSettings,
  from: { readonly epoch: string; readonly after: number },
  signal: AbortSignal,
): AsyncGenerator<Followed, undefined, undefined> {
  let at: Cursor = { epoch: from.epoch, seq: from.after };
  let reachable = true;
  let everAttached = false;
  let losses = 0;
  let absentSince = Infinity;
  while (!signal.aborted) {
    const startedAt = performance.now();
    let mayBeOver = false;
    try {
      for await (const settled of attach(js, connectionOf(js), at, signal)) {
        everAttached = true;
        absentSince = Infinity;
        if (!reachable) {
          reachable = true;
          yield { kind: "reachable", reachable };
        }
        at = settled.at;
        yield* settled.tell;
      }
      continue;
    } catch (error) {
      const failure = logError(error, `Cannot follow the stream ${js.stream}`);
      if (failure.code === "refused" && !everAttached) throw failure;
      mayBeOver = error instanceof GoneError && js.link.connection !== undefined;
      if (isAbsent(error)) absentSince = Math.min(absentSince, performance.now());
    }
    losses = performance.now() - startedAt > LIVED_MS ? 1 : losses + 1;
    if (reachable && !(mayBeOver && losses === 1)) {
      reachable = false;
      yield { kind: "reachable", reachable };
    }
    if (performance.now() - absentSince > ABSENT_MS) await makeAnew(js, settings);
    const retryMs = Math.min(BACKOFF_MS.first * 2 ** (losses - 1), BACKOFF_MS.longest);
    await linkChange(js, { retryMs }, signal);
  }
}

/** One consumer's life: how far the cursor comes with it, and what it tells. Throws when it is lost. */
async function* attach(
  js: JetStream,
  connection: NatsConnection,
  from: Cursor,
  signal: AbortSignal,
): AsyncGenerator<Settled, undefined, undefined> {
  const before = await unlessAborted(extentOf(js, connection), signal);
  if (before === undefined) return;
  const settled = settle(from, before);
  yield settled;
  let { at } = settled;
  let looked: { readonly ms: number; readonly behindAt: number | undefined } = {
    ms: -Infinity,
    behindAt: undefined,
  };
  const drawing = { from: startOf(at, before), waits: true, atOnce: FOLLOWED_AT_ONCE };
  for await (const batch of draw(js, connection, drawing, signal)) {
    if (batch.length === 0) {
      // At the first sign of life, and while it is quiet. Had the stream been made again between our look and the making of
      // this consumer, it would skip the new one's beginning, or wait at a position that is long in coming. And a
      // consumer may be stuck, as those of a 2.9 cluster are that lost its leader: it lives and brings nothing.
      if (performance.now() - looked.ms < LOOK_MS) continue;
      const now = await unlessAborted(extentOf(js, connection), signal);
      if (now === undefined || now.epoch !== before.epoch) return;
      if (now.lastSeq > at.seq && looked.behindAt === at.seq) return;
      looked = { ms: performance.now(), behindAt: now.lastSeq > at.seq ? at.seq : undefined };
      continue;
    }
    const next = advance(at, batch);
    yield next ?? startOver(before);
    if (next === undefined) return;
    at = next.at;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof ApiError && error.errCode === API_CODES.streamNotFound;
}

async function makeAnew(js: JetStream, settings: StreamSettings): Promise<void> {
  try {
    await ensureStream(js, connectionOf(js), settings);
  } catch {
    // The next look at the stream says why, and is tried again.
  }
}
