import { close, connected, type Fd, Poll, READABLE, receive, sendAll } from "./libc.ts";
import { NatsScanner } from "./nats_scanner.ts";
import { positionIn } from "./positions.ts";
import type { WorkerEvent } from "./workload.ts";

const PREFIX = "taskwire.task";
const INBOX = "_INBOX.bench";
const HELLO = `CONNECT {"verbose":false,"pedantic":false,"headers":true}\r\nSUB ${INBOX} 1\r\n`;
const encoder = new TextEncoder();

/** A connection to a NATS server that speaks its bare protocol: nothing between the load and the socket. */
export class NatsWire implements Disposable {
  readonly #fd: Fd;
  readonly #poll = new Poll(1);
  readonly #input = new Uint8Array(65_536);
  readonly #scanner = new NatsScanner((bytes, start, end) => this.#answered(bytes, start, end));
  #output = new Uint8Array(1 << 20);
  #outputBytes = 0;
  /** How many answers of the stream have come. */
  answers = 0;
  /** The position that the latest named. */
  lastSeq: number | undefined;

  constructor(port: number) {
    this.#fd = connected(port);
    this.#poll.add(this.#fd, READABLE);
    sendAll(this.#fd, encoder.encode(HELLO));
  }

  /** Adds an event to what goes out with the next {@link NatsWire.flush}. `answered`: the stream is to say where it is. */
  add({ taskId, kind, body }: WorkerEvent, answered: boolean): void {
    const reply = answered ? `${INBOX} ` : "";
    // Bodies of the load are ASCII: characters are bytes.
    const text = `PUB ${PREFIX}.${taskId}.${kind} ${reply}${body.length}\r\n${body}\r\n`;
    if (this.#outputBytes + text.length > this.#output.length) this.flush();
    this.#outputBytes += encoder.encodeInto(text, this.#output.subarray(this.#outputBytes)).written;
  }

  /** Sends what was added. */
  flush(): void {
    sendAll(this.#fd, this.#output.subarray(0, this.#outputBytes));
    this.#outputBytes = 0;
  }

  /** Waits at most `ms` for the server to say something. */
  wait(ms: number): void {
    this.#poll.wait(ms, () => {
      const length = receive(this.#fd, this.#input);
      if (length === 0) throw new Error("The NATS server ended the connection");
      if (length > 0) this.#scanner.feed(this.#input, 0, length);
    });
    if (this.#scanner.errors.length > 0) throw new Error(this.#scanner.errors.join("; "));
    if (this.#scanner.pings > 0) sendAll(this.#fd, encoder.encode("PONG\r\n"));
    this.#scanner.pings = 0;
  }

  [Symbol.dispose](): void {
    close(this.#fd);
  }

  #answered(bytes: Uint8Array, start: number, end: number): void {
    this.answers++;
    // `{"stream":"TASKWIRE","seq":7}`, after which a cluster may say more.
    this.lastSeq = positionIn(bytes, start, end) ?? this.lastSeq;
  }
}
