import type { History } from "../projection/history.ts";
import type { Projection } from "../projection/projection.ts";
import type { Told } from "../projection/removals.ts";
import type { ClientFrame } from "../protocol/client_frames.ts";
import { CLOSE_CODES } from "../protocol/close_codes.ts";
import { type Codec, encodeJson, type Payload } from "../protocol/codec.ts";
import type { ServerData, ServerFrame } from "../protocol/server_frames.ts";
import type { Member } from "../router/audience.ts";
import type { PageBatches } from "../router/page_batches.ts";
import type { Clock, Router } from "../router/router.ts";
import { type Gap, heldTopics, type Position, safeCursor } from "./flow.ts";
import { readFrame } from "./inbound.ts";
import { Mailbox } from "./mailbox.ts";
import { type Ask, Paging } from "./paging.ts";
import type { Socket } from "./socket.ts";
import { type Effect, type Input, type Limits, type Outcome, type State, stateName, step } from "./state.ts";

/** Who is connected, and how it wants its frames. */
export type Identity = {
  readonly connectionId: string;
  readonly clientId: string;
  readonly path: string;
  readonly codec: Codec;
};

/** What a message type may know of the connection that sent it. */
export type RequestContext = {
  readonly path: string;
  readonly nowMs: number;
  readonly epoch: string;
  readonly head: number;
  /** The position up to which the connection has been served, where a client could resume from there. */
  readonly served: number | undefined;
};

/** The message types, as a connection needs them. */
export interface Dispatcher {
  /** Tokens that a frame of this type takes from the rate limit; undefined where no such type is registered. */
  costOf(type: string): number | undefined;
  /** Answers a frame; a handler's own failure is its rejection. */
  dispatch(frame: ClientFrame, context: RequestContext): Outcome | Promise<Outcome>;
}

/** What connections counted since the start, for `/metrics`. */
export type ConnectionCounts = {
  messages: Record<string, number>;
  errors: Record<string, number>;
  frames: number;
  bytes: number;
};

/** Everything a connection works with, shared by all of them. */
export type ConnectionDeps = {
  readonly projection: Projection;
  readonly history: History;
  readonly router: Router;
  readonly pageBatches: PageBatches;
  readonly messages: Dispatcher;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly welcome: Pick<ServerData["welcome"], "heartbeat" | "limits">;
  readonly counts: ConnectionCounts;
  /** Told of each change of state, by name. */
  readonly moved: (from: string, to: string) => void;
  /** Told how many messages wait in a mailbox. */
  readonly noteDepth: (depth: number) => void;
  /** Notes a failure of ours; returns the incident id under which it is in the log. */
  readonly incident: (error: unknown, connectionId: string) => string;
};

const MAX_WAITING = 1_024;
const MAX_IN_FLIGHT = 16;

/**
 * One connection: a mailbox, a state machine, and the few hands that do what the machine decides. It asks for one
 * page or snapshot chunk at a time and only when the socket has drained, so a slow client costs a cursor, not a queue.
 */
export class Connection implements Member {
  readonly identity: Identity;
  readonly #socket: Socket;
  readonly #deps: ConnectionDeps;
  readonly #mailbox: Mailbox<Input>;
  /** See {@link Member}: a page counts too. */
  pacedAtMs = -Infinity;
  #state: State = { kind: "greeting" };
  /** Only while the connection is behind: one that waits for news costs no more than it must. */
  #paging: Paging | undefined;
  #waitsForDrain = false;
  #inFlight = 0;
  #sent = 0;
  #lastState: string | undefined;

  constructor(socket: Socket, identity: Identity, deps: ConnectionDeps) {
    this.#socket = socket;
    this.identity = identity;
    this.#deps = deps;
    this.#mailbox = new Mailbox(MAX_WAITING, (input) => this.#turn(input));
  }

  /** `greeting`, `quiet`, `live`, `behind`, `draining` or `closed`. */
  get stateName(): string {
    return stateName(this.#state);
  }

  /** The state before it was closed, or the one it is in. */
  get lastState(): string {
    return this.#lastState ?? this.stateName;
  }

  /** Whether the socket asks for no more. */
  get congested(): boolean {
    return this.#socket.congested;
  }

  /** Greets; then subscribes as the handshake asked, as if the client had sent that frame. */
  open(subscribe?: ClientFrame["data"]): void {
    const atMs = this.#deps.clock.now();
    this.#post({ kind: "opened", atMs });
    if (subscribe === undefined) return;
    const frame: ClientFrame = { type: "subscribe", id: this.#newId("subscribe"), data: subscribe };
    this.#post({ kind: "request", frame, cost: 0, atMs });
  }

  /** Greets; then begins with what was answered to a subscription before there was a connection. */
  openWith(outcome: Extract<Outcome, { kind: "subscribe" }>): void {
    this.#post({ kind: "opened", atMs: this.#deps.clock.now() });
    this.#answer(this.#newId("subscribe"), outcome);
  }

  /** Takes in a text message. */
  receive(text: string): void {
    const atMs = this.#deps.clock.now();
    const read = readFrame(text);
    if ("frame" in read) {
      const cost = this.#deps.messages.costOf(read.frame.type) ?? 1;
      this.#post({ kind: "request", frame: read.frame, cost, atMs });
    } else {
      const error = { code: "INVALID_MESSAGE", message: read.invalid, details: {} } as const;
      this.#post({ kind: "invalid", id: read.id, error, atMs });
    }
  }

  /** Takes in a binary message, which this codec has none of. */
  receiveBinary(): void {
    const message = "binary messages need the sub-protocol taskwire.v1.cbor";
    const error = { code: "INVALID_MESSAGE", message, details: {} } as const;
    this.#post({ kind: "invalid", id: undefined, error, atMs: this.#deps.clock.now() });
  }

  /** Writes a prepared flush. */
  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** The audience let it go: it is behind now. */
  lagged(cursor: number): void {
    this.#post({ kind: "flow", input: { kind: "lagged", cursor } });
  }

  /** The projection was built anew; a live connection had been served up to `served`. */
  rebuilt(reason: Gap["reason"], served: number): void {
    this.#post({ kind: "rebuilt", reason, served });
  }

  /** Tells the client to come back after `reconnectAfterMs`; it is served until it is closed. */
  drain(reconnectAfterMs: number): void {
    this.#post({ kind: "drain", reconnectAfterMs });
  }

  /** Closes it with a row of the close table. */
  close(why: keyof typeof CLOSE_CODES): void {
    this.#post({ kind: "close", why });
  }

  /** The socket is gone. */
  socketClosed(): void {
    this.#post({ kind: "socketClosed" });
  }

  #post(input: Input): void {
    if (!this.#mailbox.post(input)) {
      // Inbound frames are paused long before; a full mailbox is a fault of ours, and ends this connection only.
      this.#perform({ kind: "close", why: "overloaded" });
      this.#deps.router.leave(this);
      this.#become({ kind: "closed" });
    }
    this.#deps.noteDepth(this.#mailbox.depth);
  }

  #become(state: State): void {
    const from = this.stateName;
    this.#state = state;
    const to = this.stateName;
    if (to === from) return;
    if (to === "closed") {
      this.#lastState = from;
      this.#paging?.end();
      this.#paging = undefined;
    }
    this.#deps.moved(from, to);
  }

  #turn(input: Input): void {
    this.#guarded(() => {
      const [state, effects] = step(this.#state, input, this.#position(), this.#deps.limits);
      this.#become(state);
      for (const effect of effects) this.#perform(effect);
      if (this.#paging?.isAtRest === true && !this.#isBehind()) this.#paging = undefined;
    });
  }

  /** A fault of ours ends this connection, and nothing else. */
  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#deps.incident(error, this.identity.connectionId);
      if (this.#state.kind === "closed") return;
      this.#become({ kind: "closed" });
      this.#deps.router.leave(this);
      this.#perform({ kind: "close", why: "internal" });
    }
  }

  #position(): Position {
    const { projection, router } = this.#deps;
    const head = router.head;
    const cursor = router.cursorOf(this) ?? head;
    return {
      epoch: projection.epoch,
      head,
      cursor,
      waits: router.waits(this),
      told: router.toldOf(this),
      removals: router.removals,
    };
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "welcome":
        return this.#send("welcome", this.#welcome());
      case "dispatch":
        return this.#dispatch(effect.frame);
      case "reply":
        return this.#send(effect.reply.type, effect.reply.data, { id: effect.id, seq: effect.reply.seq });
      case "tell":
        return this.#send(effect.type, effect.data, { id: effect.requestId, cursor: begunAt(effect.data) });
      case "gap":
        return this.#send("gap", effect.data);
      case "caughtUp":
        return this.#send("caught_up", effect.data, { cursor: effect.data.seq });
      case "drain":
        return this.#send("drain", effect.data, { cursor: effect.data.seq });
      case "error":
        return this.#sendError(effect);
      case "leave":
        return this.#deps.router.leave(this);
      case "join":
        return this.#join(effect);
      case "readPage":
      case "walk":
        return this.#ask(effect);
      case "deliver":
        return this.#deliver(effect);
      case "removed":
        return this.#tellRemoved(this.#removed(effect.told));
      case "write":
        return this.#writePayloads(effect.payloads);
      case "close": {
        const { code, reason } = CLOSE_CODES[effect.why];
        return this.#socket.close(code, reason);
      }
    }
  }

  #join({ held, cursor }: Extract<Effect, { kind: "join" }>): void {
    if (this.#state.kind !== "open" && this.#state.kind !== "draining") return;
    this.#deps.router.join(this, held, this.identity.codec, cursor, this.#state.paceMs);
  }

  #dispatch(frame: ClientFrame): void {
    const { messages, counts } = this.#deps;
    const known = messages.costOf(frame.type) === undefined ? "unknown" : frame.type;
    counts.messages[known] = (counts.messages[known] ?? 0) + 1;
    let outcome: Outcome | Promise<Outcome>;
    try {
      outcome = messages.dispatch(frame, this.#context());
    } catch (error) {
      outcome = this.#failure(error);
    }
    if (!(outcome instanceof Promise)) return this.#answer(frame.id, outcome);
    this.#inFlight++;
    this.#throttleReading();
    outcome.catch((error: unknown) => this.#failure(error)).then((late) => {
      this.#inFlight--;
      this.#answer(frame.id, late);
      this.#guarded(() => this.#throttleReading());
    });
  }

  #answer(id: string, outcome: Outcome): void {
    this.#post({ kind: "answer", id, outcome, atMs: this.#deps.clock.now() });
  }

  #failure(error: unknown): Outcome {
    const incident = this.#deps.incident(error, this.identity.connectionId);
    const message = "the server could not answer this; try again later";
    return { kind: "error", error: { code: "SERVER_ERROR", message, details: { incident } } };
  }

  #context(): RequestContext {
    const position = this.#position();
    const flow = this.#state.kind === "open" || this.#state.kind === "draining"
      ? this.#state.flow
      : undefined;
    return {
      path: this.identity.path,
      nowMs: this.#deps.clock.now(),
      epoch: position.epoch,
      head: position.head,
      served: flow && safeCursor(flow, position),
    };
  }

  /** A client that asks more than it reads, or more than is answered, is not read from for a while. */
  #throttleReading(): void {
    if (this.#state.kind === "closed") return;
    const overdue = this.#inFlight >= MAX_IN_FLIGHT;
    this.#socket.setReading(!overdue && !this.#socket.congested);
    if (this.#socket.congested) this.#startWhenDrained();
  }

  #isBehind(): boolean {
    const state = this.#state;
    return (state.kind === "open" || state.kind === "draining") && state.flow.kind === "behind";
  }

  /** Asks for a page or a snapshot chunk. */
  #ask(ask: Ask): void {
    if (this.#state.kind === "closed") return;
    this.#paging ??= new Paging(this.#deps, {
      isCongested: () => this.#socket.congested,
      startWhenDrained: () => this.#startWhenDrained(),
      answered: (input) => this.#post({ kind: "flow", input }),
      failed: (error) => this.#deps.incident(error, this.identity.connectionId),
      guarded: (run) => this.#guarded(run),
    });
    this.#paging.ask(ask);
  }

  #startWhenDrained(): void {
    if (this.#waitsForDrain) return;
    this.#waitsForDrain = true;
    this.#socket.onceDrained(() => {
      this.#waitsForDrain = false;
      this.#guarded(() => {
        this.#throttleReading();
        this.#paging?.start();
      });
    });
  }

  #deliver(effect: Extract<Effect, { kind: "deliver" }>): void {
    const { page: { block, after, through }, held, whole } = effect;
    const { pageBatches, clock } = this.#deps;
    const { codec } = this.identity;
    const removed = effect.removed ? this.#removed(effect.removed.told, effect.removed.until) : [];
    const batch = pageBatches.batch({ block, after, through, held, whole, codec, removed }, clock.now());
    if (batch === undefined) return;
    this.pacedAtMs = clock.now();
    this.#deps.counts.frames += batch.frames;
    this.#deps.counts.bytes += batch.bytes.length;
    this.#socket.write(batch.bytes);
  }

  /** The tasks that left the list after `told`, and are not back. */
  #removed(told: Told, until?: number): readonly string[] {
    const { router, projection } = this.#deps;
    return [...router.removals.after(told, until)].filter((id) => projection.tasks.get(id) === undefined);
  }

  #tellRemoved(removed: readonly string[]): void {
    if (removed.length > 0) this.#send("task_list", { tasks: [], removed });
  }

  #writePayloads(payloads: readonly Payload[]): void {
    if (payloads.length === 0) return;
    const bytes = this.identity.codec.pack(payloads, this.#deps.clock.now());
    this.#deps.counts.frames += payloads.length;
    this.#deps.counts.bytes += bytes.length;
    this.#socket.write(bytes);
    if (this.#socket.congested) this.#throttleReading();
  }

  #welcome(): ServerData["welcome"] {
    const { projection, clock, welcome, router } = this.#deps;
    return {
      connection_id: this.identity.connectionId,
      client_id: this.identity.clientId,
      server_time: clock.now(),
      epoch: projection.epoch,
      seq: router.head,
      ...welcome,
      topics: this.#state.kind === "open" ? heldTopics(this.#state.flow) : [],
    };
  }

  /** `cursor` is the position from which the client could resume once it has this; left out where it stands for none. */
  #send<T extends keyof ServerData>(
    type: T,
    data: ServerData[T],
    { id, seq, cursor }: {
      readonly id?: string;
      readonly seq?: number | undefined;
      readonly cursor?: number | undefined;
    } = {},
  ): void {
    const timestamp = this.#deps.clock.now();
    // The pairing of `type` and `data` is the signature's; the compiler loses it in the union.
    const frame = {
      type,
      id: id ?? this.#newId(type),
      timestamp,
      data,
      ...(seq === undefined ? {} : { seq }),
    } as ServerFrame;
    this.#writePayloads([{ bytes: encodeJson(frame), type, cursor }]);
  }

  #sendError(effect: Extract<Effect, { kind: "error" }>): void {
    const { counts, clock } = this.#deps;
    counts.errors[effect.error.code] = (counts.errors[effect.error.code] ?? 0) + 1;
    const id = effect.id ?? this.#newId("error");
    const bytes = encodeJson({ type: "error", id, timestamp: clock.now(), error: effect.error });
    this.#writePayloads([{ bytes, type: "error", cursor: undefined }]);
  }

  #newId(type: string): string {
    return `${type}_${this.identity.connectionId}_${++this.#sent}`;
  }
}

/** Who begins with nothing is where the stream is; any other beginning has a cursor when it is over. */
function begunAt({ replay, seq }: ServerData["subscribed"]): number | undefined {
  return replay?.mode === "none" ? seq : undefined;
}
