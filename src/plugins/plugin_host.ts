import { refusalOf } from "../access/may.ts";
import type { Judge, Namespaces } from "../channel/namespaces.ts";
import type { RequestContext } from "../connection/connection_deps.ts";
import type { Outcome } from "../connection/state.ts";
import { checkedBy } from "../messages/message_type.ts";
import type { MessageRegistry } from "../messages/message_registry.ts";
import type { Delivery } from "../projection/delivery.ts";
import { isChannel } from "../protocol/topics.ts";
import { soundRefusal, soundResult } from "./answer.ts";
import { BUDGET, type Budget, GivenUpError, Guarded, type PluginCounts, type Stopwatch } from "./guarded.ts";
import type { Happened, Plugin, PluginGateway, PluginMessage } from "./plugin.ts";

/** What plug-ins are put into. */
export type PluginHostOptions = {
  readonly messages: MessageRegistry;
  readonly namespaces: Namespaces;
  readonly gateway: PluginGateway;
  readonly clock: Stopwatch;
  readonly budget?: Budget;
  /** Told when a namespace is there: what came of it before was read by nobody. */
  readonly came: (namespace: string) => void;
  /** Told when a namespace is there no more: who holds its topics has to leave them. */
  readonly withdrawn: (namespace: string) => void;
  /** Told of a failure of a plug-in. */
  readonly failed: (plugin: string, error: unknown) => void;
  /** Told when a plug-in was disabled since it failed too often. */
  readonly disabled: (plugin: string, why: string) => void;
};

/** How a plug-in is, as operators see it. */
export type PluginState = PluginCounts & {
  readonly name: string;
  /** Whether every gateway has it, always. */
  readonly built_in: boolean;
  readonly enabled: boolean;
  /** Why it was disabled by itself; null where it was not. */
  readonly why: string | null;
  readonly messages: readonly string[];
  readonly namespaces: readonly string[];
  /** What it was to be told, and was not since it takes too long. */
  readonly missed: number;
};

/** So much waits for a plug-in that is being told of what came before; more is missed. */
const MAX_WAITING = 10_000;
/** After so long of telling, ms, everybody else has a turn. */
const TELLING_MS = 5;

type Hosted = {
  readonly plugin: Plugin;
  readonly isBuiltIn: boolean;
  readonly guarded: Guarded;
  /** The gateway, as this one has it: what it waits for there is not its own time. */
  readonly gateway: PluginGateway;
  readonly waiting: Omit<Happened, "waiting">[];
  isEnabled: boolean;
  isTold: boolean;
  /** Whether there is what it was not told of. */
  isToStart: boolean;
  why: string | null;
  missed: number;
};

const NAME = /^[a-z0-9_-]{1,64}$/;

/** The plug-ins of a gateway: they come and go while it runs, and fail by themselves. */
export class PluginHost {
  readonly #options: PluginHostOptions;
  readonly #hosted = new Map<string, Hosted>();
  #hasBegun = false;

  constructor(options: PluginHostOptions) {
    this.#options = options;
  }

  /**
   * Adds a plug-in and enables it; one that is built in stays. Throws a RangeError where something of it is taken, and then
   * nothing of it is there.
   */
  add(plugin: Plugin, { isBuiltIn = false }: { readonly isBuiltIn?: boolean } = {}): void {
    const { name } = plugin;
    if (!NAME.test(name)) {
      throw new RangeError(`Cannot add the plug-in ${JSON.stringify(name)}: must be 1–64 of a-z0-9_-`);
    }
    if (this.#hosted.has(name)) throw new RangeError(`Cannot add the plug-in "${name}": it exists`);
    const { clock, gateway, budget = BUDGET } = this.#options;
    const guarded = new Guarded(clock, budget, (why) => this.#giveUp(hosted, why));
    const hosted: Hosted = {
      plugin,
      isBuiltIn,
      guarded,
      gateway: lentBy(gateway, guarded),
      waiting: [],
      isEnabled: false,
      isTold: false,
      isToStart: false,
      why: null,
      missed: 0,
    };
    this.#enable(hosted);
    this.#hosted.set(name, hosted);
  }

  /** Disables it and lets it go; false where there is none. Throws a RangeError where it is built in. */
  remove(name: string): boolean {
    return this.disable(name) && this.#hosted.delete(name);
  }

  /**
   * Takes its types and namespaces away: whoever asks for them is told that there are none. False where there is none. Throws
   * a RangeError where it is built in.
   */
  disable(name: string): boolean {
    const hosted = this.#hosted.get(name);
    if (hosted === undefined) return false;
    if (hosted.isBuiltIn) throw new RangeError(`Cannot disable "${name}": it is built in`);
    if (!hosted.isEnabled) return true;
    hosted.isEnabled = false;
    hosted.waiting.length = 0;
    hosted.isToStart = false;
    const { messages, namespaces, withdrawn } = this.#options;
    for (const type of typesOf(hosted.plugin)) messages.unregister(type);
    for (const namespace of hosted.plugin.namespaces ?? []) {
      namespaces.remove(namespace.name);
      withdrawn(namespace.name);
    }
    return true;
  }

  /** Puts them there again; false where there is none. Throws a RangeError where something of it is taken by now. */
  enable(name: string): boolean {
    const hosted = this.#hosted.get(name);
    if (hosted === undefined) return false;
    if (!hosted.isEnabled) this.#enable(hosted);
    return true;
  }

  /** How each is, in the order in which they came, those that are built in last. */
  list(): readonly PluginState[] {
    const own = [...this.#hosted.values()].filter(({ isBuiltIn }) => isBuiltIn);
    const others = [...this.#hosted.values()].filter(({ isBuiltIn }) => !isBuiltIn);
    return [...others, ...own].map(({ plugin, isBuiltIn, guarded, isEnabled, why, missed }) => ({
      name: plugin.name,
      enabled: isEnabled,
      why,
      built_in: isBuiltIn,
      messages: typesOf(plugin),
      namespaces: (plugin.namespaces ?? []).map(({ name }) => name),
      ...guarded.counts,
      missed,
    }));
  }

  /** Tells every plug-in that the state is another one, of which it was told nothing. */
  began(): void {
    this.#hasBegun = true;
    for (const hosted of this.#hosted.values()) if (hosted.isEnabled) this.#start(hosted);
  }

  /** Tells every plug-in that wants to know of what was followed. */
  told(deliveries: readonly Delivery[]): void {
    for (const hosted of this.#hosted.values()) {
      if (!hosted.isEnabled || hosted.plugin.onPublish === undefined) continue;
      for (const delivery of deliveries) {
        if (hosted.waiting.length < MAX_WAITING) hosted.waiting.push(happenedOf(delivery));
        else {
          hosted.missed++;
          hosted.isToStart = hosted.plugin.onStart !== undefined;
        }
      }
      if (!hosted.isTold) void this.#tell(hosted);
    }
  }

  #start(hosted: Hosted): void {
    if (hosted.plugin.onStart === undefined) return;
    hosted.isToStart = true;
    if (!hosted.isTold) void this.#tell(hosted);
  }

  #enable(hosted: Hosted): void {
    const { messages, namespaces } = this.#options;
    const done: (() => void)[] = [];
    try {
      for (const namespace of hosted.plugin.namespaces ?? []) {
        namespaces.add(namespace, this.#judgeOf(hosted));
        done.push(() => namespaces.remove(namespace.name));
      }
      for (const message of hosted.plugin.messages ?? []) {
        const { type, schema, cost = 1 } = message;
        const described = { type, schema, cost, answeredBy: "result" };
        messages.registerAnswer(described, this.#answerOf(hosted, message));
        done.push(() => messages.unregister(message.type));
      }
      for (const type of hosted.plugin.types ?? []) {
        messages.register(type);
        done.push(() => messages.unregister(type.type));
      }
    } catch (error) {
      for (const undo of done) undo();
      throw error;
    }
    for (const { name } of hosted.plugin.namespaces ?? []) this.#options.came(name);
    hosted.guarded.forget();
    hosted.why = null;
    hosted.isEnabled = true;
    if (this.#hasBegun) this.#start(hosted);
  }

  #giveUp(hosted: Hosted, why: string): void {
    if (!hosted.isEnabled) return;
    const { name } = hosted.plugin;
    this.disable(name);
    hosted.why = why;
    this.#options.disabled(name, why);
  }

  /** Looks at values of its namespaces: what fails in its schemas is its own fault, and the value is refused. */
  #judgeOf({ plugin, guarded }: Hosted): Judge {
    return (fault, { isNew }) => {
      try {
        return guarded.turn(fault, { isAgain: !isNew });
      } catch (error) {
        // What lies in the log is read as often as anybody asks for it.
        if (isNew && !(error instanceof GivenUpError)) this.#options.failed(plugin.name, error);
        return "payload: its schema failed";
      }
    };
  }

  #answerOf(
    { plugin, guarded, gateway }: Hosted,
    { schema, right = "subscribe", handle }: PluginMessage,
  ): (data: unknown, context: RequestContext) => Promise<Outcome> {
    const { failed } = this.#options;
    return async (data, { access, nowMs }) => {
      // Whoever may not ask lets nothing of it fail, either.
      const refused = refusalOf(access, { right });
      if (refused !== undefined) return { kind: "error", error: refused };
      try {
        const checked = guarded.turn(() => checkedBy(schema, data));
        if ("refusal" in checked) return checked.refusal;
        const answer = async () => soundResult(await handle(checked.data, { access, nowMs }, gateway));
        return { kind: "reply", type: "result", data: await guarded.call(answer, isRefusal) };
      } catch (error) {
        const refusal = soundRefusal(error);
        if (refusal !== undefined) return { kind: "error", error: refusal, isValid: true };
        failed(plugin.name, error);
        throw error;
      }
    };
  }

  async #tell(hosted: Hosted): Promise<void> {
    hosted.isTold = true;
    const { clock, failed } = this.#options;
    const { plugin: { name, onPublish, onStart }, guarded, gateway, waiting } = hosted;
    let sinceMs = clock.elapsed();
    while (waiting.length > 0 || hosted.isToStart) {
      const happened = waiting.shift();
      if (happened === undefined) hosted.isToStart = false;
      const call = happened === undefined
        ? () => onStart?.(gateway)
        : () => onPublish?.({ ...happened, waiting: waiting.length }, gateway);
      await guarded.call(call).catch((error: unknown) => failed(name, error));
      if (clock.elapsed() - sinceMs < TELLING_MS) continue;
      // What it awaits may be there at once, again and again: no timer, and no socket, would have its turn.
      await new Promise<void>((resolve) => clock.after(0, resolve));
      sinceMs = clock.elapsed();
    }
    hosted.isTold = false;
  }
}

function lentBy(gateway: PluginGateway, guarded: Guarded): PluginGateway {
  return {
    publish: (...publication) => guarded.lent(() => gateway.publish(...publication)),
    append: (...event) => guarded.lent(() => gateway.append(...event)),
    task: (taskId) => gateway.task(taskId),
    sees: (...asked) => guarded.lent(() => gateway.sees(...asked)),
    childrenOf: (taskId) => gateway.childrenOf(taskId),
    parents: () => gateway.parents(),
    read: (topic, page) =>
      guarded.lent((signal) => gateway.read(topic, signal === undefined ? page : { signal, ...page })),
  };
}

function typesOf({ messages = [], types = [] }: Plugin): string[] {
  return [...messages, ...types].map(({ type }) => type);
}

function isRefusal(error: unknown): boolean {
  return soundRefusal(error) !== undefined;
}

function happenedOf({ seq, taskId, status, progress }: Delivery): Omit<Happened, "waiting"> {
  const about = isChannel(taskId) ? { topic: taskId } : { taskId };
  return { seq, ...about, status: status !== undefined, progress: progress !== undefined };
}
