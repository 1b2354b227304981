/** A connection that carries frames as text, whatever it is made of. */
export interface Socket {
  /** Sends one frame. What is sent to a socket that is not open is lost. */
  send(text: string): void;
  /** Closes it. Nothing comes of it any more. */
  close(): void;
}

/** What is heard of a socket. After `ended` nothing more. */
export type SocketListener = {
  readonly message: (text: string) => void;
  readonly ended: (code: number, why?: string) => void;
};

/** Opens a socket; it never throws: what fails is told as `ended`. */
export type OpenSocket = (url: string, listener: SocketListener) => Socket;

/** The part of a WebSocket that is used; browsers, Deno, Node ≥ 22 and Bun have one, and `ws` is one too. */
export interface WebSocketLike {
  readonly readyState: number;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason?: string }) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

/** How a WebSocket is made. */
export type WebSocketClass = new (url: string, protocols?: string[]) => WebSocketLike;

const OPEN = 1;
const ABNORMAL = 1006;

/** The URL without the token, and what is offered: a token in a URL would be in the logs of all that it passes through. */
function offered(url: string): [string, string[]] {
  const bare = new URL(url);
  const token = bare.searchParams.get("token");
  bare.searchParams.delete("token");
  const bearer = token && btoa(String.fromCharCode(...new TextEncoder().encode(token)))
    .replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
  return [bare.href, ["taskwire.v1.json", ...(bearer ? [`taskwire.bearer.${bearer}`] : [])]];
}

/** Opens WebSockets of this class. */
export function webSockets(WebSocketOf: WebSocketClass): OpenSocket {
  return (url, listener) => {
    let socket: WebSocketLike | undefined;
    try {
      socket = new WebSocketOf(...offered(url));
    } catch {
      // A policy of the page may forbid it, which is thrown; whoever opens is told later, like of every other failure.
      queueMicrotask(() => listener.ended(ABNORMAL));
      return { send: () => {}, close: () => {} };
    }
    const opened = socket;
    let isOver = false;
    opened.onmessage = ({ data }) => {
      if (!isOver && typeof data === "string") listener.message(data);
    };
    opened.onclose = ({ code, reason }) => {
      if (!isOver) listener.ended(code, reason);
      isOver = true;
    };
    // `close` follows, and says more.
    opened.onerror = () => {};
    return {
      send(text) {
        if (opened.readyState === OPEN) opened.send(text);
      },
      close() {
        isOver = true;
        opened.close(1000);
      },
    };
  };
}
