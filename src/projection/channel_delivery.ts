import type { TaskNames } from "../access/scope.ts";
import { namespaceOf } from "../protocol/topics.ts";
import type { Conflation } from "../channel/namespaces.ts";
import type { ChannelUpdate } from "../channel/channel_update.ts";
import type { ChannelFrame, Delivery, Prepared } from "./delivery.ts";

/** Objects and the fixed part of the frame; a byte of the payload's JSON is held as JSON and as what that says. */
const OVERHEAD_BYTES = 700;

/** What one value of a channel has to tell: newer ones of its key may make it pointless to who is behind. */
export function channelDelivery(
  update: ChannelUpdate,
  conflation: Conflation,
  about: TaskNames | undefined,
): Delivery {
  const { topic, key, seq, time, size } = update;
  return {
    seq,
    taskId: topic,
    // What is not to be merged has a key of its own.
    key: conflation === "all" ? `${topic} ${key} ${seq}` : `${topic} ${key}`,
    tags: [],
    ...(about === undefined ? {} : { about }),
    terminal: false,
    atMs: time,
    bytes: OVERHEAD_BYTES + 3 * size,
    progress: new PreparedUpdate(update),
    status: undefined,
  };
}

/** The frame is made when it is asked for: most are merged away, or watched by nobody. */
class PreparedUpdate implements Prepared<ChannelFrame> {
  readonly #update: ChannelUpdate;
  bytes?: Uint8Array;

  constructor(update: ChannelUpdate) {
    this.#update = update;
  }

  get frame(): ChannelFrame {
    return channelFrame(this.#update);
  }
}

/** A value of a channel as a frame. */
export function channelFrame({ topic, key, payload, seq, time }: ChannelUpdate): ChannelFrame {
  const data = key === "" ? { topic, payload } : { topic, key, payload };
  const type = frameType(topic);
  return { type, id: `${namespaceOf(topic)}_${seq}`, timestamp: time, data, seq };
}

/** `data_update` and `strategy_update`; `channel_update` of any other namespace. */
export function frameType(topic: string): ChannelFrame["type"] {
  if (topic.startsWith("data:")) return "data_update";
  return topic.startsWith("strategy:") ? "strategy_update" : "channel_update";
}
