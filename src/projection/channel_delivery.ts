import type { TaskNames } from "../access/scope.ts";
import { namespaceOf } from "../protocol/topics.ts";
import type { Conflation } from "../channel/namespace.ts";
import type { ChannelUpdate } from "../channel/channel_update.ts";
import type { ChannelFrame, Delivery, Prepared } from "./delivery.ts";

const encoder = new TextEncoder();
/** Objects and the fixed part of the frame; a character of the payload's JSON is held as text and, once it was sent, as bytes. */
const OVERHEAD_BYTES = 700;

/** What one value of a channel has to tell: newer ones of its key may make it pointless to who is behind. */
export function channelDelivery(
  update: ChannelUpdate,
  conflation: Conflation,
  about: TaskNames | undefined,
): Delivery {
  const { topic, key, seq, time, json } = update;
  return {
    seq,
    taskId: topic,
    // What is not to be merged has a key of its own.
    key: conflation === "all" ? `${topic} ${key} ${seq}` : `${topic} ${key}`,
    tags: [],
    ...(about === undefined ? {} : { about }),
    terminal: false,
    atMs: time,
    bytes: OVERHEAD_BYTES + 3 * json.length,
    progress: new PreparedUpdate(update),
    status: undefined,
  };
}

/** The frame is made when it is asked for: most are merged away, or watched by nobody. */
class PreparedUpdate implements Prepared<ChannelFrame> {
  readonly #update: ChannelUpdate;
  #bytes: Uint8Array | undefined;

  constructor(update: ChannelUpdate) {
    this.#update = update;
  }

  get frame(): ChannelFrame {
    return channelFrame(this.#update);
  }

  get bytes(): Uint8Array {
    return this.#bytes ??= encoder.encode(jsonOf(this.#update));
  }
}

/** The JSON of that frame, without what its payload says ever being looked at. */
function jsonOf({ topic, key, json, seq, time }: ChannelUpdate): string {
  const { id, type } = namesOf(topic, seq);
  const value = JSON.stringify(key === "" ? { topic } : { topic, key }).slice(0, -1);
  const head = JSON.stringify({ type, id, timestamp: time }).slice(0, -1);
  return `${head},"data":${value},"payload":${json}},"seq":${seq}}`;
}

/** A value of a channel as a frame. */
function channelFrame({ topic, key, json, seq, time }: ChannelUpdate): ChannelFrame {
  const payload: unknown = JSON.parse(json);
  const data = key === "" ? { topic, payload } : { topic, key, payload };
  return { ...namesOf(topic, seq), timestamp: time, data, seq };
}

function namesOf(topic: string, seq: number): Pick<ChannelFrame, "type" | "id"> {
  return { type: frameType(topic), id: `${namespaceOf(topic)}_${seq}` };
}

/** `data_update` and `strategy_update`; `channel_update` of any other namespace. */
export function frameType(topic: string): ChannelFrame["type"] {
  if (topic.startsWith("data:")) return "data_update";
  return topic.startsWith("strategy:") ? "strategy_update" : "channel_update";
}
