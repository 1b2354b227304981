import type { Kind } from "../task/worker_event.ts";

/** Bounds of what is remembered. */
export type WhereaboutsBounds = {
  /** As many positions of one kind of a task are remembered as the log keeps of them. */
  readonly perSubject: number;
  /** Positions in all; beyond, tasks are forgotten, the one that was first met first. */
  readonly maxPositions: number;
};

type Places = { readonly [K in Kind]?: number[] };

/**
 * Where each task's events lie in the stream, so that a log without an index of its own need not look for them. What was
 * there before we followed is learnt by one walk over it; a task is known only when all of it is. At the bound tasks are
 * forgotten, and then the log looks for them as it would have anyway.
 */
export class Whereabouts {
  readonly #bounds: WhereaboutsBounds;
  #places = new Map<string, Places>();
  #positions = 0;
  #isComplete = false;
  #isGivenUp = false;

  constructor(bounds: WhereaboutsBounds) {
    this.#bounds = bounds;
  }

  /** How many positions are remembered. */
  get size(): number {
    return this.#positions;
  }

  /** Whether everything up to where the log was first followed has been walked over. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Says that the walk over the past is over. Before this nothing is known for certain. */
  complete(): void {
    this.#isComplete = !this.#isGivenUp;
  }

  /** Notes an event, in order of position or not. `isKnown`: its task may have earlier ones that were not noted. */
  note(taskId: string, kind: Kind, seq: number, isKnown: boolean): void {
    if (this.#isGivenUp) return;
    let places = this.#places.get(taskId);
    if (places === undefined) {
      if (isKnown && this.#isComplete) return; // forgotten: a part of it would be taken for the whole
      places = {};
      this.#places.set(taskId, places);
    }
    this.#add(places, kind, seq);
    if (this.#positions > this.#bounds.maxPositions) this.#forget();
  }

  /** The positions of a task's events after `after`, ascending; undefined where not all of them are known. */
  of(taskId: string, after: number): readonly number[] | undefined {
    const places = this.#isComplete ? this.#places.get(taskId) : undefined;
    return places && Object.values(places).flat().filter((seq) => seq > after).sort((a, b) => a - b);
  }

  #add(places: { [K in Kind]?: number[] }, kind: Kind, seq: number): void {
    const known = places[kind];
    if (known === undefined) {
      places[kind] = [seq];
      this.#positions++;
      return;
    }
    known.push(seq);
    this.#positions++;
    const { perSubject } = this.#bounds;
    if (known.length < 2 * perSubject + 16) return;
    // The log has let go of all but the newest.
    known.sort((a, b) => a - b);
    this.#positions -= known.length - perSubject;
    known.splice(0, known.length - perSubject);
  }

  #forget(): void {
    if (!this.#isComplete) {
      // Half of the past is of no use to anybody: the log is too large for this.
      this.#places.clear();
      this.#positions = 0;
      this.#isGivenUp = true;
      return;
    }
    const oldest = this.#places.entries().next().value;
    if (oldest === undefined) return;
    const [taskId, places] = oldest;
    this.#places.delete(taskId);
    for (const known of Object.values(places)) this.#positions -= known.length;
  }
}
