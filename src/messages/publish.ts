import type { Publishing } from "../projection/publishing.ts";
import { ChannelPublication } from "../protocol/client_frames.ts";
import { pathAllows } from "../protocol/topics.ts";
import { answer, defineMessage, type MessageType, refuse } from "./message_type.ts";

/** `publish`: a value to a channel. */
export function publish(publishing: Publishing): MessageType<typeof ChannelPublication> {
  return defineMessage({
    type: "publish",
    schema: ChannelPublication,
    cost: 1,
    answeredBy: "published",
    async handle(data, { access, path }) {
      if (!pathAllows(path, data.topic)) {
        return refuse("TOPIC_NOT_FOUND", `no such topic on ${path}: ${data.topic}`, { topics: [data.topic] });
      }
      const told = await publishing.publish(access, data);
      if ("refused" in told && told.refused.code === "INVALID_MESSAGE") {
        return refuse("INVALID_MESSAGE", `data.${told.refused.message}`);
      }
      return answer(told, (published) => ({ kind: "reply", type: "published", data: published }));
    },
  });
}
