/**
 * Runs one message at a time to its end, in order; what a turn posts waits for its turn. No turn awaits anything.
 * At `maxMessages` waiting, `post` refuses: senders that can wait are paused long before.
 */
export class Mailbox<M extends object> {
  readonly #turn: (message: M) => void;
  readonly #maxMessages: number;
  readonly #waiting: M[] = [];
  #running = false;

  constructor(maxMessages: number, turn: (message: M) => void) {
    this.#maxMessages = maxMessages;
    this.#turn = turn;
  }

  /** How many messages wait. */
  get depth(): number {
    return this.#waiting.length;
  }

  /** Adds a message and, unless a turn is under way, runs until none is left. False when the mailbox is full. */
  post(message: M): boolean {
    if (this.#waiting.length >= this.#maxMessages) return false;
    this.#waiting.push(message);
    if (this.#running) return true;
    this.#running = true;
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        this.#turn(next);
      }
    } finally {
      this.#running = false;
    }
    return true;
  }
}
