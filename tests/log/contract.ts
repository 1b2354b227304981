import { appending, deduplicating, publishing } from "./contract_appending.ts";
import { epochs, following, restarting } from "./contract_following.ts";
import { lasts, paging } from "./contract_reading.ts";
import { purging, retaining } from "./contract_retaining.ts";
import type { EventLog } from "../../src/log/event_log.ts";

/** What a test asks of the log it opens. The dedup window is never longer than the age. */
export type LogLimits = {
  readonly retainAgeMs: number;
  readonly retainPerSubject: number;
  readonly dedupWindowMs: number;
};

/**
 * A fresh, empty log under test, and what the world can do to it. Disposing it leaves nothing behind.
 * The methods are called detached: they may not use `this`.
 */
export interface LogBench extends AsyncDisposable {
  readonly log: EventLog;
  /** Closes the log and opens what it stored again. The bench disposes of both. */
  reopen(): Promise<EventLog>;
  /** Deletes the stream and makes it again, empty, under the living log. */
  recreate(): Promise<void>;
  /** Lets `ms` pass by the log's clock: really, where that clock cannot be set. */
  passTime(ms: number): Promise<void>;
  /** Takes the server away and brings it back, under the living log; returns when it is back. */
  restart?(): Promise<void>;
  /** Removes every record without making another stream. */
  purge?(): Promise<void>;
  /** Publishes as a stranger does, past our own checks. */
  publish?(subject: string, body: Uint8Array): Promise<void>;
}

/** What only some logs let the world do to them. */
export type Ability = "restart" | "purge" | "publish";

/** How the suite runs an adapter. */
export type ContractOptions = {
  /** What cannot happen to this log; the facts about it are then not registered. Default: everything can. */
  readonly lacks?: readonly Ability[];
  /** Whether Deno's op and resource sanitizers watch each test. Default: they do. */
  readonly sanitize?: boolean;
};

/** One fact: holds, or throws. */
export type Fact = (bench: LogBench) => Promise<void>;
/** Facts by the sentence that states them, some with limits of their own. */
export type Facts = Readonly<Record<string, Fact | readonly [Partial<LogLimits>, Fact]>>;

const ROOMY: LogLimits = { retainAgeMs: 3_600_000, retainPerSubject: 1000, dedupWindowMs: 120_000 };

/** Registers every fact that holds for an {@link EventLog}, for the adapter that `open` makes. */
export function describeEventLog(
  name: string,
  open: (limits: LogLimits) => Promise<LogBench>,
  { lacks = [], sanitize = true }: ContractOptions = {},
): void {
  const facts = {
    ...appending,
    ...deduplicating,
    ...paging,
    ...lasts,
    ...retaining,
    ...following,
    ...epochs,
    ...(lacks.includes("publish") ? {} : publishing),
    ...(lacks.includes("purge") ? {} : purging),
    ...(lacks.includes("restart") ? {} : restarting),
  };
  for (const [sentence, fact] of Object.entries(facts)) {
    const [limits, holds] = typeof fact === "function" ? [{}, fact] : fact;
    Deno.test({
      name: `${name}: ${sentence}`,
      sanitizeOps: sanitize,
      sanitizeResources: sanitize,
      async fn() {
        await using bench = await open({ ...ROOMY, ...limits });
        await holds(bench);
      },
    });
  }
}
