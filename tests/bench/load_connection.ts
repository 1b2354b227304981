import { constants, inflateRawSync } from "node:zlib";
import { ARGUMENT_AT, comingBack, type Recovery, recoveryAfter } from "./engine_io.ts";
import { clientBinary, clientText, FrameScanner, PONG } from "./frame_scanner.ts";
import { close, type Fd, receive, send } from "./libc.ts";
import { NatsScanner } from "./nats_scanner.ts";
import { positionIn, positionsIn, startsWith } from "./positions.ts";
import type { Opening } from "./receiver.ts";
import { FIRST_NUMBER } from "./workload.ts";

const HEAD_END = "\r\n\r\n";
const STATUS = new TextEncoder().encode('{"type":"task_status"');
/** The most positions that one connection notes between two starts. */
const MOST_SAMPLES = 500_000;
const buffer = new Uint8Array(1 << 18);
const decoder = new TextDecoder();

/** Ends what a message is deflated to (RFC 7692 §7.2.2). */
const TAIL = new Uint8Array([0, 0, 0xff, 0xff]);

/** What a connection leaves to the one that takes its place: its cursor, and what Socket.IO calls recovery. */
export type Left = Recovery & { readonly last: number };

/** A connection of the load: what it does is as cheap as its group allows. */
export class LoadConnection {
  readonly fd: Fd;
  /** How much of what comes is looked at. */
  readonly read: Opening["read"];
  readonly #opening: Opening;
  readonly #index: number;
  readonly #before: Left | undefined;
  readonly #now: () => number;
  readonly #scanner: FrameScanner;
  readonly #frameAt: number;
  readonly #nats: NatsScanner | undefined;
  readonly #marker: Uint8Array | undefined;
  #head: string | undefined = "";
  #greeted = false;
  #framesAtStart = 0;
  #statuses = 0;
  #last = 0;
  #nowMs = 0;
  /** Whether the peer ended it, and why where it said so. */
  ended: string | undefined;
  /** When it had all that its group waits for, on the monotonic clock in ms. */
  reachedAtMs: number | undefined;
  /** Bytes since the start, headers included. */
  bytes = 0;
  /** Positions as they came, and when. */
  readonly positions: number[] = [];
  readonly timesMs: number[] = [];
  /** Status changes that came twice or out of order, and positions that were left out between two of them. */
  readonly order = { doubles: 0, holes: 0 };
  #recovery: Recovery = { pid: "", offset: "" };
  /** The text of the first frame, where the group keeps it. */
  first: string | undefined;

  constructor(
    fd: Fd,
    opening: Opening,
    { index, now, before }: {
      readonly index: number;
      readonly now: () => number;
      /** Whose place it takes. */
      readonly before?: Left;
    },
  ) {
    this.fd = fd;
    this.#before = before;
    this.#index = index;
    this.#opening = opening;
    this.#now = now;
    const { until } = opening;
    const read = index % (opening.lookAtEvery ?? 1) === 0 ? opening.read : "count";
    this.read = read;
    this.#frameAt = opening.dialect === "engine.io" ? ARGUMENT_AT : 0;
    const looks = read !== "count" || until?.marker !== undefined || opening.keepFirst === true ||
      opening.keepRecovery === true;
    this.#marker = until?.marker === undefined ? undefined : new TextEncoder().encode(until.marker);
    const take = looks ? this.#take.bind(this) : undefined;
    this.#nats = opening.dialect === "nats" ? new NatsScanner(take) : undefined;
    this.#scanner = new FrameScanner(this.#nats === undefined ? take : this.#nats.feed.bind(this.#nats));
  }

  /** Frames, or messages of NATS, since the start. */
  get frames(): number {
    return (this.#nats?.messages ?? this.#scanner.frames) - this.#framesAtStart;
  }

  /** Status changes since the start. */
  get statuses(): number {
    return this.#statuses;
  }

  /** What is needed to come back in its place. */
  get left(): Left {
    return { ...this.#recovery, last: this.#last };
  }

  /** Whether the handshake is over and the frames that begin a connection have come. */
  get isOpen(): boolean {
    return this.#head === undefined && this.#scanner.frames >= this.#opening.openAfter;
  }

  /** The size of the payload of the latest frame. */
  get latestBytes(): number {
    return this.#scanner.latestBytes;
  }

  /** Asks for the upgrade. The key is the RFC's own example: nobody looks at the answer to it. */
  ask(): void {
    const { port, path, protocol, compress = false } = this.#opening;
    const head = `GET ${this.#own(path)} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
      "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
      (protocol === undefined ? "" : `Sec-WebSocket-Protocol: ${protocol}\r\n`) +
      (compress ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
    send(this.fd, new TextEncoder().encode(`${head}\r\n`));
  }

  /** Reads what is there. */
  readable(): void {
    const length = receive(this.fd, buffer);
    if (length < 0) return;
    if (length === 0) {
      this.ended = "the server ended it";
      return;
    }
    this.bytes += length;
    if (this.read !== "count" || this.#opening.until !== undefined) this.#nowMs = this.#now();
    const start = this.#head === undefined ? 0 : this.#handshake(length);
    if (start < length) this.#scanner.feed(buffer, start, length);
    if (!this.#greeted) this.#greet();
    this.#pong();
    if (this.reachedAtMs === undefined && this.#reached()) this.reachedAtMs = this.#nowMs;
  }

  /** Counts from here on. */
  start(): void {
    this.#framesAtStart = this.#nats?.messages ?? this.#scanner.frames;
    this.bytes = 0;
    this.#statuses = 0;
    this.#last = 0;
    this.reachedAtMs = undefined;
    this.positions.length = 0;
    this.timesMs.length = 0;
    this.order.doubles = 0;
    this.order.holes = 0;
  }

  /** Ends it without a word. */
  close(): void {
    close(this.fd);
  }

  #reached(): boolean {
    const { until } = this.#opening;
    if (until?.statuses !== undefined) return this.#statuses >= until.statuses;
    if (until?.frames !== undefined) return this.frames >= until.frames;
    return false;
  }

  /** Takes in the server's answer to the upgrade; returns where the frames begin. */
  #handshake(length: number): number {
    const before = this.#head ?? "";
    const head = before + decoder.decode(buffer.subarray(0, length));
    const end = head.indexOf(HEAD_END);
    if (end < 0) {
      this.#head = head;
      return length;
    }
    if (!head.startsWith("HTTP/1.1 101")) {
      this.ended = `refused: ${head.slice(0, 200)}`;
      return length;
    }
    this.#head = undefined;
    return end + HEAD_END.length - before.length;
  }

  /** Says what a client of this dialect says first. Engine.IO's and NATS's wait for the server's first word. */
  #greet(): void {
    const { dialect, hello } = this.#opening;
    if (this.#head !== undefined || (dialect !== "websocket" && this.#scanner.frames === 0)) return;
    this.#greeted = true;
    const isRecovered = dialect === "engine.io" && this.#before !== undefined;
    const texts = isRecovered ? [comingBack(this.#before)] : hello;
    for (const text of texts.map((each) => this.#own(each))) {
      send(this.fd, dialect === "nats" ? clientBinary(text) : clientText(text));
    }
  }

  #own(text: string): string {
    return text.replaceAll("{i}", String(FIRST_NUMBER + this.#index))
      .replaceAll("{last}", String(this.#before?.last));
  }

  /** Answers the server's pings, of whichever protocol. */
  #pong(): void {
    if (this.#scanner.pings > 0) {
      this.#scanner.pings = 0;
      send(this.fd, PONG);
    }
    if (this.#nats !== undefined) {
      if (this.#nats.errors.length > 0) this.ended = this.#nats.errors.join("; ");
      if (this.#nats.pings > 0) send(this.fd, clientBinary("PONG\r\n"));
      this.#nats.pings = 0;
    }
    // Engine.IO's ping is the text "2", and nothing else that it sends is one byte long.
    if (this.#opening.dialect === "engine.io" && this.#scanner.latestBytes === 1) {
      this.#scanner.latestBytes = 0;
      send(this.fd, clientText("3"));
    }
  }

  #take(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#scanner.isCompressed) return this.#look(bytes, start, end);
    const whole = new Uint8Array(end - start + TAIL.length);
    whole.set(bytes.subarray(start, end));
    whole.set(TAIL, end - start);
    const inflated = inflateRawSync(whole, { finishFlush: constants.Z_SYNC_FLUSH });
    this.#look(inflated, 0, inflated.length);
  }

  #look(bytes: Uint8Array, start: number, end: number): void {
    if (this.#opening.keepFirst === true) this.first ??= decoder.decode(bytes.subarray(start, end));
    if (this.#opening.keepRecovery === true) {
      this.#recovery = recoveryAfter(decoder.decode(bytes.subarray(start, end)), this.#recovery);
    }
    if (this.#marker !== undefined && startsWith(bytes, start, this.#marker)) {
      this.reachedAtMs ??= this.#nowMs;
    }
    if (this.read === "count") return;
    if (this.#opening.batches === true) {
      return positionsIn(bytes.subarray(start, end)).forEach(this.#note, this);
    }
    const isStatus = startsWith(bytes, start + this.#frameAt, STATUS);
    if (this.read === "statuses" && !isStatus) return;
    const position = positionIn(bytes, start, end);
    if (position === undefined) return;
    if (isStatus) this.#statuses++;
    if (this.read === "statuses") {
      if (position <= this.#last) this.order.doubles++;
      else if (this.#last > 0) this.order.holes += position - this.#last - 1;
      this.#last = Math.max(this.#last, position);
    } else {
      this.#note(position);
    }
  }

  #note(position: number): void {
    if (this.positions.length >= MOST_SAMPLES) return;
    this.positions.push(position);
    this.timesMs.push(this.#nowMs);
  }
}
