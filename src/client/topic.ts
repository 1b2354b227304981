import { LatestFrames } from "./latest_frames.ts";
import type { Cursor } from "./topic_request.ts";
import type { Replay, Watch } from "./watch.ts";

/** A topic as it is watched here. One that is to begin anew is another of the same name. */
export type Topic = {
  readonly watches: Set<Watch>;
  replay: Replay;
  /** Whether everything up to the cursor was brought. */
  served: boolean;
  /** From where it goes on when it is asked for again: up to there it was brought when it was last held. */
  since: Cursor | undefined;
  /**
   * What is under way: what followed the cursor, in the order of the stream; or what no position stands for, the present
   * state or the whole past.
   */
  pending: "resume" | "snapshot" | "history" | undefined;
  readonly latest: LatestFrames;
  /** Up to where those who had it before it began anew were told: what the past says until then is no news to them. */
  readonly floors: Map<Watch, number>;
};

/** A topic of which nothing was brought yet. */
export function fresh(replay: Replay, watches: Iterable<Watch>): Topic {
  return {
    watches: new Set(watches),
    replay,
    served: false,
    since: undefined,
    pending: undefined,
    latest: new LatestFrames(),
    floors: new Map(),
  };
}

/** A topic that was brought up to there elsewhere. */
export function resumed(since: Cursor): Topic {
  return { ...fresh("none", []), served: true, since };
}
