import type { ServerFrame } from "../protocol/server_frames.ts";
import type { ClientError } from "./client_error.ts";
import type { NewsFrame } from "./task_frame.ts";
import type { Told } from "./told.ts";

/** What a subscription starts with: the present state, nothing, or all that is retained of the past. */
export type Replay = "latest" | "none" | "all";

/** What is pushed to those who subscribed. */
export type PushedFrame =
  | NewsFrame
  | Extract<ServerFrame, { type: "task_list" | "gap" | "caught_up" }>;

/** What somebody here wants to see, and was told of. */
export type Watch = {
  readonly told: Told;
  readonly topics: readonly string[];
  readonly replay: Replay;
  /** So often a second progress and values need to come; as often as they do, where it does not say. */
  readonly maxRateHz?: number | undefined;
  readonly onFrame: (frame: PushedFrame) => void;
  /** Told each time what was missed is there and what follows is live, and when that is so no more. */
  readonly onLive: (isLive: boolean) => void;
  /** Told when of the past that it wants the beginning is gone. */
  readonly onTruncated: () => void;
  /** Told when one of its topics may not be held: it is watched no more then. Told once when some have to wait. */
  readonly onError: (error: ClientError) => void;
  /** Told when a topic begins anew for somebody else: of what happens meanwhile it may hear only what came of it. */
  readonly onAnew?: () => void;
};
