import { UnsubscribeData } from "../protocol/client_frames.ts";
import { defineMessage, type MessageType } from "./message_type.ts";

/** `unsubscribe`: topics that are not held do no harm. */
export function unsubscribe(): MessageType<typeof UnsubscribeData> {
  return defineMessage({
    type: "unsubscribe",
    schema: UnsubscribeData,
    cost: 1,
    answeredBy: "unsubscribed",
    handle: ({ topics }) => ({ kind: "unsubscribe", topics }),
  });
}
