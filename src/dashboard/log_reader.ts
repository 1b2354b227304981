import { type Client, ClientError, type Store, type Subscription } from "../client/client.ts";
import { LiveStore } from "../client/store.ts";
import { logTopic } from "../protocol/log_topic.ts";
import { isAsLoud, type Level, lineIn, type LogLine, type LogPage, pageIn } from "./log_line.ts";
import { LogWindow } from "./log_window.ts";

/** A task's log as its page shows it. */
export type LogView = {
  /** Whether the gateway keeps logs, and this one may be read. */
  readonly isThere: boolean;
  readonly lines: readonly LogLine[];
  readonly hasEarlier: boolean;
  /** Whether what comes follows the last line. */
  readonly isAtEnd: boolean;
  /** Lines that came and are not held. */
  readonly waiting: number;
  readonly isLoading: boolean;
  /** Why lines could not be read. */
  readonly error: unknown;
};

/** A log that is read from its end, and what comes. */
export type LogReader = {
  readonly store: Store<LogView>;
  /** Reads on towards the beginning. */
  readonly earlier: () => void;
  /** Reads on towards the end. */
  readonly later: () => void;
  /** Goes to the end, or to where it was at a position of the past. */
  readonly look: (at: number | undefined) => void;
  /** Says whether somebody reads further up, so that nothing of it may go. */
  readonly hold: (isRead: boolean) => void;
};

const NOTHING: LogView = {
  isThere: false,
  lines: [],
  hasEarlier: false,
  isAtEnd: true,
  waiting: 0,
  isLoading: false,
  error: undefined,
};

/** Lines of a page; of those few may be loud enough, so larger ones are looked through then. */
const PAGE = { all: 200, some: 1_000 };
/** So many pages are looked through at once for so many lines. */
const MAX_PAGES = 5;
const ENOUGH = 50;
/** The page is drawn anew so often at most, ms, however many lines come. */
const SHOWN_EVERY_MS = 100;
/** A gateway that keeps no logs is asked again after this, ms. */
const AGAIN_MS = 60_000;

/** When gateways said that they keep none. */
const without = new WeakMap<Client, number>();

/** Reads the log of a task, those lines that are as loud as `least`. */
export function logReader(client: Client, id: string, least: Level): LogReader {
  const window = new LogWindow();
  const level = least === "debug" ? {} : { level: least };
  let set: ((change: (view: LogView) => LogView) => void) | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let [isThere, isLoading, isRead] = [false, false, false];
  let at: number | undefined;
  let wanted: (() => Promise<void>) | undefined;
  let error: unknown;

  const show = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const { lines, before, isAtEnd, waiting } = window;
    set?.(() => ({ isThere, lines, hasEarlier: before !== undefined, isAtEnd, waiting, isLoading, error }));
  };
  const ask = async (where: { readonly before_seq: number } | { readonly after_seq: number }) =>
    pageIn(
      await client.ask("read_log", {
        task_id: id,
        limit: least === "debug" ? PAGE.all : PAGE.some,
        ...level,
        ...where,
      }),
    );
  /** One thing is read after the other; of what is wanted meanwhile the newest. */
  const run = async (read: () => Promise<void>): Promise<void> => {
    wanted = read;
    if (isLoading || !isThere) return;
    isLoading = true;
    show();
    while (wanted !== undefined && set !== undefined) {
      const next = wanted;
      wanted = undefined;
      error = await next().then(() => undefined, reasonOf);
    }
    isLoading = false;
    show();
  };
  const open = async (): Promise<void> => {
    const upTo = at;
    if (upTo === undefined) window.reopen();
    const before = await backwards(ask, upTo === undefined ? Number.MAX_SAFE_INTEGER : upTo + 1);
    if (upTo === at) window.opened(before, upTo === undefined);
  };

  return {
    store: new LiveStore<LogView>(NOTHING, (change) => {
      set = change;
      if (performance.now() - (without.get(client) ?? -Infinity) < AGAIN_MS) return () => set = undefined;
      let subscription: Subscription | undefined;
      const subscribe = (): Subscription =>
        client.subscribe(logTopic(id), (frame) => {
          if (frame.type === "gap") void run(open);
          if (!("topic" in frame.data)) return;
          const { payload } = frame.data;
          const line = lineIn(payload, frame.seq ?? 0, new Date(frame.timestamp).toISOString());
          if (line === undefined || !isAsLoud(line, least)) return;
          window.came(line, isRead);
          timer ??= setTimeout(show, SHOWN_EVERY_MS);
        }, {
          replay: "none",
          onLive(isLive) {
            if (!isLive || isThere) return;
            isThere = true;
            void run(open);
          },
          onError({ code }) {
            if (code === "LIMIT_EXCEEDED") return; // it waits for its turn
            without.set(client, performance.now());
            isThere = false;
            show();
          },
        });
      // In a request of its own: one that is refused is refused with all that it asks for.
      const begin = setTimeout(() => subscription = subscribe());
      return () => {
        set = undefined;
        clearTimeout(begin);
        clearTimeout(timer);
        subscription?.unsubscribe();
      };
    }),
    earlier() {
      const { before } = window;
      if (before === undefined || isLoading) return;
      void run(async () => window.earlier(await backwards(ask, before)));
    },
    later() {
      if (window.isAtEnd || isLoading) return;
      void run(async () => window.later(await ask({ after_seq: window.lines.at(-1)?.seq ?? 0 })));
    },
    look(position) {
      if (position === at && window.isAtEnd === (position === undefined) && isThere) return;
      at = position;
      void run(open);
    },
    hold: (now) => isRead = now,
  };
}

/** The page before a position; as many as it takes for some lines, where few are loud enough. */
async function backwards(
  ask: (where: { readonly before_seq: number }) => Promise<LogPage>,
  before: number,
): Promise<LogPage> {
  let { lines, nextBefore } = await ask({ before_seq: before });
  for (let page = 1; page < MAX_PAGES && lines.length < ENOUGH && nextBefore !== undefined; page++) {
    const more = await ask({ before_seq: nextBefore });
    lines = [...more.lines, ...lines];
    nextBefore = more.nextBefore;
  }
  return { lines, nextBefore, nextAfter: undefined };
}

/** Why lines could not be read; nothing where there are none to read. */
function reasonOf(error: unknown): unknown {
  const isNone = error instanceof ClientError &&
    (error.code === "TASK_NOT_FOUND" || error.code === "INVALID_MESSAGE");
  return isNone ? undefined : error;
}
