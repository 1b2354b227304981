/** Memory that several share; who finds none left does with less. */
export class Room {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** How many bytes are left. */
  get left(): number {
    return this.#left;
  }

  /** Takes `bytes`, or takes nothing and returns false where there are not that many. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  /** Gives back what was taken. */
  give(bytes: number): void {
    this.#left += bytes;
  }
}
