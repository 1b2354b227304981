import type { Scope } from "../access/scope.ts";
import type { Block } from "../projection/block.ts";
import { type Held, Interest } from "../projection/interest.ts";
import type { Codec } from "../protocol/codec.ts";
import { type Batch, batchOf } from "./batch.ts";
import type { Part } from "./conflation.ts";

/** A page as one connection is to get it: of a block, what lies after `after`, up to `through`. */
export type PageFor = {
  readonly block: Block;
  readonly after: number;
  readonly through: number;
  readonly held: Held;
  /** Topics whose history was asked for whole. */
  readonly whole: ReadonlySet<string>;
  readonly codec: Codec;
  /** The tasks that may be seen. Default: all. */
  readonly scope?: Scope | undefined;
  /** Tasks that left `task:list` meanwhile. */
  readonly removed?: readonly string[];
};

/** So many different batches of one block are kept; who wants yet another has its own made. */
const KEPT_BATCHES = 8;
/** So many blocks' batches are kept, and so many bytes of all of them. */
const KEPT_BLOCKS = 256;
const KEPT_BYTES = 33_554_432;

/** The batches of one block, as it was when it had so many deliveries, up to this position. */
type Made = {
  readonly size: number;
  readonly lastSeq: number;
  readonly batches: Map<string, Batch>;
  bytes: number;
};

/**
 * Pages as batches, made once for all who want the same of a block in the same codec: after a gateway died everybody's
 * cursor is the same, and whoever is further behind meets the same blocks later.
 */
export class PageBatches {
  /** No block stays for this: what is kept is by others, who count what it weighs. */
  readonly #byBlock = new WeakMap<Block, Made>();
  /** Those that count, the one that was made first first. */
  readonly #made = new Set<Made>();
  #bytes = 0;

  /** The batch of a page; undefined where nothing in it is for these topics. */
  batch(page: PageFor, nowMs: number): Batch | undefined {
    const interest = new Interest(page.held, page.scope);
    const key = sharedKey(page, interest);
    if (key === undefined) return made(page, interest, nowMs);
    const batches = this.#of(page.block);
    const known = batches.batches.get(key);
    const batch = known ?? made(page, interest, nowMs) ?? EMPTY;
    if (known === undefined && batches.batches.size < KEPT_BATCHES) {
      batches.batches.set(key, batch);
      batches.bytes += batch.bytes.length;
      this.#bytes += batch.bytes.length;
      this.#forget();
    }
    return batch === EMPTY ? undefined : batch;
  }

  /** Lets go of what was made of blocks of which the log has nothing any more, its first retained position being `firstSeq`. */
  expire(firstSeq: number): void {
    for (const made of this.#made) if (made.lastSeq < firstSeq) this.#drop(made);
  }

  #of(block: Block): Made {
    const known = this.#byBlock.get(block);
    if (known !== undefined && known.size === block.size && this.#made.has(known)) return known;
    if (known !== undefined) this.#drop(known);
    const { size, lastSeq } = block;
    const fresh = { size, lastSeq, batches: new Map<string, Batch>(), bytes: 0 };
    this.#byBlock.set(block, fresh);
    this.#made.add(fresh);
    this.#forget();
    return fresh;
  }

  #forget(): void {
    for (const made of this.#made) {
      if (this.#bytes <= KEPT_BYTES && this.#made.size <= KEPT_BLOCKS) return;
      this.#drop(made);
    }
  }

  #drop(made: Made): void {
    if (this.#made.delete(made)) this.#bytes -= made.bytes;
    made.batches.clear();
  }
}

const EMPTY: Batch = { bytes: new Uint8Array(0), frames: 0 };

function made(
  { block, after, through, whole, codec, removed = [] }: PageFor,
  interest: Interest,
  nowMs: number,
): Batch | undefined {
  const unmerged = new Interest(new Map([...whole].map((topic) => [topic, 0])));
  const parts: Part[] = [];
  for (const share of interest.of(block, { after, through })) {
    parts.push({ ...share, whole: whole.size > 0 && unmerged.share(share.delivery)?.progress === true });
  }
  return parts.length + removed.length === 0 ? undefined : batchOf(parts, codec, nowMs, { removed });
}

/** What a page's batch depends on beside its block; undefined where it is this connection's alone. */
function sharedKey(
  { block, after, through, held, whole, codec, removed = [] }: PageFor,
  { key }: Interest,
): string | undefined {
  if (removed.length > 0) return undefined;
  const before = block.firstSeq - 1;
  const begins = new Set<number>();
  for (const from of held.values()) begins.add(Math.max(before, after, from));
  const [begin, ...others] = begins;
  if (begin === undefined || others.length > 0) return undefined;
  const end = Math.min(through, block.lastSeq);
  return `${codec.name} ${begin}-${end} ${[...whole].sort().join(" ")}|${key}`;
}
