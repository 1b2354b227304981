import type { Access } from "../access/access.ts";
import { refusalOf, type Wish } from "../access/may.ts";
import { channelSubject } from "../channel/channel_subject.ts";
import type { Namespaces } from "../channel/namespaces.ts";
import { publicationId } from "../channel/publication_id.ts";
import { payloadFault, placeFault } from "../channel/channel_update.ts";
import type { Appended, NewEntry } from "../log/event_log.ts";
import type { ChannelPublication } from "../protocol/client_frames.ts";
import type { Refused, ServerData } from "../protocol/server_frames.ts";
import { parseTopic, taskOf } from "../protocol/topics.ts";
import { MAX_BODY_BYTES } from "../task/worker_event.ts";

const encoder = new TextEncoder();

/** Publishes values to channels: by way of the log, from where everybody has them. */
export class Publishing {
  readonly #append: (entries: readonly NewEntry[]) => Promise<readonly Appended[]>;
  readonly #namespaces: Namespaces;

  constructor(
    append: (entries: readonly NewEntry[]) => Promise<readonly Appended[]>,
    namespaces: Namespaces,
  ) {
    this.#append = append;
    this.#namespaces = namespaces;
  }

  /** Publishes a value, where `access` allows it; resolves when it is durable. Rejects with a LogError. */
  async publish(access: Access, publication: ChannelPublication): Promise<ServerData["published"] | Refused> {
    const told = await this.publishAll(access, [publication]);
    if ("refused" in told) return told;
    const [appended] = told;
    if (appended === undefined) throw new Error("the log says nothing of what it appended");
    return { topic: publication.topic, seq: appended.seq };
  }

  /** Publishes values in their order, all or none; what is refused first is told with its place where they are several. */
  async publishAll(
    access: Access,
    publications: readonly ChannelPublication[],
  ): Promise<readonly Appended[] | Refused> {
    const entries: NewEntry[] = [];
    for (const [i, publication] of publications.entries()) {
      const entry = this.#entryOf(access, publication);
      if (!("refused" in entry)) {
        entries.push(entry);
        continue;
      }
      const { refused } = entry;
      if (publications.length === 1) return entry;
      return { refused: { ...refused, message: `${i}: ${refused.message}` } };
    }
    return await this.#append(entries);
  }

  #entryOf(access: Access, publication: ChannelPublication): NewEntry | Refused {
    const { topic, key = "", payload, event_id: id } = publication;
    const refused = refusalOf(access, wishToPublish(topic)) ?? this.#fault(publication);
    if (refused !== undefined) return { refused };
    const body = encoder.encode(JSON.stringify(payload));
    if (body.length > MAX_BODY_BYTES) {
      const message = `payload: must be at most ${MAX_BODY_BYTES} bytes of JSON`;
      return { refused: { code: "INVALID_MESSAGE", message, details: {} } };
    }
    return {
      subject: channelSubject({ topic, key }),
      body,
      ...(id === undefined ? {} : { id: publicationId(topic, id) }),
    };
  }

  #fault({ topic, key = "", payload, event_id: id }: ChannelPublication): Refused["refused"] | undefined {
    const parsed = parseTopic(topic);
    if (parsed?.kind !== "channel" || !this.#namespaces.has(parsed)) {
      const message = `no such channel: ${topic}${this.#namespaces.whyNone}`;
      return { code: "TOPIC_NOT_FOUND", message, details: { topics: [topic] } };
    }
    const fault = payload === undefined
      ? "payload: must be given"
      : placeFault({ topic, key }, id) ?? payloadFault(payload) ??
        this.#namespaces.faultOf({ topic, payload }, { isNew: true });
    return fault === undefined ? undefined : { code: "INVALID_MESSAGE", message: fault, details: {} };
  }
}

/** What is about a task is written by whoever may write of that. */
function wishToPublish(topic: string): Wish {
  const taskId = taskOf(topic);
  return taskId === undefined
    ? { right: "publish", topics: [topic] }
    : { right: "publish", written: { taskId, tags: [] } };
}
