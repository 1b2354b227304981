import {
  isKeyId,
  KeyRing,
  type Keys,
  seal,
  sealableBytes,
  sealedLength,
  type SealedMember,
} from "../protocol/encryption.ts";
import { MAX_TEXT } from "../task/plain_progress.ts";
import { MAX_BODY_BYTES } from "../task/worker_event.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Transport } from "./transport.ts";
import { messageOf, WorkerError } from "./worker_error.ts";

/** With what a worker seals what it says, for clients that have the key; nobody between can read it. */
export type Encryption = {
  /** The key to seal with. It is looked at with each event, so another one takes effect at once. */
  keyId: string;
  /** The keys there are. They are looked at with each event too: one may be added before it is named. */
  keys: Keys;
  /** What stays readable to all. Default: nothing; then gateways know neither counters, percentage, rate nor time left. */
  readonly clear?: readonly ("counters" | "name")[];
};

/** The bounds of `name`, and of `error.message`, in the schemas of events. */
const MAX_NAME = 512;
const MAX_MESSAGE = 16_384;
/** What is sealed grows by a third, and a little for each member. */
const GROWTH = 1.5;

type Body = Record<string, unknown>;

/** A member to seal, and what comes of it: where it goes. */
type Hidden = {
  readonly member: SealedMember;
  readonly value: unknown;
  readonly put: (text: string) => void;
};

const encoder = new TextEncoder();

/** Seals events on their way to the log. The constructor throws a {@link WorkerError} `invalid` for keys that are none. */
export class Sealing {
  readonly #encryption: Encryption;
  readonly #ring: KeyRing;
  /** An event that is tried again is the same, byte for byte. */
  readonly #sealed = new WeakMap<Outgoing, Promise<Outgoing>>();

  constructor(encryption: Encryption) {
    this.#encryption = encryption;
    try {
      this.#ring = new KeyRing(encryption);
    } catch (error) {
      throw new WorkerError("invalid", `encryption: ${messageOf(error)}`, { cause: error });
    }
    this.#keyId();
  }

  /** Throws a {@link WorkerError} `invalid` where an event would become too large; texts are cut instead, names and results not. */
  check(event: Outgoing): void {
    const keyId = this.#keyId();
    const { body, hidden } = this.#parted(event, keyId);
    for (const { member, value, put } of hidden) {
      const length = sealedLength(sizeOf(value), keyId);
      if (member === "name" && length > MAX_NAME) {
        const most = sealableBytes(MAX_NAME, keyId);
        throw new WorkerError(
          "invalid",
          `created: body.name: must be at most ${most} bytes of JSON to be sealed`,
        );
      }
      put("x".repeat(length));
    }
    if (sizeOf(body) > MAX_BODY_BYTES) {
      const rule = `body: must be at most ${MAX_BODY_BYTES} bytes when it is sealed`;
      throw new WorkerError("invalid", `${event.kind}: ${rule}`);
    }
  }

  /** The event with what is not for all sealed. */
  seal(event: Outgoing): Promise<Outgoing> {
    const known = this.#sealed.get(event);
    if (known !== undefined) return known;
    const sealed = this.#seal(event);
    this.#sealed.set(event, sealed);
    // What there was no key for is sealed when it is tried again, with what is named then.
    sealed.catch(() => this.#sealed.delete(event));
    return sealed;
  }

  /** A way to the log on which everything is sealed. */
  over(transport: Transport): Transport {
    const { events, bytes } = transport.batch;
    return {
      batch: { events, bytes: bytes / GROWTH },
      send: async (batch, signal) =>
        await transport.send(await Promise.all(batch.map((event) => this.seal(event))), signal),
      watchCancels: (taskId, requested) => transport.watchCancels(taskId, requested),
      onReachable: (listener) => transport.onReachable(listener),
      [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
    };
  }

  async #seal(event: Outgoing): Promise<Outgoing> {
    const keyId = this.#keyId();
    const { body, hidden } = this.#parted(event, keyId);
    const { taskId } = event;
    await Promise.all(hidden.map(async ({ member, value, put }) => {
      put(await seal(value, { taskId, member }, keyId, this.#ring));
    }));
    const json = JSON.stringify(body);
    return { ...event, json, bytes: encoder.encode(json).length };
  }

  #keyId(): string {
    const { keyId } = this.#encryption;
    if (!this.#has(keyId)) {
      throw new WorkerError("invalid", `encryption: keyId: there is no key ${JSON.stringify(keyId)}`);
    }
    return keyId;
  }

  #has(keyId: string): boolean {
    try {
      return isKeyId(keyId) && this.#ring.get(keyId) !== undefined;
    } catch (error) {
      throw new WorkerError("invalid", `encryption: ${messageOf(error)}`, { cause: error });
    }
  }

  /** What of an event stays as it is, and what is to be sealed, cut where it would be too long. */
  #parted(
    { kind, json }: Outgoing,
    keyId: string,
  ): { readonly body: Body; readonly hidden: readonly Hidden[] } {
    const { clear = [] } = this.#encryption;
    const body: Body = JSON.parse(json);
    const hidden: Hidden[] = [];
    const texts = sealableBytes(MAX_TEXT, keyId);
    const { name, reason, error, result } = body;
    if (typeof name === "string" && !clear.includes("name")) {
      hidden.push({ member: "name", value: name, put: (text) => body.name = text });
    }
    if (typeof reason === "string") {
      hidden.push({ member: "reason", value: cut({ reason }, texts), put: (text) => body.reason = text });
    }
    if (isObject(error)) {
      const value = cut(error, sealableBytes(MAX_MESSAGE, keyId));
      hidden.push({ member: "error", value, put: (text) => body.error = { message: text } });
    }
    if (result !== undefined) {
      hidden.push({ member: "result", value: result, put: (text) => body.result = { enc: text } });
    }
    const counters = kind === "progress" ? body : body.progress;
    const counts = clear.includes("counters") ? [] : COUNTS;
    // Its total comes with the first progress.
    if (kind === "created" && counts.length > 0) delete body.total;
    if (isObject(counters)) {
      const value: Body = {};
      for (const member of ["current", "status", ...counts]) {
        if (counters[member] !== undefined && counters[member] !== null) value[member] = counters[member];
        delete counters[member];
      }
      if (Object.keys(value).length > 0) {
        const put = (text: string) => counters.current = text;
        hidden.push({ member: "progress", value: cut(value, texts), put });
      }
    }
    return { body, hidden };
  }
}

const COUNTS = ["total", "completed", "failed", "percentage"];

function isObject(value: unknown): value is Body {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sizeOf(value: unknown): number {
  return encoder.encode(JSON.stringify(value)).length;
}

/** An object whose longest texts were cut until it has at most so many bytes of JSON. */
function cut(value: Body, maxBytes: number): Body {
  const shorter = { ...value };
  while (sizeOf(shorter) > maxBytes) {
    const texts = Object.entries(shorter).flatMap(([name, text]) =>
      typeof text === "string" ? [{ name, text }] : []
    );
    const [longest] = texts.sort((a, b) => b.text.length - a.text.length);
    if (longest === undefined || longest.text === "") break;
    shorter[longest.name] = longest.text.slice(0, Math.floor(longest.text.length * 0.9));
  }
  return shorter;
}
