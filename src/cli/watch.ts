import { type Command, Option } from "commander";
import type { ConnectionState, Replay } from "../client/client.ts";
import { ReplayMode } from "../protocol/client_frames.ts";
import { rateHz, topics as readTopics } from "./arguments.ts";
import { CliError } from "./cli_error.ts";
import { displayOf, moodOf } from "./display.ts";
import { EXIT } from "./exit_codes.ts";
import { clientOf, gatewayOf, type GatewayOptions } from "./gateway.ts";
import { withGatewayOptions } from "./gateway_command.ts";
import { Tally } from "./tally.ts";
import { stopped, type World } from "./world.ts";

type WatchOptions = GatewayOptions & {
  readonly replay: Replay;
  readonly maxRate?: number;
  readonly untilEnded?: boolean;
};

/** What is watched when nobody says what. */
const EVERYTHING = ["task:progress", "task:status"] as const;
/** How often the seconds until the next try are counted down, ms. */
const COUNT_DOWN_MS = 1_000;

/** `watch [topics…]`. */
export function watchCommand(program: Command, world: World): void {
  withGatewayOptions(program.command("watch"))
    .description(
      "Show tasks and channels as they move: bars and last values in a terminal, a line for each change elsewhere",
    )
    .argument("[topics...]", "topics, channels too, or ids of tasks (default: all tasks)", readTopics)
    .addOption(
      new Option("--replay <mode>", "what to begin with: the present, nothing, or the whole history")
        .choices(ReplayMode.options).default("latest"),
    )
    .option(
      "--max-rate <hz>",
      "how often a second progress and values may come, each time the newest; statuses come at once",
      rateHz,
    )
    .option("--until-ended", "end when all tasks seen have ended; exit code 1 unless all were completed")
    .action(async (topics: readonly string[] | undefined, options: WatchOptions) => {
      const chosen = topics === undefined || topics.length === 0 ? EVERYTHING : topics;
      world.finish(await watch(chosen, options, world));
    });
}

async function watch(topics: readonly string[], options: WatchOptions, world: World): Promise<number> {
  const gateway = gatewayOf(options, world.env);
  const stopping = stopped(world.stopSignal());
  const over = Promise.withResolvers<number>();
  const tally = new Tally();
  using display = displayOf(world.out, options);
  const client = clientOf(gateway);
  let isLive = false;
  const feel = (state: ConnectionState): void => {
    display.mood(moodOf(state, isLive, Date.now()));
    if (state.kind === "closed") over.reject(new CliError(`the gateway closed the connection: ${state.why}`));
  };
  const stopFeeling = client.onState(feel);
  const countDown = setInterval(() => feel(client.state), COUNT_DOWN_MS);
  const endIfOver = (): void => {
    if (options.untilEnded && isLive && tally.isOver) over.resolve(tally.isWell ? EXIT.done : EXIT.failed);
  };
  client.subscribe(topics, (frame) => {
    display.take(frame, Date.now());
    tally.take(frame);
    endIfOver();
  }, {
    replay: options.replay,
    maxRateHz: options.maxRate,
    onLive(live) {
      isLive = live;
      feel(client.state);
      endIfOver();
    },
    onError: over.reject,
  });
  try {
    return await Promise.race([over.promise, stopping]);
  } finally {
    clearInterval(countDown);
    // That we close it is no news.
    stopFeeling();
    over.promise.catch(() => {});
    client.close();
  }
}
