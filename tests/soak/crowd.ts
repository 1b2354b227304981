import { sleep, systemClock } from "../../src/worker/clock.ts";
import { BadNetwork } from "../client/bad_network.ts";
import type { Chance } from "../simulation/chance.ts";
import { anyCharacter, type Character, Visitor } from "./visitor.ts";

/** How long a visitor stays, ms. */
const STAYS_MS = [1_000, 30_000] as const;
/** How often somebody of the crowd does something, ms. */
const FIDGETS_MS = 100;
/** How often somebody comes whom nobody knows, ms. */
const STRANGERS_MS = 500;
const STRANGER_TIMEOUT_MS = 5_000;

/** Those who stay for the whole time, and have to be told of every change of status, over WebSockets and streams. */
const RESIDENTS: readonly Character[] = (["websocket", "sse"] as const).map((transport) => ({
  tag: undefined,
  watches: "frames",
  replay: "latest",
  transport,
  shows: "token",
  network: {},
}));

/** Those who come before all others. */
export async function residents(port: number, chance: Chance): Promise<readonly Visitor[]> {
  return await Promise.all(RESIDENTS.map((character, i) => {
    const name = `resident-${i}`;
    return Visitor.come(port, character, chance.of(name), name);
  }));
}

/** Who comes, and where to. */
export type CrowdOptions = {
  readonly port: number;
  /** Who is there anyway. */
  readonly residents: readonly Visitor[];
  readonly chance: Chance;
  readonly visitors: number;
  /** Tasks that somebody may ask to stop. */
  readonly cancellable: string[];
  /** How many tasks there were so far. */
  readonly tasks: () => number;
};

/** As many clients as it was made of at any time, each of which stays for a while, among residents. */
export class Crowd {
  readonly #options: CrowdOptions;
  readonly #chance: Chance;
  readonly #stop = new AbortController();
  readonly #visitors = new Set<Visitor>();
  readonly #running: Promise<void>[] = [];
  /** The way of those who are turned away: what they leave open ends with it. */
  readonly #street: BadNetwork;
  readonly faults: unknown[] = [];
  visits = 0;

  private constructor(options: CrowdOptions, street: BadNetwork) {
    this.#options = options;
    this.#street = street;
    this.#chance = options.chance.of("crowd");
  }

  /** The crowd comes. */
  static async gather(options: CrowdOptions): Promise<Crowd> {
    const crowd = new Crowd(options, await BadNetwork.start(options.port, {}));
    for (let i = 0; i < options.visitors; i++) {
      crowd.#running.push(crowd.#place(crowd.#chance.of(`place ${i}`)));
    }
    crowd.#running.push(
      crowd.#fidget(crowd.#chance.of("fidget")),
      crowd.#strangers(crowd.#chance.of("strangers")),
    );
    return crowd;
  }

  /** Who is there now, residents too. */
  get present(): readonly Visitor[] {
    return [...this.#options.residents, ...this.#visitors];
  }

  /** Everybody's connection breaks. */
  cut(): void {
    for (const visitor of this.present) visitor.cut();
  }

  /** Nobody comes or goes any more, or does anything but look; and nothing is wrong with anybody's network. */
  async settle(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
    for (const visitor of this.present) visitor.heal();
  }

  /** Everybody but the residents leaves. */
  async disperse(): Promise<void> {
    await this.settle();
    await Promise.all([...this.#visitors].map((visitor) => this.#left(visitor, "politely")));
    await this.#street[Symbol.asyncDispose]();
  }

  /** One visitor after the other; the last one is there still when nobody goes any more. */
  async #place(chance: Chance): Promise<void> {
    await this.#pause(chance.whole(0, 1_000));
    for (;;) {
      const name = `visitor-${++this.visits}`;
      const visitor = await Visitor.come(this.#options.port, anyCharacter(chance), chance.of(name), name);
      this.#visitors.add(visitor);
      await this.#pause(chance.whole(...STAYS_MS));
      if (this.#stop.signal.aborted) return;
      await this.#left(visitor, chance.happens(0.4) ? "by cut" : "politely");
    }
  }

  async #left(visitor: Visitor, how: "politely" | "by cut"): Promise<void> {
    this.#visitors.delete(visitor);
    await visitor.leave(how);
    this.faults.push(...visitor.faults);
  }

  async #fidget(chance: Chance): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#pause(FIDGETS_MS);
      const visitor = chance.pick(this.present);
      const { cancellable, tasks } = this.#options;
      const cancelled = chance.happens(0.6) ? cancellable.shift() : undefined;
      if (cancelled !== undefined) this.#options.residents[0]?.cancel(cancelled);
      visitor.ask(`task-${Math.max(0, tasks() - chance.whole(0, 200))}`, chance);
    }
  }

  /** Those who are turned away, each in its own way. */
  async #strangers(chance: Chance): Promise<void> {
    const http = `http://127.0.0.1:${this.#street.port}`;
    const bearer = { authorization: "Bearer of-nobody-whom-we-know" };
    while (!this.#stop.signal.aborted) {
      await this.#pause(STRANGERS_MS);
      const [path, headers] = chance.pick<readonly [string, Readonly<Record<string, string>>]>([
        ["/api/tasks", {}],
        ["/api/tasks", bearer],
        ["/api/stream?topics=task:list", bearer],
        ["/nothing", {}],
        ["/ws?token=of-nobody-whom-we-know", { upgrade: "websocket", connection: "upgrade" }],
        ["/", {}],
      ]);
      const patience = new AbortController();
      const timer = setTimeout(() => patience.abort(), STRANGER_TIMEOUT_MS);
      const { signal } = patience;
      const response = await fetch(http + path, { headers: { ...headers }, signal }).catch(() => undefined);
      await response?.body?.cancel();
      clearTimeout(timer);
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(systemClock, ms, this.#stop.signal).catch(() => {}); // it is over
  }
}
