import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { deferred } from "./deferred.ts";

/** What `nats.ws` needs of a socket: the part of a WebSocket that it touches. */
export interface MessageSocket {
  binaryType: string;
  onopen: (() => void) | null;
  onmessage: ((event: { data: ArrayBuffer }) => void) | null;
  onclose: ((event: { wasClean: boolean; reason: string }) => void) | null;
  onerror: ((event: { message: string; error: string }) => void) | null;
  readonly bufferedAmount: number;
  send(data: ArrayBuffer): void;
  close(): void;
}

/** Where a TCP connection to NATS goes. */
export type TcpTarget = {
  readonly host: string;
  readonly port: number;
  /** Whether an unencrypted connection is refused; where the server wants TLS it is used in any case. */
  readonly tls: boolean;
  /** The name in the server's certificate, for a `host` that is an address. */
  readonly tlsName?: string;
  /** How long until the server has greeted us, ms. */
  readonly timeoutMs: number;
};

/** The server and we do not agree on TLS. */
export class TlsError extends Error {
  override name = "TlsError";
}

/** The server's greeting is one line; it names the cluster's servers and stays far below this many bytes. */
const MAX_GREETING_BYTES = 256 * 1024;

/**
 * Connects to `nats://` or `tls://` and hands the connection over as a WebSocket would look, greeting first.
 *
 * It stands in for the transport of the `nats` package, which on Deno killed the process with an uncaught ECONNRESET in
 * one of five refused logins (it takes its error listener off a socket that is still failing), and which lets a
 * dial that timed out come to life later and break the connection that took its place.
 */
export async function openTcpSocket(
  target: TcpTarget,
): Promise<{ socket: MessageSocket; encrypted: boolean }> {
  const { host, port, timeoutMs } = target;
  const plain = connectTcp({ host, port, noDelay: true });
  // There for as long as the socket is: an error that nobody listens to ends the process.
  plain.on("error", () => {});
  const timer = setTimeout(
    () => plain.destroy(new Error(`no greeting within ${Math.round(timeoutMs)} ms`)),
    timeoutMs,
  );
  try {
    const greeting = await greetingOf(plain);
    const encrypted = wantsTls(greeting, target);
    const socket = encrypted ? await upgraded(plain, target) : plain;
    return { socket: messageSocket(socket, greeting), encrypted };
  } catch (error) {
    plain.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Everything up to the end of the first line, at least. Leaves the socket paused. */
function greetingOf(socket: Socket): Promise<Uint8Array> {
  const { promise, resolve, reject } = deferred<Uint8Array>();
  let greeting = new Uint8Array(0);
  const onData = (chunk: Uint8Array) => {
    greeting = joined(greeting, chunk);
    if (greeting.includes(0x0a)) resolve(greeting);
    else if (greeting.length > MAX_GREETING_BYTES) {
      reject(new Error("the greeting has no end: is this NATS?"));
    }
  };
  const onClose = () => reject(new Error("closed the connection before it greeted"));
  socket.on("data", onData);
  socket.on("error", reject);
  socket.on("close", onClose);
  return promise.finally(() => {
    socket.pause();
    socket.off("data", onData);
    socket.off("error", reject);
    socket.off("close", onClose);
  });
}

function wantsTls(greeting: Uint8Array, { tls }: TcpTarget): boolean {
  const [, info = ""] = /^INFO (\{.*\})\s/.exec(new TextDecoder().decode(greeting)) ?? [];
  const required = /"tls_required":\s*true/.test(info);
  const available = required || /"tls_available":\s*true/.test(info);
  if (info === "") throw new Error("did not greet as NATS does");
  if (tls && !available) throw new TlsError("tls:// was asked for, the server has no TLS");
  return required || tls;
}

function upgraded(plain: Socket, { host, tlsName }: TcpTarget): Promise<Socket> {
  const { promise, resolve, reject } = deferred<Socket>();
  const servername = isIP(host) === 0 ? host : tlsName ?? "";
  const secure = connectTls({ socket: plain, host, ...(servername === "" ? {} : { servername }) });
  secure.on("error", (cause) => reject(new TlsError(`TLS handshake: ${cause.message}`, { cause })));
  secure.on("close", () => reject(new TlsError("the server broke the TLS handshake off")));
  plain.on("close", () => reject(new Error("closed the connection during the TLS handshake")));
  secure.on("secureConnect", () => resolve(secure));
  return promise;
}

function messageSocket(socket: Socket, greeting: Uint8Array): MessageSocket {
  let failure: Error | undefined;
  let onmessage: MessageSocket["onmessage"] = null;
  const adapter: MessageSocket = {
    binaryType: "arraybuffer",
    onopen: null,
    onclose: null,
    onerror: null,
    // The client would not close before all is sent, which a server that stands still never lets happen.
    bufferedAmount: 0,
    get onmessage() {
      return onmessage;
    },
    set onmessage(listener) {
      const first = onmessage === null;
      onmessage = listener;
      if (!first) return;
      queueMicrotask(() => {
        onmessage?.({ data: bufferOf(greeting) });
        socket.resume();
      });
    },
    send: (data) => void socket.write(new Uint8Array(data)),
    close: () => void socket.destroy(),
  };
  socket.on("data", (chunk: Uint8Array) => onmessage?.({ data: bufferOf(chunk) }));
  socket.on("error", (error) => failure = error);
  socket.on("close", () => {
    adapter.onclose?.({ wasClean: failure === undefined, reason: failure?.message ?? "" });
  });
  return adapter;
}

/** The bytes of `chunk` as a buffer that holds nothing else. */
function bufferOf(chunk: Uint8Array): ArrayBuffer {
  const { buffer } = chunk;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === chunk.byteLength) return buffer;
  const own = new ArrayBuffer(chunk.byteLength);
  new Uint8Array(own).set(chunk);
  return own;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
