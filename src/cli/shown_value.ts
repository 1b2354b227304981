import type { PushedFrame } from "../client/client.ts";
import { harmless, harmlessJson } from "./text_width.ts";

/** A value of a channel as a frame told it. */
export type ShownValue = {
  readonly topic: string;
  /** Empty where the channel has but one. */
  readonly key: string;
  readonly payload: unknown;
};

/** The value that a frame tells; undefined where it tells none. */
export function valueIn(frame: PushedFrame): ShownValue | undefined {
  switch (frame.type) {
    case "data_update":
    case "strategy_update":
    case "channel_update": {
      const { topic, key = "", payload } = frame.data;
      return { topic, key, payload };
    }
    case "task_status":
    case "task_progress":
    case "task_list":
    case "gap":
    case "caught_up":
      return undefined;
  }
}

/** What it is a value of, in a few words. */
export function nameOf({ topic, key }: ShownValue): string {
  return key === "" ? topic : `${topic}  ${harmless(key)}`;
}

/** One line without colours about a value that was published at a moment (ms since the epoch): for pipes and logs. */
export function valueLine(value: ShownValue, timeMs: number): string {
  return `${new Date(timeMs).toISOString()}  ${nameOf(value)}  ${harmlessJson(value.payload)}`;
}
