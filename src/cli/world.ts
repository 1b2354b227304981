import type { Output } from "./output.ts";

/** What a command needs of the process it runs in. */
export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: Output;
  /** Aborts when the command is to stop: Ctrl-C, SIGTERM, nobody reads. Until it is asked for, signals end the process. */
  stopSignal(): AbortSignal;
  /** What the process is to end with. */
  readonly finish: (exitCode: number) => void;
}

/** Why a command was stopped: the reason of {@link World.stopSignal}. */
export class Stopped extends Error {
  override name = "Stopped";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super("stopped");
    this.exitCode = exitCode;
  }
}

/** Resolves when `signal` aborts, with what the process is to end with. */
export function stopped(signal: AbortSignal): Promise<number> {
  return new Promise((resolve) => {
    const end = () => resolve(signal.reason instanceof Stopped ? signal.reason.exitCode : 0);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}
