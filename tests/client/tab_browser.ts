import type { Clock } from "../../src/client/clock.ts";
import type { OpenSocket } from "../../src/client/socket.ts";
import type { Channel, Locks, TabPage } from "../../src/client/tab_page.ts";
import type { ManualClock } from "../router/manual_clock.ts";

/** Browsers run timers of pages hidden for longer once a minute, ms. */
const THROTTLED_AFTER_MS = 300_000;
const MINUTE_MS = 60_000;

type PageListener = Parameters<TabPage["addEventListener"]>[1];
type Held = () => Promise<void> | undefined;

type Request = {
  readonly tab: Tab;
  readonly held: Held;
  readonly settle: (error?: Error) => void;
};

/** One lock: who has it, and who queues for it. */
type Lock = { holder: Request | undefined; queue: Request[] };

/** A browser in memory: its locks and channels, between pages of one origin that live, sleep and die as told. */
export class Browser {
  readonly clock: ManualClock;
  readonly hopMs: number;
  readonly #locks = new Map<string, Lock>();
  readonly channels = new Set<TabChannel>();
  /** Every message that was posted. */
  readonly posted: unknown[] = [];

  /** `hopMs`: how long a lock or a message is on its way between tabs. */
  constructor(clock: ManualClock, hopMs = 2) {
    this.clock = clock;
    this.hopMs = hopMs;
  }

  /** The names of all locks that are held or waited for. */
  get locks(): readonly string[] {
    return [...this.#locks.keys()];
  }

  open(): Tab {
    return new Tab(this);
  }

  /** Something of this origin that is none of our tabs writes on every channel. */
  shout(message: unknown): void {
    for (const channel of [...this.channels]) channel.deliver(message);
  }

  queue(name: string, request: Request): void {
    const lock = this.#lock(name);
    lock.queue.push(request);
    this.#grant(name, lock);
  }

  steal(name: string, request: Request): void {
    const lock = this.#lock(name);
    const robbed = lock.holder;
    lock.holder = undefined;
    lock.queue.unshift(request);
    robbed?.settle(new DOMException("stolen", "AbortError"));
    this.#grant(name, lock);
  }

  leave(name: string, request: Request): void {
    const lock = this.#lock(name);
    lock.queue = lock.queue.filter((other) => other !== request);
    this.#grant(name, lock);
  }

  /** A tab is no more: nothing of it holds anything. */
  bury(tab: Tab): void {
    for (const channel of [...this.channels]) if (channel.tab === tab) channel.close();
    for (const [name, lock] of [...this.#locks]) {
      lock.queue = lock.queue.filter((request) => request.tab !== tab);
      if (lock.holder?.tab === tab) lock.holder = undefined;
      this.#grant(name, lock);
    }
  }

  #lock(name: string): Lock {
    const lock = this.#locks.get(name) ?? { holder: undefined, queue: [] };
    this.#locks.set(name, lock);
    return lock;
  }

  #grant(name: string, lock: Lock): void {
    if (lock.holder !== undefined) return;
    const request = lock.queue.shift();
    lock.holder = request;
    if (request === undefined) {
      this.#locks.delete(name);
      return;
    }
    this.clock.after(this.hopMs, () =>
      request.tab.run(() => {
        if (lock.holder !== request) return;
        const given = request.held() ?? Promise.resolve();
        given.then(() => {
          request.settle();
          if (lock.holder !== request) return;
          lock.holder = undefined;
          this.#grant(name, lock);
        });
      }));
  }
}

/** A channel as one page has it. */
class TabChannel implements Channel {
  readonly tab: Tab;
  readonly #name: string;
  onmessage: Channel["onmessage"] = null;

  constructor(tab: Tab, name: string) {
    this.tab = tab;
    this.#name = name;
    tab.browser.channels.add(this);
  }

  postMessage(message: unknown): void {
    const { browser } = this.tab;
    if (this.tab.isDead) return;
    if (!browser.channels.has(this)) throw new DOMException("closed", "InvalidStateError");
    const copy: unknown = structuredClone(message);
    browser.posted.push(copy);
    for (const other of browser.channels) {
      if (other === this || other.#name !== this.#name) continue;
      browser.clock.after(browser.hopMs, () => other.deliver(copy));
    }
  }

  deliver(message: unknown): void {
    this.tab.run(() => {
      if (this.tab.browser.channels.has(this)) this.onmessage?.({ data: message });
    });
  }

  close(): void {
    this.tab.browser.channels.delete(this);
  }
}

/** The class of this tab's channels. */
function channelsOf(tab: Tab): TabPage["BroadcastChannel"] {
  return class extends TabChannel {
    constructor(name: string) {
      super(tab, name);
    }
  };
}

/** A page. What it does goes through {@link run}: nothing of it happens while it sleeps or after it died. */
export class Tab implements TabPage {
  readonly browser: Browser;
  readonly document = { visibilityState: "visible" };
  readonly navigator: { readonly locks: Locks };
  readonly BroadcastChannel: TabPage["BroadcastChannel"];
  #listeners: { readonly type: string; readonly listener: PageListener }[] = [];
  #asleep: (() => void)[] | undefined;
  #hiddenMs: number | undefined;
  isDead = false;

  constructor(browser: Browser) {
    this.browser = browser;
    this.BroadcastChannel = channelsOf(this);
    this.navigator = { locks: { request: (name, how, held) => this.#request(name, how, held) } };
  }

  /** Time as this page has it: its timers sleep with it, and are slowed down while it is hidden. */
  get clock(): Clock {
    const { clock } = this.browser;
    return {
      now: () => clock.now(),
      after: (ms, run) => {
        let isOff = false;
        const callOff = clock.after(this.#slowed(ms), () => this.run(() => isOff || run()));
        return () => {
          isOff = true;
          callOff();
        };
      },
    };
  }

  /** Sockets as this page has them. */
  sockets(open: OpenSocket): OpenSocket {
    return (url, listener) => {
      if (this.isDead) return { send: () => {}, close: () => {} };
      return open(url, {
        message: (text) => this.run(() => listener.message(text)),
        ended: (code) => this.run(() => listener.ended(code)),
      });
    };
  }

  addEventListener(type: string, listener: PageListener): void {
    this.#listeners.push({ type, listener });
  }

  removeEventListener(type: string, listener: PageListener): void {
    this.#listeners = this.#listeners.filter((other) => other.type !== type || other.listener !== listener);
  }

  run(what: () => void): void {
    if (this.isDead) return;
    if (this.#asleep === undefined) what();
    else this.#asleep.push(what);
  }

  show(isShown: boolean): void {
    const state = isShown ? "visible" : "hidden";
    if (this.document.visibilityState === state) return;
    this.document.visibilityState = state;
    this.#hiddenMs = isShown ? undefined : this.browser.clock.now();
    this.tell("visibilitychange");
  }

  tell(type: "visibilitychange" | "pagehide" | "pageshow" | "freeze" | "resume"): void {
    this.run(() => {
      for (const { type: other, listener } of this.#listeners) if (other === type) listener({ type });
    });
  }

  /** It is stopped, told so before or not, or goes on: with all that came meanwhile. */
  sleep(): void {
    this.#asleep ??= [];
  }

  wake(): void {
    const missed = this.#asleep ?? [];
    this.#asleep = undefined;
    for (const run of missed) this.run(run);
  }

  /** Its process is gone. */
  crash(): void {
    this.isDead = true;
    this.browser.bury(this);
  }

  #slowed(ms: number): number {
    const { clock } = this.browser;
    if (this.#hiddenMs === undefined) return ms;
    const isThrottled = clock.now() - this.#hiddenMs >= THROTTLED_AFTER_MS;
    return isThrottled
      ? MINUTE_MS - clock.now() % MINUTE_MS + Math.floor(ms / MINUTE_MS) * MINUTE_MS
      : Math.max(ms, 1_000);
  }

  #request(name: string, how: Parameters<Locks["request"]>[1], held: Held): Promise<unknown> {
    return new Promise<void>((resolve, reject) => {
      const settle = (error?: Error): void => this.run(() => error === undefined ? resolve() : reject(error));
      const request: Request = { tab: this, held, settle };
      if ("steal" in how) return this.browser.steal(name, request);
      how.signal.addEventListener("abort", () => this.browser.leave(name, request));
      this.browser.queue(name, request);
    });
  }
}
