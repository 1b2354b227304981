/** What is to be saved, and by which WebSockets. */
export type CompactOptions = {
  /** Whether frames come and go as CBOR, where the gateway speaks it. Default true. */ readonly cbor?:
    boolean;
  /** Whether progress comes as what changed of it. Default true. */
  readonly deltas?: boolean;
  /** Default: that of the runtime. */
  readonly WebSocket?: WebSocketClass;
};

/**
 * WebSockets for `connect(url, { WebSocket: compact() })` on which fewer bytes go over the wire: CBOR, and changes alone. To the
 * client each is one of JSON and whole frames, as all others are.
 */
export declare function compact({ cbor, deltas, WebSocket }?: CompactOptions): WebSocketClass;

/** How a WebSocket is made. */
type WebSocketClass = new (url: string, protocols?: string[]) => WebSocketLike;

/** The part of a WebSocket that is used; browsers, Deno, Node ≥ 22 and Bun have one, and `ws` is one too. */
interface WebSocketLike {
  readonly readyState: number;
  onmessage:
    | ((event: {
      data: unknown;
    }) => void)
    | null;
  onclose:
    | ((event: {
      code: number;
      reason?: string;
    }) => void)
    | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export {};
