import { type Command, Option } from "commander";
import type { PushedFrame } from "../client/client.ts";
import { durationMs, speed, taskId } from "./arguments.ts";
import { CliError } from "./cli_error.ts";
import { displayOf } from "./display.ts";
import { EXIT } from "./exit_codes.ts";
import { clientOf, type Gateway, gatewayOf, type GatewayOptions, opened } from "./gateway.ts";
import { withGatewayOptions } from "./gateway_command.ts";
import { stopped, type World } from "./world.ts";

type ReplayOptions = GatewayOptions & {
  readonly all?: boolean;
  readonly speed: number;
  readonly longestPause: number;
};

/** Frames that are held for their time; where a history has more, it is played as far. */
const MAX_FRAMES = 200_000;
const UNBOUNDED_MS = 86_400_000;

/** `replay <id|--all>`. */
export function replayCommand(program: Command, world: World): void {
  withGatewayOptions(program.command("replay"))
    .description("Play the history of a task, or of all, at its own pace times a speed")
    .argument("[id]", "the task's id", taskId)
    .option("--all", "all tasks instead of one")
    .option("--speed <factor>", "how many times as fast as it was, such as 10x or 0.5x", speed, 1)
    .addOption(
      new Option("--longest-pause <duration>", "no pause is longer, such as 2s")
        .argParser(durationMs).default(UNBOUNDED_MS, "1d"),
    )
    .action(async (id: string | undefined, options: ReplayOptions) => {
      if ((id === undefined) === (options.all !== true)) {
        throw new CliError("[id]: must be one task's id, or --all in its place", EXIT.badArgument);
      }
      const topics = id === undefined ? ["task:progress", "task:status"] : [`task:id:${id}`];
      const what = id === undefined ? "the log" : `the log of ${id}`;
      world.finish(await replay(topics, what, options, world));
    });
}

async function replay(
  topics: readonly string[],
  what: string,
  options: ReplayOptions,
  world: World,
): Promise<number> {
  const gateway = gatewayOf(options, world.env);
  const signal = world.stopSignal();
  const { frames, isWhole } = await historyOf(topics, gateway, signal);
  if (signal.aborted) return await stopped(signal);
  if (frames.length === 0) throw new CliError(`no event is in ${what}`);
  using display = displayOf(world.out, options);
  display.mood({ word: `replaying ${frames.length} events at ${options.speed}x`, isWell: true });
  const pace = new Pace(options.speed, options.longestPause);
  const startMs = performance.now();
  for (const frame of frames) {
    await sleep(startMs + pace.dueMs(frame.timestamp) - performance.now(), signal);
    if (signal.aborted) return await stopped(signal);
    display.take(frame, frame.timestamp);
  }
  if (!isWhole) world.out.complain(`the history goes on: only its first ${MAX_FRAMES} events were played\n`);
  return EXIT.done;
}

/** When things are due that happened at certain times: at the pace of then, times `speed`, and no pause longer than a bound. */
export class Pace {
  readonly #speed: number;
  readonly #longestPauseMs: number;
  #lastMs: number | undefined;
  #dueMs = 0;

  constructor(speed: number, longestPauseMs: number) {
    this.#speed = speed;
    this.#longestPauseMs = longestPauseMs;
  }

  /** Ms after the start at which to show what happened at `timeMs`; never before what was asked for last. */
  dueMs(timeMs: number): number {
    const pauseMs = Math.max(0, timeMs - (this.#lastMs ?? timeMs)) / this.#speed;
    this.#lastMs = Math.max(timeMs, this.#lastMs ?? timeMs);
    this.#dueMs += Math.min(pauseMs, this.#longestPauseMs);
    return this.#dueMs;
  }
}

/** The frames of the retained history of these topics, up to now, or as many as are held. */
async function historyOf(
  topics: readonly string[],
  gateway: Gateway,
  signal: AbortSignal,
): Promise<{ readonly frames: readonly PushedFrame[]; readonly isWhole: boolean }> {
  const client = clientOf(gateway);
  const frames: PushedFrame[] = [];
  const over = Promise.withResolvers<boolean>();
  try {
    await opened(client, gateway);
    client.onState(({ kind }) =>
      kind === "closed" && over.reject(new CliError("the gateway closed the connection"))
    );
    client.subscribe(topics, (frame) => {
      if (frame.type === "caught_up") over.resolve(true);
      else if (frames.length === MAX_FRAMES) over.resolve(false);
      else frames.push(frame);
    }, { replay: "all", onError: over.reject });
    const isWhole = await Promise.race([over.promise, stopped(signal).then(() => true)]);
    return { frames: [...frames], isWhole };
  } finally {
    over.promise.catch(() => {});
    client.close();
  }
}

/** Resolves after `ms`, or as soon as `signal` aborts. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
