import type { Kind } from "../task/worker_event.ts";

/** Bounds of what is remembered. */
export type WhereaboutsBounds = {
  /** As many positions of one kind of a task are remembered as the log keeps of them. */
  readonly perSubject: number;
  /** Memory in all; beyond, tasks are forgotten, the one that was first met first. 0: nothing is remembered. */
  readonly maxBytes: number;
};

/**
 * What one position is taken to weigh, and one task beside the characters of its id. Measured with ids of 11 and of 36
 * characters, as heap after a collection: 130–150 bytes a task of 1 position, 154–173 of 4, 182 of 8, 655–672 of 40, 2,577
 * of 200, 8,996 of 1,000. That is 0.73 to 1.05 of what is counted.
 */
const POSITION_BYTES = 12;
const TASK_BYTES = 128;
/** A list that is pushed to grows by half and 16; shorter ones are copied to their exact length. */
const COPIED_LENGTH = 32;

/** A code is `position * PLACES + kind * ATTEMPTS + attempt`: codes are in order of position. */
const PLACES = 256;
const ATTEMPTS = 16;
/** Attempts from here on are not told apart. */
const MANY_ATTEMPTS = ATTEMPTS - 1;

const NUMBERS: Readonly<Record<Kind, number>> = {
  created: 0,
  started: 1,
  progress: 2,
  paused: 3,
  resumed: 4,
  cancel_requested: 5,
  retrying: 6,
  completed: 7,
  failed: 8,
  cancelled: 9,
  stale: 10,
};
const KIND_COUNT = Object.keys(NUMBERS).length;

/**
 * Where each task's events lie in the stream, so that a log without an index of its own need not look for them. What was
 * there before we followed is learnt by one walk over it; a task is known only when all of it is. At the bound tasks are
 * forgotten, and then the log looks for them as it would have anyway.
 */
export class Whereabouts {
  readonly #bounds: WhereaboutsBounds;
  readonly #learnt = Promise.withResolvers<void>();
  /** By task, in the order in which they were met, one code a position; ascending once it was asked for. */
  #codes = new Map<string, number[]>();
  #positions = 0;
  #bytes = 0;
  #firstSeq = 0;
  #hasForgotten = false;
  #state: "learning" | "complete" | "given up" = "learning";

  constructor(bounds: WhereaboutsBounds) {
    this.#bounds = bounds;
    if (bounds.maxBytes === 0) this.giveUp();
  }

  /** How many positions are remembered. */
  get size(): number {
    return this.#positions;
  }

  /** What they are taken to weigh. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether everything up to where the log was first followed has been walked over. */
  get isComplete(): boolean {
    return this.#state === "complete";
  }

  /** Whether every task that the log has is remembered. */
  get isWhole(): boolean {
    return this.isComplete && !this.#hasForgotten;
  }

  /** The tasks that are remembered, in the order in which they were met. */
  ids(): IterableIterator<string> {
    return this.#codes.keys();
  }

  /** Whether the walk over the past is over, or will never be. */
  get isSettled(): boolean {
    return this.#state !== "learning";
  }

  /** Resolves when the walk over the past is over, or will never be. */
  get settled(): Promise<void> {
    return this.#learnt.promise;
  }

  /** Says that the walk over the past is over. Before this nothing is known for certain. */
  complete(): void {
    if (this.#state === "learning") this.#state = "complete";
    this.#learnt.resolve();
  }

  /** Says that there will be no whole walk over the past: a part of it is of no use to anybody. */
  giveUp(): void {
    this.#state = "given up";
    this.#codes = new Map();
    this.#positions = 0;
    this.#bytes = 0;
    this.#learnt.resolve();
  }

  /** Notes an event, in order of position or not. `isKnown`: its task may have earlier ones that were not noted. */
  note(taskId: string, kind: Kind, seq: number, attempt: number, isKnown: boolean): void {
    if (this.#state === "given up") return;
    const code = seq * PLACES + NUMBERS[kind] * ATTEMPTS + Math.min(attempt, MANY_ATTEMPTS);
    const codes = this.#codes.get(taskId);
    if (codes === undefined) {
      // Forgotten: a part of it would be taken for the whole.
      if (isKnown && this.#hasForgotten) return;
      this.#codes.set(flat(taskId), [code]);
      this.#bytes += TASK_BYTES + taskId.length;
    } else if (codes.length < COPIED_LENGTH) {
      this.#codes.set(taskId, codes.concat(code));
    } else {
      codes.push(code);
      if (codes.length % (this.#bounds.perSubject + ATTEMPTS) === 0) this.#keep(codes);
    }
    this.#count(1);
    while (this.#bytes > this.#bounds.maxBytes) this.#forget();
  }

  /** The positions of a task's events after `after`, ascending, of one kind alone where asked; undefined where not all of them are known. */
  of(taskId: string, after: number, kind?: Kind): readonly number[] | undefined {
    const codes = this.#known(taskId);
    const some = kind === undefined ? codes : codes?.filter((code) => kindOf(code) === NUMBERS[kind]);
    return some?.map(positionOf).filter((seq) => seq > after);
  }

  /**
   * The positions, ascending, of those of a task's events up to `at` which decide what it was there and when it last had
   * something to tell; undefined where not all are known. Only progress is ever left out, and of it all but the first of each
   * attempt, and after each `stale`, which may have changed the status, and the greatest by (attempt, position), there and
   * before each `stale`: after any
   * other there came a greater, or another attempt, which changed the counters again. Where attempts cannot be told
   * apart, none is.
   */
  deciding(taskId: string, at: number): readonly number[] | undefined {
    const codes = this.#known(taskId);
    if (codes === undefined) return undefined;
    const deciding: number[] = [];
    let begun = 0;
    let greatest = 0;
    for (const code of codes) {
      const seq = positionOf(code);
      if (seq > at) break;
      const attempt = code % ATTEMPTS;
      const isFirst = (begun & (1 << attempt)) === 0;
      if (kindOf(code) !== NUMBERS.progress) {
        deciding.push(seq);
        if (kindOf(code) === NUMBERS.stale) {
          // Whether it told anything hangs on what had been heard.
          if (greatest !== 0) deciding.push(positionOf(greatest));
          begun = 0;
        }
      } else {
        if (isFirst || attempt === MANY_ATTEMPTS) deciding.push(seq);
        if (attempt >= greatest % ATTEMPTS) greatest = code;
        begun |= 1 << attempt;
      }
    }
    if (greatest !== 0) deciding.push(positionOf(greatest));
    return [...new Set(deciding)].sort((a, b) => a - b);
  }

  /** Forgets those of a task's positions up to `at` that are none of `held`: they are gone, or of what is no event. */
  correct(taskId: string, at: number, held: ReadonlySet<number>): void {
    const codes = this.#codes.get(taskId);
    if (codes === undefined) return;
    const kept = codes.filter((code) => positionOf(code) > at || held.has(positionOf(code)));
    this.#count(kept.length - codes.length);
    this.#codes.set(taskId, kept);
  }

  /** Retention took what lies before `firstSeq`. */
  expire(firstSeq: number): void {
    this.#firstSeq = firstSeq;
    if (this.#state !== "complete") return;
    for (const [taskId, codes] of this.#codes) {
      this.#keep(codes);
      if (codes.length > 0) return;
      this.#remove(taskId, codes);
    }
  }

  /** What the log still has of a task, ascending. */
  #known(taskId: string): readonly number[] | undefined {
    if (this.#state !== "complete") return undefined;
    const codes = this.#codes.get(taskId);
    if (codes === undefined) return this.#hasForgotten ? undefined : [];
    this.#keep(codes);
    return codes;
  }

  /** Puts codes in order and leaves out what the log has let go of: of each kind all but the newest. */
  #keep(codes: number[]): void {
    const { perSubject } = this.#bounds;
    if (codes.some((code, i) => code < (codes[i - 1] ?? 0))) codes.sort((a, b) => a - b);
    if (codes.length <= perSubject && positionOf(codes[0] ?? Infinity) >= this.#firstSeq) return;
    const excess = new Array<number>(KIND_COUNT).fill(-perSubject);
    for (const code of codes) excess[kindOf(code)] = (excess[kindOf(code)] ?? 0) + 1;
    const { length } = codes;
    let kept = 0;
    for (const code of codes) {
      const left = excess[kindOf(code)] ?? 0;
      excess[kindOf(code)] = left - 1;
      if (left <= 0 && positionOf(code) >= this.#firstSeq) codes[kept++] = code;
    }
    codes.length = kept;
    this.#count(kept - length);
  }

  #forget(): void {
    if (this.#state === "learning") return this.giveUp(); // the log is too large for this
    const oldest = this.#codes.entries().next().value;
    if (oldest === undefined) return;
    this.#hasForgotten = true;
    this.#remove(...oldest);
  }

  #remove(taskId: string, codes: readonly number[]): void {
    this.#codes.delete(taskId);
    this.#count(-codes.length);
    this.#bytes -= TASK_BYTES + taskId.length;
  }

  #count(positions: number): void {
    this.#positions += positions;
    this.#bytes += POSITION_BYTES * positions;
  }
}

function positionOf(code: number): number {
  return Math.floor(code / PLACES);
}

function kindOf(code: number): number {
  return Math.floor(code % PLACES / ATTEMPTS);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The same text by itself: a part of a subject would keep the whole of it in memory. */
function flat(text: string): string {
  return decoder.decode(encoder.encode(text));
}
