import type { Delivery } from "../projection/delivery.ts";
import type { Codec } from "../protocol/codec.ts";
import { type Batch, batchOf } from "./batch.ts";
import { type Held, partFor } from "./interest.ts";

/** A page as one connection is to get it. */
export type PageFor = {
  readonly deliveries: readonly Delivery[];
  readonly held: Held;
  /** Topics whose history was asked for whole. */
  readonly whole: ReadonlySet<string>;
  readonly codec: Codec;
};

/** So many different batches of one page are kept; who holds yet other topics has its own made. */
const KEPT_BATCHES = 8;

/**
 * Pages as batches, made once for all who hold the same topics in the same codec: after a gateway died everybody's cursor
 * is the same, and so are the pages they come back for. A batch lives as long as its page does.
 */
export class PageBatches {
  readonly #made = new WeakMap<readonly Delivery[], Map<string, Batch>>();

  /** The batch of a page; undefined where nothing in it is for these topics. */
  batch(page: PageFor, nowMs: number): Batch | undefined {
    const key = sharedKey(page);
    if (key === undefined) return made(page, nowMs);
    let batches = this.#made.get(page.deliveries);
    if (batches === undefined) {
      batches = new Map();
      this.#made.set(page.deliveries, batches);
    }
    const known = batches.get(key);
    const batch = known ?? made(page, nowMs) ?? EMPTY;
    if (known === undefined && batches.size < KEPT_BATCHES) batches.set(key, batch);
    return batch === EMPTY ? undefined : batch;
  }
}

const EMPTY: Batch = { bytes: new Uint8Array(0), frames: 0 };

function made({ deliveries, held, whole, codec }: PageFor, nowMs: number): Batch | undefined {
  const parts = deliveries.flatMap((delivery) => partFor(delivery, held, whole) ?? []);
  return parts.length === 0 ? undefined : batchOf(parts, codec, nowMs);
}

/** What a page's batch depends on beside the page; undefined where it is this connection's alone. */
function sharedKey({ deliveries, held, whole, codec }: PageFor): string | undefined {
  const first = deliveries[0]?.seq ?? 0;
  if (whole.size > 0) return undefined;
  for (const from of held.values()) if (from >= first) return undefined;
  return `${codec.name} ${[...held.keys()].sort().join(" ")}`;
}
