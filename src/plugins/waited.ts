/** How long a call has waited for what is done for it, by a clock that goes on: of several things at once the time counts once. */
export class Waited {
  #waits = 0;
  #sinceMs = 0;
  #endedMs = 0;

  /** It waits for one thing more. */
  begin(nowMs: number): void {
    if (this.#waits++ === 0) this.#sinceMs = nowMs;
  }

  /** One of them is there. */
  end(nowMs: number): void {
    if (--this.#waits === 0) this.#endedMs += nowMs - this.#sinceMs;
  }

  /** How long in all, ms. */
  ms(nowMs: number): number {
    return this.#endedMs + (this.#waits > 0 ? nowMs - this.#sinceMs : 0);
  }
}
