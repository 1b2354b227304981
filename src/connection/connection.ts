import { type Access, NOBODY } from "../access/access.ts";
import type { Scope, TaskNames } from "../access/scope.ts";
import { namesOf } from "../projection/delivery.ts";
import { Interest } from "../projection/interest.ts";
import type { Told } from "../projection/forgotten.ts";
import type { ClientFrame } from "../protocol/client_frames.ts";
import { CLOSE_CODES } from "../protocol/close_codes.ts";
import type { Payload } from "../protocol/codec.ts";
import type { ServerData } from "../protocol/server_frames.ts";
import type { Member } from "../router/audience.ts";
import type { ConnectionDeps, Identity, RequestContext } from "./connection_deps.ts";
import { type Gap, heldTopics, type Position, safeCursor } from "./flow.ts";
import { type Read, readBinaryFrame, readFrame } from "./inbound.ts";
import { Mailbox } from "./mailbox.ts";
import { type About, Outlet } from "./outlet.ts";
import { type Ask, Paging } from "./paging.ts";
import type { Socket } from "./socket.ts";
import { type Effect, type Input, type Outcome, type Serving, type State, stateName } from "./state.ts";
import { step } from "./step.ts";

const MAX_WAITING = 1_024;
const MAX_IN_FLIGHT = 16;
/** How often an alarm that is to come later is looked at, ms: the clock may have been set. */
const LOOK_MS = 60_000;

/**
 * One connection: a mailbox, a state machine, and the few hands that do what the machine decides. It asks for one
 * page or snapshot chunk at a time and only when the socket has drained, so a slow client costs a cursor, not a queue.
 */
export class Connection implements Member {
  readonly identity: Identity;
  readonly #socket: Socket;
  readonly #outlet: Outlet;
  readonly #deps: ConnectionDeps;
  readonly #mailbox: Mailbox<Input>;
  /** See {@link Member}: a page counts too. */
  pacedAtMs = -Infinity;
  #state: State = { kind: "greeting" };
  /** Only while the connection is behind: one that waits for news costs no more than it must. */
  #paging: Paging | undefined;
  #waitsForDrain = false;
  /** Calls the alarm off that is set. */
  #callOffAlarm: (() => void) | undefined;
  #inFlight = 0;
  #lastState: string | undefined;

  constructor(socket: Socket, identity: Identity, deps: ConnectionDeps) {
    this.#socket = socket;
    this.identity = identity;
    this.#deps = deps;
    this.#outlet = new Outlet(socket, identity, deps);
    this.#mailbox = new Mailbox(MAX_WAITING, (input) => this.#turn(input));
  }

  /** `greeting`, `unknown`, `quiet`, `live`, `behind`, `draining` or `closed`. */
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

  /**
   * Greets, once there is an access; then subscribes as the handshake asked, as if the client had sent that frame. Without an
   * access the client has to show a token first.
   */
  open(access: Access | undefined, subscribe?: ClientFrame["data"]): void {
    this.#post({
      kind: "opened",
      atMs: this.#deps.clock.elapsed(),
      ...(access === undefined ? {} : { access }),
      ...(subscribe === undefined
        ? {}
        : { first: { type: "subscribe", id: this.#outlet.newId("subscribe"), data: subscribe } }),
    });
  }

  /** Greets; then begins with what was answered to a subscription before there was a connection. */
  openWith(access: Access, outcome: Extract<Outcome, { kind: "subscribe" }>): void {
    this.#post({ kind: "opened", atMs: this.#deps.clock.elapsed(), access });
    this.#answer(this.#outlet.newId("subscribe"), outcome);
  }

  /** Takes in a text message. */
  receive(text: string): void {
    this.#received(readFrame(text));
  }

  /** Takes in a binary message, which is invalid where the codec has none. */
  receiveBinary(bytes: Uint8Array): void {
    const isBinary = this.identity.codec.isBinary === true;
    this.#received(
      isBinary
        ? readBinaryFrame(bytes)
        : { invalid: "binary messages need the sub-protocol taskwire.v1.cbor", id: undefined },
    );
  }

  #received(read: Read): void {
    const atMs = this.#deps.clock.elapsed();
    if ("frame" in read) {
      const cost = this.#deps.messages.costOf(read.frame.type) ?? 1;
      this.#post({ kind: "request", frame: read.frame, cost, atMs });
    } else {
      const error = { code: "INVALID_MESSAGE", message: read.invalid, details: {} } as const;
      this.#post({ kind: "invalid", id: read.id, error, atMs });
    }
  }

  /** Writes a prepared flush. */
  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** The audience let it go: it is behind now. */
  lagged(cursor: number): void {
    this.#post({ kind: "flow", input: { kind: "lagged", cursor } });
  }

  /** A task went out of its sight, or did once: where it is not back, its topics are left. */
  lost(taskId: string): void {
    const now = this.#deps.projection.tasks.get(taskId);
    if (now === undefined || !this.#sees(namesOf(now.state))) this.#post({ kind: "lost", taskId });
  }

  /** There are no topics of a namespace any more: those that it holds are left. */
  withdrawn(namespace: string): void {
    this.#post({ kind: "withdrawn", namespace });
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
      this.#callOffAlarm?.();
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
      removals: this.#removals,
    };
  }

  /** What is remembered of the tasks that left, as far as those count that may be seen. */
  get #removals(): Position["removals"] {
    const { removals } = this.#deps.router;
    const scope = this.#scope;
    if (scope === undefined) return removals;
    return {
      count: removals.count,
      covers: (told) => removals.covers(told, scope),
      toldBy: (seq) => removals.toldBy(seq),
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
        return this.#writePayloads([this.#outlet.error(effect)]);
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
      case "setAlarm":
        return this.#setAlarm(effect);
      case "write":
        return this.#writePayloads(effect.payloads);
      case "close": {
        const { code, reason } = CLOSE_CODES[effect.why];
        return this.#socket.close(code, reason);
      }
    }
  }

  #join({ held, cursor }: Extract<Effect, { kind: "join" }>): void {
    const serving = this.#serving;
    if (serving === undefined) return;
    const { paceMs } = serving;
    this.#deps.router.join(this, held, this.identity.codec, cursor, { paceMs, scope: this.#scope });
  }

  #setAlarm(effect: Extract<Effect, { kind: "setAlarm" }>): void {
    this.#callOffAlarm?.();
    this.#callOffAlarm = undefined;
    const { clock } = this.#deps;
    if ("afterMs" in effect) {
      this.#callOffAlarm = clock.after(effect.afterMs, () => this.#post({ kind: "alarm" }));
      return;
    }
    const { atMs } = effect;
    if (atMs === undefined) return;
    const delayMs = Math.min(LOOK_MS, Math.max(0, atMs - clock.now()));
    this.#callOffAlarm = clock.after(delayMs, () => {
      if (clock.now() < atMs) this.#setAlarm(effect);
      else this.#post({ kind: "alarm" });
    });
  }

  /** The state in which it is served; undefined before and after. */
  get #serving(): Serving | undefined {
    return this.#state.kind === "open" || this.#state.kind === "draining" ? this.#state : undefined;
  }

  get #access(): Access {
    return this.#serving?.access ?? NOBODY;
  }

  /** The tasks that may be seen; undefined where those are all. */
  get #scope(): Scope | undefined {
    const { scope } = this.#access;
    return scope.hasEveryTask ? undefined : scope;
  }

  #sees(task: TaskNames): boolean {
    return this.#access.scope.sees(task);
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
    this.#post({ kind: "answer", id, outcome: this.#admitted(outcome), atMs: this.#deps.clock.elapsed() });
  }

  #admitted(outcome: Outcome): Outcome {
    if (outcome.kind !== "access" || this.#state.kind !== "unknown") return outcome;
    const error = this.identity.admit?.(outcome.access.subject);
    return error === undefined ? outcome : { kind: "refusedAccess", error, close: "limited" };
  }

  #failure(error: unknown): Outcome {
    const incident = this.#deps.incident(error, this.identity.connectionId);
    const message = "the server could not answer this; try again later";
    return { kind: "error", error: { code: "SERVER_ERROR", message, details: { incident } } };
  }

  #context(): RequestContext {
    const position = this.#position();
    const flow = this.#serving?.flow;
    return {
      path: this.identity.path,
      access: this.#access,
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
    return this.#serving?.flow.kind === "behind";
  }

  /** Asks for a page or a snapshot chunk. */
  #ask(ask: Ask): void {
    if (this.#state.kind === "closed") return;
    this.#paging ??= new Paging(this.#deps, {
      isCongested: () => this.#socket.congested,
      startWhenDrained: () => this.#startWhenDrained(),
      answered: (input) => this.#post({ kind: "flow", input }),
      sees: (task) => this.#sees(task),
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
    const scope = this.#scope;
    if (block.hasLost) {
      const lost = new Interest(held, scope).lost(block, { after, through });
      for (const taskId of new Set(lost)) this.lost(taskId);
    }
    const batch = pageBatches.batch(
      { block, after, through, held, whole, codec, scope, removed },
      clock.now(),
    );
    if (batch === undefined) return;
    this.pacedAtMs = clock.elapsed();
    this.#outlet.writeBatch(batch);
  }

  /** The tasks that left the list after `told`, and are not back. */
  #removed(told: Told, until?: number): readonly string[] {
    const { router, projection } = this.#deps;
    return [...router.removals.after(told, until)].flatMap((task) =>
      projection.tasks.get(task.taskId) === undefined && this.#sees(task) ? [task.taskId] : []
    );
  }

  #tellRemoved(removed: readonly string[]): void {
    if (removed.length > 0) this.#send("task_list", { tasks: [], removed });
  }

  #writePayloads(payloads: readonly Payload[]): void {
    this.#outlet.write(payloads);
    if (this.#socket.congested) this.#throttleReading();
  }

  #send<T extends keyof ServerData>(type: T, data: ServerData[T], about?: About): void {
    this.#writePayloads([this.#outlet.frame(type, data, about)]);
  }

  #welcome(): ServerData["welcome"] {
    const { projection, clock, welcome, router } = this.#deps;
    const { expiresAtMs } = this.#access;
    return {
      connection_id: this.identity.connectionId,
      client_id: this.identity.clientId,
      server_time: clock.now(),
      epoch: projection.epoch,
      seq: router.head,
      ...welcome,
      topics: this.#state.kind === "open" ? heldTopics(this.#state.flow) : [],
      ...(expiresAtMs === undefined ? {} : { expires_at: expiresAtMs }),
    };
  }
}

/** Who begins with nothing is where the stream is; any other beginning has a cursor when it is over. */
function begunAt({ replay, seq }: ServerData["subscribed"]): number | undefined {
  return replay?.mode === "none" ? seq : undefined;
}
