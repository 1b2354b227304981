import type { Dispatcher, RequestContext } from "../connection/connection_deps.ts";
import type { Outcome } from "../connection/state.ts";
import type { ClientFrame } from "../protocol/client_frames.ts";
import { checkedBy, type MessageType, refuse, type Schema } from "./message_type.ts";

/** What a type of message looks like from outside. */
export type DescribedMessage = Pick<MessageType, "type" | "schema" | "cost" | "answeredBy">;

type Registered = {
  readonly described: DescribedMessage;
  readonly cost: number;
  readonly answer: (data: unknown, context: RequestContext) => Outcome | Promise<Outcome>;
};

/** The client message types this gateway knows. Built-in ones register like all others; types come and go while it runs. */
export class MessageRegistry implements Dispatcher {
  readonly #types = new Map<string, Registered>();

  /** The registered types' names, sorted. */
  get types(): string[] {
    return [...this.#types.keys()].sort();
  }

  /** The registered types as they look from outside, by name. */
  get described(): readonly DescribedMessage[] {
    return this.types.flatMap((type) => this.#types.get(type)?.described ?? []);
  }

  /** Adds a type. Throws a RangeError when its name is taken: a type is replaced by removing it first. */
  register<S extends Schema>(type: MessageType<S>): void {
    this.registerAnswer(type, (data, context) => {
      const checked = checkedBy(type.schema, data);
      return "refusal" in checked ? checked.refusal : type.handle(checked.data, context);
    });
  }

  /** The same of one whose `answer` checks the data itself, by {@link checkedBy}. */
  registerAnswer(described: DescribedMessage, answer: Registered["answer"]): void {
    const { type, cost } = described;
    if (this.#types.has(type)) throw new RangeError(`Cannot register message type "${type}": it exists`);
    this.#types.set(type, { described, cost, answer });
  }

  /** Removes a type; frames of it are answered INVALID_MESSAGE from then on. False when there was none. */
  unregister(type: string): boolean {
    return this.#types.delete(type);
  }

  /** Tokens that a frame of this type takes; undefined where there is no such type. */
  costOf(type: string): number | undefined {
    return this.#types.get(type)?.cost;
  }

  /** Answers a frame by its type. */
  dispatch(frame: ClientFrame, context: RequestContext): Outcome | Promise<Outcome> {
    const type = this.#types.get(frame.type);
    if (type === undefined) {
      return refuse("INVALID_MESSAGE", `type: must be one of ${this.types.join(", ")}`);
    }
    return type.answer(frame.data, context);
  }
}
