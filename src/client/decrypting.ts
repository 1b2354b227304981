import { systemClock } from "./clock.ts";
import type { Client } from "./client_interface.ts";
import { guarded } from "./listener.ts";
import { Decryption, type DecryptionOptions } from "./decryption.ts";
import { Stores } from "./stores.ts";
import type { SubscribeOptions } from "./source.ts";
import { taskStore } from "./task_store.ts";
import { filterKey, tasksStore } from "./tasks_store.ts";

export type { DecryptionOptions, Trouble } from "./decryption.ts";

/** What a client can open by itself. */
export type DecryptingClient = Pick<
  Client,
  "state" | "onState" | "subscribe" | "task" | "tasks" | "getTask" | "getTasks" | "getHistory"
>;

/**
 * Reads through `client` what workers sealed under these keys: frames, tasks, histories and stores come opened, in the order in
 * which they came. Everything else is asked of `client` itself. Throws a `TypeError` for keys that are none.
 */
export function decrypting(client: Client, options: DecryptionOptions): DecryptingClient {
  const decryption = new Decryption(options);
  const stores = new Stores();
  const own: DecryptingClient = {
    get state() {
      return client.state;
    },
    onState: (listener) => client.onState(listener),
    subscribe(topics, onFrame, options = {}) {
      const turn = inTurn();
      const subscription = client.subscribe(
        topics,
        (frame) => turn.next(decryption.frame(frame), onFrame),
        behind(options, turn),
      );
      return {
        unsubscribe() {
          turn.end();
          subscription.unsubscribe();
        },
      };
    },
    task: (id) => stores.of(`task ${id}`, () => taskStore(own, id)),
    tasks: (filter = {}) =>
      stores.of(`tasks ${filterKey(filter)}`, () => tasksStore(own, filter, systemClock)),
    getTask: async (id, options) => await decryption.task(await client.getTask(id, options)),
    async getTasks(query) {
      const page = await client.getTasks(query);
      return { ...page, tasks: await decryption.tasks(page.tasks) };
    },
    async getHistory(id, options) {
      const page = await client.getHistory(id, options);
      return { ...page, events: await Promise.all(page.events.map((event) => decryption.event(id, event))) };
    },
  };
  return own;
}

/** Hands over what was begun in one order in that order, whatever takes longer. */
type Turn = {
  readonly next: <T>(begun: T | Promise<T>, use: (value: T) => void) => void;
  /** Nothing is handed over any more. */
  readonly end: () => void;
};

function inTurn(): Turn {
  let last: Promise<unknown> = Promise.resolve();
  let isOver = false;
  return {
    next(begun, use) {
      const before = last;
      // None rejects: what cannot be opened is told otherwise, and what `use` throws is nobody's here.
      last = (async () => {
        await before;
        const value = await begun;
        if (!isOver) guarded(use)(value);
      })();
    },
    end: () => void (isOver = true),
  };
}

/** The options of a subscription, whose words come behind the frames that came before them. */
function behind(options: SubscribeOptions, turn: Turn): SubscribeOptions {
  const { onLive, onTruncated } = options;
  return {
    ...options,
    ...(onLive === undefined ? {} : { onLive: (isLive) => turn.next(isLive, onLive) }),
    ...(onTruncated === undefined ? {} : { onTruncated: () => turn.next(undefined, onTruncated) }),
  };
}
