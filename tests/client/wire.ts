import { assert } from "@std/assert";
import { EVERYBODY } from "../../src/access/access.ts";
import type { OpenSocket, SocketListener } from "../../src/client/socket.ts";
import { FakeSocket } from "../connection/fake_socket.ts";
import type { Peer, World } from "../connection/world.ts";

/** How long a message is on its way, ms of the world's clock. */
const LATENCY_MS = 5;
const ABNORMAL = 1006;
const TOO_BIG = 1009;
const MAX_BYTES = 65_536;

/** A network in memory between clients and the gateway of a world: every message takes a while, links break as told. */
export class Wire {
  readonly #world: World;
  readonly #links = new Set<Link>();
  /** Whether anybody can connect. */
  reachable = true;
  /** How many links were asked for. */
  opened = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** How many links a client has open or is opening. */
  get open(): number {
    return this.#links.size;
  }

  /** What a client opens its sockets with. */
  get socket(): OpenSocket {
    return (url, listener) => {
      this.opened++;
      const link = new Link(this.#world, new URL(url), listener, (gone) => this.#links.delete(gone));
      this.#links.add(link);
      assert(this.#links.size <= 1, "a client never has two sockets");
      link.begin(this.reachable);
      return { send: (text) => link.send(text), close: () => link.leave() };
    };
  }

  /** Every link breaks, and both ends hear of it. */
  cut(): void {
    for (const link of [...this.#links]) link.cut(ABNORMAL);
  }

  /** A namespace of channels is there no more. */
  withdraw(namespace: string): void {
    this.#world.projection.namespaces.remove(namespace);
    for (const link of this.#links) link.withdraw(namespace);
  }

  /** Every link falls silent: nothing arrives any more, and nobody hears of it. */
  mute(): void {
    for (const link of this.#links) link.mute();
  }
}

/** One connection, with both of its ends. */
class Link {
  readonly #world: World;
  readonly #url: URL;
  readonly #listener: SocketListener;
  readonly #forget: (link: Link) => void;
  #peer: Peer | undefined;
  #isOver = false;
  #isMute = false;

  constructor(world: World, url: URL, listener: SocketListener, forget: (link: Link) => void) {
    this.#world = world;
    this.#url = url;
    this.#listener = listener;
    this.#forget = forget;
  }

  begin(reachable: boolean): void {
    this.#later(() => {
      if (!reachable || this.#world.isRestarting) return this.cut(ABNORMAL);
      const socket = new EndedSocket((code) => this.#later(() => this.cut(code)));
      socket.onWritten = ({ frame }) => this.#later(() => this.#arrives(JSON.stringify(frame)));
      this.#peer = this.#world.peer(socket, { codec: "json-batch", path: this.#url.pathname });
      this.#peer.connection.open(EVERYBODY);
    });
  }

  send(text: string): void {
    this.#later(() => {
      if (this.#isMute) return;
      if (new TextEncoder().encode(text).length > MAX_BYTES) return this.cut(TOO_BIG);
      this.#peer?.connection.receive(text);
    });
  }

  /** The client closes it. */
  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#forget(this);
    this.#peer?.vanish();
  }

  cut(code: number): void {
    if (this.#isOver) return;
    this.leave();
    this.#listener.ended(code);
  }

  mute(): void {
    this.#isMute = true;
  }

  withdraw(namespace: string): void {
    this.#peer?.connection.withdrawn(namespace);
  }

  #arrives(text: string): void {
    if (!this.#isMute) this.#listener.message(text);
  }

  #later(run: () => void): void {
    this.#world.clock.after(LATENCY_MS, () => {
      if (!this.#isOver) run();
    });
  }
}

/** Tells when the gateway closes it. */
class EndedSocket extends FakeSocket {
  readonly #ended: (code: number) => void;

  constructor(ended: (code: number) => void) {
    super();
    this.#ended = ended;
  }

  override close(code: number, reason: string): void {
    super.close(code, reason);
    this.#ended(code);
  }
}
