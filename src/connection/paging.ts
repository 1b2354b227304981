import type { TaskNames } from "../access/scope.ts";
import { LogError } from "../log/event_log.ts";
import type { History } from "../projection/history.ts";
import type { Projection } from "../projection/projection.ts";
import type { Clock } from "../router/router.ts";
import { SnapshotWalk } from "../router/snapshot.ts";
import type { FlowEffect, FlowInput, Walk } from "./flow.ts";

/** What a connection that is behind asks for: a page of the log, or a chunk of a snapshot. */
export type Ask = Extract<FlowEffect, { kind: "readPage" | "walk" }>;

/** What is paged from, and by which clock it is asked again. */
export type PagingDeps = {
  readonly projection: Projection;
  readonly history: History;
  readonly clock: Clock;
};

/** The connection, as its paging needs it. */
export interface PagingFor {
  /** Whether the socket asks for no more until it has drained. */
  isCongested(): boolean;
  /** Has {@link Paging.start} called once the socket has drained. */
  startWhenDrained(): void;
  /** Takes the answer to what was asked last. */
  answered(input: FlowInput): void;
  /** Whether the connection may see a task. */
  sees(task: TaskNames): boolean;
  /** Is told of a failure other than that the log is out of reach. */
  failed(error: unknown): void;
  /** Runs what may throw for a fault of ours. */
  guarded(run: () => void): void;
}

const RETRY_MS = 500;
/** What has nothing yet is asked again after this, ms. */
const NOTHING_MS = 20;

/**
 * What a connection reads while it is behind: one page or snapshot chunk at a time, and only when the socket has
 * drained. What was asked before is superseded by what is asked now; its answer is waited for all the same, so that
 * no connection ever has two under way.
 */
export class Paging {
  readonly #deps: PagingDeps;
  readonly #connection: PagingFor;
  /** Undefined once it was answered, or the connection ended. */
  #wanted: Ask | undefined;
  /** Whose answer is still to come. */
  #asked: Ask | undefined;
  #walking: { readonly asked: Walk["asked"]; readonly chunks: SnapshotWalk } | undefined;
  /** Calls off what was to be asked again. */
  #callOff: (() => void) | undefined;

  constructor(deps: PagingDeps, connection: PagingFor) {
    this.#deps = deps;
    this.#connection = connection;
  }

  /** Whether nothing is wanted, and nothing under way. */
  get isAtRest(): boolean {
    return this.#wanted === undefined && this.#asked === undefined;
  }

  /** Asks for a page or a snapshot chunk; what was asked before is superseded, unless it is the same. */
  ask(ask: Ask): void {
    this.#wanted = ask;
    this.start();
  }

  /** Goes on, unless an answer is still to come or the socket is congested. */
  start(): void {
    if (this.#asked !== undefined || this.#wanted === undefined) return;
    if (this.#connection.isCongested()) return this.#connection.startWhenDrained();
    const ask = this.#wanted;
    this.#asked = ask;
    const answer = ask.kind === "walk" ? this.#chunk(ask.walk) : this.#page(ask);
    if (!(answer instanceof Promise)) return this.#came(ask, answer);
    answer.then(
      (input) => this.#connection.guarded(() => this.#came(ask, input)),
      (error: unknown) => this.#retry(error),
    );
  }

  /** Wants nothing any more: the connection is closed. */
  end(): void {
    this.#callOff?.();
    this.#wanted = undefined;
    this.#walking = undefined;
  }

  /** An answer came; whoever has something else to do comes first where it says so. */
  #came(ask: Ask, input: FlowInput): void {
    if (input.kind !== "page" || input.page.rests !== true) return this.#settle(ask, input);
    const { after, through } = input.page;
    this.#later(through > after ? 0 : NOTHING_MS, () => this.#settle(ask, input));
  }

  #settle(ask: Ask, input: FlowInput): void {
    this.#asked = undefined;
    if (this.#wanted === undefined || !sameAsk(ask, this.#wanted)) return this.start();
    this.#wanted = undefined;
    this.#connection.answered(input);
  }

  /** The log is out of reach: the cursor stays where it is and the same is asked again. */
  #retry(error: unknown): void {
    if (this.#wanted === undefined) return;
    // An outage is known to whoever follows the log; it need not be told once for each connection.
    if (!(error instanceof LogError)) this.#connection.failed(error);
    this.#later(RETRY_MS, () => {
      this.#asked = undefined;
      this.start();
    });
  }

  #later(delayMs: number, run: () => void): void {
    this.#callOff = this.#deps.clock.after(delayMs, () => {
      this.#callOff = undefined;
      this.#connection.guarded(run);
    });
  }

  #page({ wanted, held }: Extract<Ask, { kind: "readPage" }>): FlowInput | Promise<FlowInput> {
    const page = this.#deps.history.page({ ...wanted, held });
    return page instanceof Promise
      ? page.then((late) => ({ kind: "page", wanted, page: late }))
      : { kind: "page", wanted, page };
  }

  #chunk(walk: Walk): FlowInput | Promise<FlowInput> {
    if (this.#walking?.asked !== walk.asked) {
      const chunks = new SnapshotWalk(this.#deps.projection, {
        topics: walk.asked,
        at: walk.at,
        sees: (task) => this.#connection.sees(task),
      });
      this.#walking = { asked: walk.asked, chunks };
    }
    const chunk = this.#walking.chunks.next(this.#deps.clock.now());
    return chunk instanceof Promise
      ? chunk.then((late) => ({ kind: "walked", walk, ...late }))
      : { kind: "walked", walk, ...chunk };
  }
}

function sameAsk(one: Ask, other: Ask): boolean {
  if (one.kind === "walk") return other.kind === "walk" && one.walk.asked === other.walk.asked;
  if (other.kind === "walk" || one.wanted.after !== other.wanted.after) return false;
  const [ours, theirs] = [one.wanted.tasks, other.wanted.tasks];
  if (ours === undefined || theirs === undefined) return ours === theirs;
  // Of some tasks alone a page may reach no further than where other topics begin.
  return one.wanted.upTo === other.wanted.upTo && ours.size === theirs.size &&
    [...ours].every((id) => theirs.has(id));
}
