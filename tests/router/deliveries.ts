import type { Delivery } from "../../src/projection/delivery.ts";
import type { Codec } from "../../src/protocol/codec.ts";
import { json } from "../../src/protocol/codec.ts";
import type { Frame } from "../websocket_client.ts";
import { record, toldBy } from "../projection/events.ts";

/** What one event may say of a task. */
export type Said = { readonly task: string; readonly kind: string; readonly body?: object };

/** The deliveries of events at positions 1, 2, 3, …; events that have nothing to tell leave a hole. */
export function deliveriesOf(...said: readonly Said[]): Delivery[] {
  return toldBy(said.map(({ task, kind, body = {} }, i) => record(i + 1, task, kind, body)));
}

/** Progress of a task. */
export function progress(task: string, completed: number): Said {
  return { task, kind: "progress", body: { completed, total: 100 } };
}

const decoder = new TextDecoder();

/** A codec whose bytes are JSON lines, and which notes the payloads it was given. */
export function lines(): Codec & { readonly packed: (readonly Uint8Array[])[] } {
  const packed: (readonly Uint8Array[])[] = [];
  return {
    name: "json",
    packed,
    pack(payloads) {
      packed.push(payloads.map(({ bytes }) => bytes));
      const text = payloads.map(({ bytes }) => `${decoder.decode(bytes)}\n`).join("");
      return new TextEncoder().encode(text);
    },
  };
}

/** The frames that {@link lines} packed. */
export function framesOf(bytes: Uint8Array): Frame[] {
  // What the codec was given are frames of our own making.
  return decoder.decode(bytes).split("\n").filter((line) => line !== "").map((line) =>
    JSON.parse(line) as Frame
  );
}

/** The ids of those frames. */
export function idsOf(bytes: Uint8Array): string[] {
  return framesOf(bytes).map(({ id }) => id);
}

/** One message a frame, as clients without `batch` get them. */
export const plain: Codec = json;
