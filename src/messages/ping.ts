import { PingData } from "../protocol/client_frames.ts";
import { defineMessage, type MessageType } from "./message_type.ts";

/** `ping`: answered with the server's time and the position the client could resume from. */
export function ping(): MessageType<typeof PingData> {
  return defineMessage({
    type: "ping",
    schema: PingData,
    cost: 1,
    answeredBy: "pong",
    handle(_data, { nowMs, served }) {
      return {
        kind: "reply",
        type: "pong",
        data: { server_time: nowMs, ...(served === undefined ? {} : { seq: served }) },
      };
    },
  });
}
