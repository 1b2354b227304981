import type { Access } from "../access/access.ts";
import { refusalOf } from "../access/may.ts";
import type { Scope } from "../access/scope.ts";
import type { Refused } from "../protocol/server_frames.ts";
import { taskOf } from "../protocol/topics.ts";
import type { Channels, HeldChannel } from "./channels.ts";
import { FEW, type Projection } from "./projection.ts";
import type { Turns } from "./turns.ts";

/** So many channels are listed, those that changed last; and of so many it is found out for one list whose their tasks were. */
export const MAX_LISTED = 1_000;

/** Nobody waits longer for that, ms. */
const SETTLING_MS = 1_000;

/** A channel as it is listed; `time` is when its last value was published, RFC 3339 UTC. */
export type ListedChannel = Pick<HeldChannel, "topic" | "keys" | "seq"> & { readonly time: string };

/** A list of channels, and how many it would have without its bound. */
export type ListedChannels = { readonly channels: readonly ListedChannel[]; readonly total: number };

/** What the lists are made of. */
export type VisibleChannelsOptions = {
  readonly projection: { readonly channels: Channels } & Pick<Projection, "settle" | "settleByMemory">;
  /** Whose turn it is to read the past. */
  readonly turns: Turns;
  /** Calls back after so many ms, unless it is called off. */
  readonly after: (delayMs: number, run: () => void) => () => void;
};

/**
 * Lists of channels for whoever asks. Whose the tasks were when their channels' last values came has to be asked of the log after a
 * start: for all who want lists together, a few tasks at once, the channels that changed last first.
 */
export class VisibleChannels {
  readonly #options: VisibleChannelsOptions;
  #settling: Promise<void> | undefined;

  constructor(options: VisibleChannelsOptions) {
    this.#options = options;
  }

  /**
   * The channels that `access` may follow, and of those about tasks the ones whose last value it could see; the one that changed last
   * first, `total` of those that are held. One of which that is not known yet is left out, until a later list. Rejects with a LogError
   * where the log fails that has to be asked.
   */
  async list(access: Access): Promise<ListedChannels | Refused> {
    const refused = refusalOf(access, { right: "subscribe" });
    if (refused !== undefined) return { refused };
    const { scope } = access;
    const { projection } = this.#options;
    const unsettled = this.#unsettledFor(scope);
    if (unsettled.length > 0) await this.#settle(unsettled);
    const listed: ListedChannel[] = [];
    let total = 0;
    for (const held of projection.channels.newestFirst()) {
      if (!isSeen(held, scope)) continue;
      total++;
      const { topic, keys, seq, atMs } = held;
      if (listed.length < MAX_LISTED) listed.push({ topic, keys, seq, time: new Date(atMs).toISOString() });
    }
    return { channels: listed, total };
  }

  /** The channels of which the log has to tell whether they are to be listed. */
  #unsettledFor(scope: Scope): readonly string[] {
    // Where tags are no reason to see a task it is known already.
    if (!scope.taskNames.some(({ kind }) => kind === "tag")) return [];
    const { projection } = this.#options;
    const unsettled: string[] = [];
    let seen = 0;
    for (const held of projection.channels.newestFirst()) {
      if (isSeen(held, scope)) seen++;
      else if (held.about === undefined && projection.settleByMemory(held.topic) !== undefined) {
        unsettled.push(held.topic);
      }
      if (seen >= MAX_LISTED || unsettled.length >= MAX_LISTED) break;
    }
    return unsettled;
  }

  async #settle(topics: readonly string[]): Promise<void> {
    let isLate = false;
    let callOff = (): void => {};
    const late = new Promise<void>((resolve) => {
      callOff = this.#options.after(SETTLING_MS, () => {
        isLate = true;
        resolve();
      });
    });
    const { projection } = this.#options;
    try {
      for (let next = 0; !isLate;) {
        if (this.#settling === undefined) {
          const few: string[] = [];
          for (let topic = topics[next]; topic !== undefined && few.length < FEW; topic = topics[++next]) {
            if (projection.settleByMemory(topic) !== undefined) few.push(topic);
          }
          if (few.length === 0) return;
          this.#begin(few);
        }
        await Promise.race([this.#settling, late]);
      }
    } finally {
      callOff();
    }
  }

  /** So few that no one waits for the walk over the log after a start. */
  #begin(few: readonly string[]): void {
    const { projection, turns } = this.#options;
    this.#settling = turns.run(async () => await projection.settle(few)).finally(() =>
      this.#settling = undefined
    );
  }
}

/** What is about a task of which it is not known whose it was is for whoever sees it by its id. */
function isSeen({ topic, about }: HeldChannel, scope: Scope): boolean {
  const taskId = taskOf(topic);
  return taskId === undefined ? scope.allows(topic) : scope.sees(about ?? { taskId, tags: [] });
}
