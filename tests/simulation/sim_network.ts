import { assert } from "@std/assert";
import type { OpenSocket, SocketListener } from "../../src/client/socket.ts";
import type { Socket as ServerSocket } from "../../src/connection/socket.ts";
import { textMessages } from "../connection/fake_socket.ts";
import type { Chance } from "./chance.ts";
import type { SimTime } from "./sim_time.ts";

const ABNORMAL = 1006;
/** What a socket takes before it asks for no more, and the most that a gateway may have written to one, bytes. */
const FULL_BYTES = 16_384;
const MOST_BYTES = 1_048_576;

/** The gateway's end of a link. */
export interface Served {
  receive(text: string): void;
  /** The peer is gone. */
  gone(): void;
}

/** What takes the links of clients: a proxy in front of gateways. Undefined where nobody takes one. */
export type Accept = (url: URL, socket: ServerSocket, chance: Chance) => Served | undefined;

/** Links between clients and gateways: each keeps its order, as TCP does; different ones overtake each other. */
export class SimNetwork {
  readonly #time: SimTime;
  readonly #accept: Accept;
  readonly #links = new Set<SimLink>();

  constructor(time: SimTime, accept: Accept) {
    this.#time = time;
    this.#accept = accept;
  }

  get links(): readonly SimLink[] {
    return [...this.#links];
  }

  /** How `owner` opens its sockets. */
  opener(owner: string, chance: Chance): OpenSocket {
    return (url, listener) => {
      const link = new SimLink(owner, this.#time, chance, listener, () => void this.#links.delete(link));
      assert(!this.links.some((other) => other.owner === owner), `${owner} has two sockets at once`);
      this.#links.add(link);
      link.open(new URL(url), this.#accept);
      return { send: (text) => link.send(text), close: () => link.leave() };
    };
  }
}

/** A connection between a client and a gateway, which may be slow, silent, or break. */
export class SimLink implements ServerSocket {
  readonly owner: string;
  readonly #time: SimTime;
  readonly #chance: Chance;
  readonly #listener: SocketListener;
  readonly #forget: () => void;
  /** When what was sent last arrives, each way. */
  readonly #lastMs = { up: 0, down: 0 };
  readonly #waiting: (() => void)[] = [];
  #served: Served | undefined;
  /** Which of the ends still has it. */
  #isOpen = { client: true, gateway: false };
  #isMute = false;
  /** What the client does not read at present. */
  #unread: string[] | undefined;
  #unreadBytes = 0;
  #onWay = 0;
  closedWith: number | undefined;

  constructor(
    owner: string,
    time: SimTime,
    chance: Chance,
    listener: SocketListener,
    forget: () => void,
  ) {
    this.owner = owner;
    this.#time = time;
    this.#chance = chance;
    this.#listener = listener;
    this.#forget = forget;
  }

  open(url: URL, accept: Accept): void {
    this.#later("up", () => {
      this.#served = accept(url, this, this.#chance);
      if (this.#served === undefined) return this.#later("down", () => this.#ended(ABNORMAL));
      this.#isOpen.gateway = true;
    });
  }

  /** The client sends. */
  send(text: string): void {
    this.#later("up", () => this.#isOpen.gateway && this.#served?.receive(text));
  }

  /** The client leaves; the gateway hears of it, unless nothing gets through. */
  leave(): void {
    this.#isOpen.client = false;
    this.#forget();
    this.#later("up", () => this.#gone());
  }

  /** It breaks: both ends hear of it. */
  cut(): void {
    this.#later("down", () => this.#ended(ABNORMAL));
    this.#later("up", () => this.#gone());
  }

  /** Nothing gets through any more, and nobody hears of that. */
  mute(): void {
    this.#isMute = true;
  }

  get isMute(): boolean {
    return this.#isMute;
  }

  /** The client stops to read, or goes on. */
  stall(isStalled: boolean): void {
    if (isStalled) {
      this.#unread ??= [];
      return;
    }
    const unread = this.#unread ?? [];
    this.#unread = undefined;
    this.#unreadBytes = 0;
    for (const text of unread) this.#heard(text);
    for (const run of this.#waiting.splice(0)) run();
  }

  /** The gateway is gone: its process ended, or its machine. */
  abandoned(): void {
    this.#isOpen.gateway = false;
    this.#later("down", () => this.#ended(ABNORMAL));
  }

  get congested(): boolean {
    return this.#unreadBytes + this.#onWay > FULL_BYTES;
  }

  write(bytes: Uint8Array): void {
    assert(this.closedWith === undefined, "nothing is written after the close");
    const texts = textMessages(bytes);
    this.#onWay += bytes.length;
    assert(this.#onWay + this.#unreadBytes < MOST_BYTES, "little waits for who does not read");
    this.#later("down", () => {
      this.#onWay -= bytes.length;
      if (this.#unread !== undefined) {
        this.#unread.push(...texts);
        this.#unreadBytes += bytes.length;
        return;
      }
      for (const text of texts) this.#heard(text);
      if (!this.congested) { for (const run of this.#waiting.splice(0)) run(); }
    });
  }

  onceDrained(run: () => void): void {
    if (this.congested) this.#waiting.push(run);
    else run();
  }

  setReading(): void {}

  close(code: number): void {
    if (this.closedWith !== undefined) return;
    this.closedWith = code;
    this.#gone();
    this.#later("down", () => {
      this.stall(false);
      this.#ended(code);
    });
  }

  #heard(text: string): void {
    if (this.#isOpen.client) this.#listener.message(text);
  }

  #ended(code: number): void {
    if (!this.#isOpen.client) return;
    this.#isOpen.client = false;
    this.#forget();
    this.#listener.ended(code);
  }

  #gone(): void {
    if (!this.#isOpen.gateway) return;
    this.#isOpen.gateway = false;
    this.#served?.gone();
  }

  #later(way: "up" | "down", run: () => void): void {
    const arrivesMs = Math.max(this.#lastMs[way], this.#time.now() + this.#chance.whole(1, 12));
    this.#lastMs[way] = arrivesMs;
    this.#time.after(arrivesMs - this.#time.now(), () => this.#isMute || run());
  }
}
