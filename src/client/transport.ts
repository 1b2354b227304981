import { type OpenSocket, type WebSocketClass, webSockets } from "./socket.ts";
import { eventStreams } from "./sse_socket.ts";

/** How frames travel: `auto` begins with WebSockets, and takes streams where those do not get through. */
export type Transport = "websocket" | "sse" | "auto";

/** So many WebSockets in a row on which nothing came, and something else is tried. */
const FUTILE = 2;

/**
 * Opens by `first`, and by `second` once nothing came of two in a row. Where nothing comes of that either, no network or
 * no gateway was what was missing, and `first` has its chances again.
 */
export function firstThen(first: OpenSocket, second: OpenSocket): OpenSocket {
  let futile = 0;
  return (url, listener) => {
    const isFirst = futile < FUTILE;
    const before = futile;
    futile = isFirst ? futile + 1 : 0;
    return (isFirst ? first : second)(url, {
      message(text) {
        futile = isFirst ? 0 : before;
        listener.message(text);
      },
      ended: listener.ended,
    });
  };
}

/** What opens the connections of this transport, where WebSockets are of this class: that of the runtime unless given. */
export function socketsOf(
  { transport = "websocket", WebSocket }: {
    readonly transport?: Transport;
    readonly WebSocket?: WebSocketClass;
  },
): OpenSocket {
  if (transport === "sse") return eventStreams();
  const sockets = webSockets(WebSocket ?? ownWebSocket());
  return transport === "auto" ? firstThen(sockets, eventStreams()) : sockets;
}

function ownWebSocket(): WebSocketClass {
  const own: unknown = globalThis.WebSocket;
  if (typeof own === "function") return own as WebSocketClass;
  throw new TypeError("this runtime has no WebSocket: pass one in (for Node before 22, that of ws)");
}
