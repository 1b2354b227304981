import type { ErrorBody } from "../protocol/server_frames.ts";
import { isPassing } from "./client_error.ts";
import type { Hands } from "./hands.ts";

/** Where tokens come from. */
export type Token = () => string | undefined | Promise<string | undefined>;

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
  readonly #hands: Hands;
  readonly #token: Token;
  #callOff = (): void => {};
  /** What an earlier turn still brings is nobody's. */
  #turn = 0;
  #failures = 0;
  #asked: string | undefined;

  constructor(hands: Hands, token: Token) {
    this.#hands = hands;
    this.#token = token;
  }

  /** The connection's token lives for so long yet, ms. */
  begin(leftMs: number): void {
    const isFirst = this.#asked === undefined;
    this.end();
    if (leftMs === Infinity) return;
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

  /** The gateway took a token, if this is the one: it lives for so long. */
  taken(id: string, leftMs: number): void {
    if (id === this.#asked) this.begin(leftMs);
  }

  /** The gateway refused a token, if this is the one: nothing but another connection can be made with another. */
  refused(id: string, { code }: ErrorBody): void {
    if (id !== this.#asked) return;
    if (isPassing(code)) this.#again();
    else this.#hands.step({ kind: "useless", why: "the token was refused" });
  }

  #again(): void {
    this.#after(Math.min(LONGEST_MS, LEAST_MS * 2 ** this.#failures++));
  }

  #after(ms: number): void {
    this.#callOff();
    this.#callOff = this.#hands.clock.after(ms, () => this.#renew());
  }

  #renew(): void {
    const turn = ++this.#turn;
    Promise.resolve().then(this.#token).catch(() => undefined).then((token) => {
      if (turn !== this.#turn) return;
      if (token === undefined) return this.#again();
      this.#asked = this.#hands.post("auth", { token });
      this.#after(ANSWER_MS);
    });
  }
}
