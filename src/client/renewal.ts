import type { Clock } from "./clock.ts";

/** Where tokens come from. */
export type Token = () => string | undefined | Promise<string | undefined>;

/** What a renewal is made with. */
export type RenewalHands = {
  readonly clock: Clock;
  readonly random: () => number;
  readonly token: Token;
  /** Gives the gateway a token; returns the id of that request. */
  readonly send: (token: string) => string;
};

/** So much of its life a token is used, and up to so long before its end. */
const USED = 0.8;
const SPARE_MS = 10_000;
/** A token that is as good as expired when it comes is not renewed at once. */
const LEAST_MS = 1_000;
/** Browsers take longer waits for none. */
const MOST_MS = 2 ** 31 - 1;
const ANSWER_MS = 10_000;
const LONGEST_MS = 30_000;

/** Keeps the token of a connection fresh, one renewal at a time. */
export class Renewal {
  readonly #hands: RenewalHands;
  #callOff = (): void => {};
  /** What an earlier turn still brings is nobody's. */
  #turn = 0;
  #failures = 0;
  #asked: string | undefined;

  constructor(hands: RenewalHands) {
    this.#hands = hands;
  }

  /** The connection's token lives for so long yet, ms; undefined: for good. */
  begin(leftMs: number | undefined): void {
    const isFirst = this.#asked === undefined;
    this.end();
    if (leftMs === undefined) return;
    const ms = Math.min(leftMs * USED, leftMs - SPARE_MS, MOST_MS);
    this.#after(Math.max(ms, isFirst ? 0 : LEAST_MS));
  }

  /** The connection is gone. */
  end(): void {
    this.#turn++;
    this.#failures = 0;
    this.#asked = undefined;
    this.#callOff();
  }

  /** Whether this is the request that the gateway was given a token with. */
  isAsked(id: string): boolean {
    return id === this.#asked;
  }

  /** It did not work just now. */
  again(): void {
    const ms = Math.min(LONGEST_MS, LEAST_MS * 2 ** this.#failures++);
    this.#after(ms * (1 + this.#hands.random()) / 2);
  }

  #after(ms: number): void {
    this.#callOff();
    this.#callOff = this.#hands.clock.after(ms, () => this.#renew());
  }

  #renew(): void {
    const turn = ++this.#turn;
    Promise.resolve().then(this.#hands.token).catch(() => undefined).then((token) => {
      if (turn !== this.#turn) return;
      if (token === undefined) return this.again();
      this.#asked = this.#hands.send(token);
      this.#after(ANSWER_MS);
    });
  }
}
