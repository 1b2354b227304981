import type { Scope } from "../access/scope.ts";

/** How many may wait; and how many of those who may see the same tasks, and not all. */
export type WaitingBounds = { readonly max: number; readonly maxAlike: number };

/** Places of those who wait, of which nobody takes all. */
export class WaitingPlaces {
  readonly #bounds: WaitingBounds;
  #waiting = 0;
  /** By the scope of those who wait. */
  readonly #alike = new Map<string, number>();

  constructor(bounds: WaitingBounds) {
    this.#bounds = bounds;
  }

  /** Takes a place; returns how to leave it, undefined where there is none. */
  take(scope: Scope | undefined): (() => void) | undefined {
    const { max, maxAlike } = this.#bounds;
    const whose = scope?.key ?? "";
    const alike = this.#alike.get(whose) ?? 0;
    if (this.#waiting >= max || (scope !== undefined && alike >= maxAlike)) return undefined;
    this.#waiting++;
    this.#alike.set(whose, alike + 1);
    return () => this.#leave(whose);
  }

  #leave(whose: string): void {
    this.#waiting--;
    const left = (this.#alike.get(whose) ?? 1) - 1;
    if (left > 0) this.#alike.set(whose, left);
    else this.#alike.delete(whose);
  }
}
