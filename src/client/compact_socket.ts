import { decodeCbor, encodeCbor } from "../protocol/cbor.ts";
import type { ServerFrame } from "../protocol/server_frames.ts";
import { ProgressFold } from "./progress_fold.ts";
import type { WebSocketClass, WebSocketLike } from "./socket.ts";

/** What is to be saved, and by which WebSockets. */
export type CompactOptions = {
  /** Whether frames come and go as CBOR, where the gateway speaks it. Default true. */
  readonly cbor?: boolean;
  /** Whether progress comes as what changed of it. Default true. */
  readonly deltas?: boolean;
  /** Default: that of the runtime. */
  readonly WebSocket?: WebSocketClass;
};

type Message = ServerFrame | {
  readonly type: "batch";
  readonly data: { readonly frames: readonly ServerFrame[] };
};

const JSON_PROTOCOL = "taskwire.v1.json";
const CBOR_PROTOCOL = "taskwire.v1.cbor";

/**
 * WebSockets for `connect(url, { WebSocket: compact() })` on which fewer bytes go over the wire: CBOR, and changes alone. To the
 * client each is one of JSON and whole frames, as all others are.
 */
export function compact(
  { cbor = true, deltas = true, WebSocket = ownWebSocket() }: CompactOptions = {},
): WebSocketClass {
  return class implements WebSocketLike {
    readonly #socket: WebSocketLike & { binaryType?: string; readonly protocol?: string };
    readonly #fold = new ProgressFold();
    onmessage: WebSocketLike["onmessage"] = null;
    onclose: WebSocketLike["onclose"] = null;
    onerror: WebSocketLike["onerror"] = null;

    constructor(url: string, protocols: string[] = []) {
      const at = new URL(url);
      if (deltas) at.searchParams.set("delta", "1");
      const offered = protocols.flatMap((name) =>
        cbor && name === JSON_PROTOCOL ? [CBOR_PROTOCOL, name] : [name]
      );
      const socket = this.#socket = new WebSocket(at.href, offered);
      this.#socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) => this.#received(data);
      socket.onclose = (event) => this.onclose?.(event);
      socket.onerror = (event) => this.onerror?.(event);
    }

    get readyState(): number {
      return this.#socket.readyState;
    }

    send(text: string): void {
      const { protocol } = this.#socket;
      // The types of browsers have texts only for now; all of them take bytes.
      this.#socket.send(
        protocol === CBOR_PROTOCOL ? encodeCbor(JSON.parse(text)) as unknown as string : text,
      );
    }

    close(code?: number): void {
      this.#socket.close(code);
    }

    #received(data: unknown): void {
      if (typeof data === "string" && !deltas) return this.onmessage?.({ data });
      const message = typeof data === "string"
        ? JSON.parse(data)
        : data instanceof ArrayBuffer
        ? decodeCbor(new Uint8Array(data))
        : undefined;
      const whole = deltas ? this.#whole(message) : message;
      if (whole !== undefined) this.onmessage?.({ data: JSON.stringify(whole) });
    }

    #whole(message: Message): Message | undefined {
      if (message.type !== "batch") return this.#fold.whole(message);
      const frames = message.data.frames.flatMap((frame) => this.#fold.whole(frame) ?? []);
      return frames.length === 0 ? undefined : { ...message, data: { frames } };
    }
  };
}

/** That of the runtime, of which more is known than is used. */
function ownWebSocket(): WebSocketClass {
  return globalThis.WebSocket as unknown as WebSocketClass;
}
