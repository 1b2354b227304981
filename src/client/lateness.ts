import type { Hands } from "./hands.ts";

/** Who is told what was so long ago is late, ms. */
const LATE_MS = 2_000;

/**
 * Whether what comes is what has just happened. A connection that takes less than there is to tell, or none of it, is not
 * lost, and yet nothing it brings may be how things are by now. Clocks need not agree: frames are held against the most
 * timely of them, and a question that is answered in time shows that everything before it has come.
 */
export class Lateness {
  readonly #hands: Pick<Hands, "clock" | "ping">;
  readonly #tell: (isLate: boolean) => void;
  #isLate = false;
  /** By how much our clock was ahead of the time of the most timely frame, ms. */
  #least = Infinity;
  /** The first ping that is not answered, and whether it should have been by now. */
  #asked: { readonly id: string; isOverdue: boolean; readonly callOff: () => void } | undefined;

  constructor(hands: Pick<Hands, "clock" | "ping">, tell: (isLate: boolean) => void) {
    this.#hands = hands;
    this.#tell = tell;
  }

  /** Something came that happened at this time, ms since the epoch, and may have waited for its turn for so long. */
  came(atMs: number, paceMs = 0): void {
    const ahead = this.#hands.clock.now() - atMs;
    this.#least = Math.min(this.#least, ahead);
    if (this.#isLate || ahead - this.#least <= LATE_MS + paceMs) return;
    this.#become(true);
    if (this.#asked === undefined) this.#hands.ping();
  }

  /** The other side was asked whether it is there. */
  pinged(id: string): void {
    if (this.#asked !== undefined) return;
    const callOff = this.#hands.clock.after(LATE_MS, () => {
      asked.isOverdue = true;
      this.#become(true);
    });
    const asked = { id, isOverdue: false, callOff };
    this.#asked = asked;
  }

  /** It answered. */
  ponged(id: string): void {
    if (this.#asked?.id !== id) return;
    const { isOverdue } = this.#asked;
    this.#begin();
    if (isOverdue) this.#hands.ping();
    else this.#become(false);
  }

  /** The connection is gone. */
  end(): void {
    this.#begin();
    this.#become(false);
  }

  #begin(): void {
    this.#asked?.callOff();
    this.#asked = undefined;
    this.#least = Infinity;
  }

  #become(isLate: boolean): void {
    if (isLate !== this.#isLate) this.#tell(this.#isLate = isLate);
  }
}
