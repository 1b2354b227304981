/**
 * The few calls of the C library that the load needs: raw sockets, epoll and one clock for all processes. Through
 * `node:net` or `Deno.connect` a receiver costs more than what it is to measure; this one costs what the kernel does.
 */
const libc = Deno.dlopen("libc.so.6", {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  accept4: { parameters: ["i32", "pointer", "pointer", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  // Their lengths are a size_t and a ssize_t; what is asked of them fits 31 bits, which needs no BigInt.
  recv: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
}).symbols;

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const IPPROTO_IP = 0;
const IP_BIND_ADDRESS_NO_PORT = 24;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_RCVBUF = 8;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const CLOCK_MONOTONIC = 1;
const BACKLOG = 4_096;

/** A file descriptor. */
export type Fd = number;

const time = new BigInt64Array(2);

/** The machine's monotonic clock in ms, the same for every process. */
export function monotonicMs(): number {
  libc.clock_gettime(CLOCK_MONOTONIC, time);
  return Number(time[0]) * 1_000 + Number(time[1]) / 1_000_000;
}

/** How to connect. */
export type ConnectOptions = {
  /** The n-th address of 127.0.0.0/8 to come from: one has no ports for more than some 28,000 connections. */
  readonly from?: number;
  /** The size of the receive buffer, for those who are to be slow soon. Default: the system's. */
  readonly receiveBufferBytes?: number;
};

/** Begins to connect to 127.0.0.1; the socket is writable when it is done. Throws when there is no socket to be had. */
export function connecting(port: number, { from = 1, receiveBufferBytes }: ConnectOptions = {}): Fd {
  const fd = checked("socket", libc.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  // The port is chosen when it connects: one that is free for all takes ms to find after 10,000 connections have ended.
  setOption(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  checked("bind", libc.bind(fd, address(from, 0), 16));
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (receiveBufferBytes !== undefined) setOption(fd, SOL_SOCKET, SO_RCVBUF, receiveBufferBytes);
  libc.connect(fd, address(1, port), 16);
  return fd;
}

/** Whether connecting went wrong. */
export function connectFailed(fd: Fd): boolean {
  const value = new Int32Array(1);
  checked("getsockopt", libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, new Uint32Array([4])));
  return value[0] !== 0;
}

/** Connects to 127.0.0.1 and waits until it is done. Throws when nobody listens there. */
export function connected(port: number): Fd {
  const fd = checked("socket", libc.socket(AF_INET, SOCK_STREAM, 0));
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  checked(`connect to port ${port}`, libc.connect(fd, address(1, port), 16));
  return fd;
}

/** Listens on a free port of 127.0.0.1. */
export function listening(): { readonly fd: Fd; readonly port: number } {
  const fd = checked("socket", libc.socket(AF_INET, SOCK_STREAM, 0));
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  checked("bind", libc.bind(fd, address(1, 0), 16));
  checked("listen", libc.listen(fd, BACKLOG));
  const at = new Uint8Array(16);
  checked("getsockname", libc.getsockname(fd, at, new Uint32Array([16])));
  return { fd, port: new DataView(at.buffer).getUint16(2) };
}

/** Waits for the next connection. */
export function accepted(listener: Fd): Fd {
  const fd = checked("accept", libc.accept4(listener, null, null, 0));
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  return fd;
}

/** Reads what is there; 0 at the end, below 0 where there is nothing now. */
export function receive(fd: Fd, into: Uint8Array<ArrayBuffer>): number {
  return libc.recv(fd, into, into.length, MSG_DONTWAIT);
}

/** Reads, waiting for at least one byte; works on pipes too. */
export function read(fd: Fd, into: Uint8Array<ArrayBuffer>): number {
  return libc.read(fd, into, into.length);
}

/** Writes as much of `bytes` as goes without waiting; below 0 where nothing does. */
export function send(fd: Fd, bytes: Uint8Array<ArrayBuffer>): number {
  return libc.send(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/** Writes all of `bytes`, waiting where the socket is not made for not waiting. Throws when the peer is gone. */
export function sendAll(fd: Fd, bytes: Uint8Array<ArrayBuffer>): void {
  for (let at = 0; at < bytes.length;) {
    at += checked("send", libc.send(fd, bytes.subarray(at), bytes.length - at, MSG_NOSIGNAL));
  }
}

/** Closes a file descriptor. */
export function close(fd: Fd): void {
  libc.close(fd);
}

/** What epoll is asked to tell of a file descriptor. */
export const READABLE = 1;
/** See {@link READABLE}. */
export const WRITABLE = 4;

/** Tells which of many file descriptors can be read or written. */
export class Poll {
  // x86-64 alone packs `struct epoll_event`.
  readonly #stride = Deno.build.arch === "x86_64" ? 12 : 16;
  readonly #fd = checked("epoll_create1", libc.epoll_create1(0));
  readonly #max: number;
  readonly #events: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #one = new Uint8Array(16);
  readonly #oneView = new DataView(this.#one.buffer);

  constructor(max = 1_024) {
    this.#max = max;
    this.#events = new Uint8Array(this.#stride * max);
    this.#view = new DataView(this.#events.buffer);
  }

  /** Watches a file descriptor for {@link READABLE} or {@link WRITABLE}. */
  add(fd: Fd, what: number): void {
    checked("epoll_ctl", this.#control(1, fd, what));
  }

  /** Watches it for something else; 0 for nothing. */
  change(fd: Fd, what: number): void {
    checked("epoll_ctl", this.#control(3, fd, what));
  }

  /** Watches it no more. */
  remove(fd: Fd): void {
    this.#control(2, fd, 0);
  }

  /** Waits at most `ms` (-1: for ever) and calls `ready` for each file descriptor that has news. */
  wait(ms: number, ready: (fd: Fd) => void): void {
    const count = libc.epoll_wait(this.#fd, this.#events, this.#max, ms);
    for (let i = 0; i < count; i++) ready(this.#view.getInt32(i * this.#stride + this.#stride - 8, true));
  }

  #control(operation: number, fd: Fd, what: number): number {
    this.#oneView.setUint32(0, what, true);
    this.#oneView.setInt32(this.#stride - 8, fd, true);
    return libc.epoll_ctl(this.#fd, operation, fd, this.#one);
  }
}

/** `struct sockaddr_in` of a port on the n-th address of 127.0.0.0/8. */
function address(host: number, port: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  view.setUint32(4, 0x7f000000 + host);
  return new Uint8Array(view.buffer);
}

function setOption(fd: Fd, level: number, name: number, value: number): void {
  checked("setsockopt", libc.setsockopt(fd, level, name, new Int32Array([value]), 4));
}

function checked(call: string, result: number): number {
  if (result < 0) throw new Error(`${call} failed`);
  return result;
}
