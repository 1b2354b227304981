import type { Command } from "commander";
import { type Forwarder, forwarderTo } from "../adapters/forwarder.ts";
import { linesOf, readLine } from "../adapters/ndjson.ts";
import { chunksOf } from "./archive_input.ts";
import { taskId } from "./arguments.ts";
import { EXIT } from "./exit_codes.ts";
import { gatewayOf, type GatewayOptions } from "./gateway.ts";
import { withGatewayOptions } from "./gateway_command.ts";
import { harmless } from "./text_width.ts";
import { stopped, type World } from "./world.ts";

/** How long what was read may still be on its way when this is told to stop, ms. */
const END_MS = 10_000;
/** Of what is wrong with lines so many are told one by one. */
const MAX_TOLD = 100;

/** `pipe [id]`. */
export function pipeCommand(program: Command, world: World): void {
  withGatewayOptions(program.command("pipe"))
    .description(
      'Append the events on standard input, a line of JSON each: {"task_id", "kind", …}, or CloudEvents. Ends with the ' +
        "input, when all of them are in the log; waits for a gateway that is away",
    )
    .argument("[id]", "the task of lines that have no task_id", taskId)
    .action(async (id: string | undefined, options: GatewayOptions) => {
      world.finish(await pipe(id, options, world));
    });
}

async function pipe(taskId: string | undefined, options: GatewayOptions, world: World): Promise<number> {
  const { http, token } = gatewayOf(options, world.env);
  const signal = world.stopSignal();
  const told = { wrong: 0 };
  const complain = (text: string): void => {
    if (++told.wrong <= MAX_TOLD) world.out.complain(`taskwire: ${harmless(text)}\n`);
  };
  const forwarder = forwarderTo(http, {
    ...(token === undefined ? {} : { token }),
    onTrouble: ({ message }, event) =>
      complain(event === undefined ? message : `${event.kind} of ${event.taskId}: ${message}`),
  });
  let broken = 0;
  try {
    broken = await forwardLines(forwarder, { taskId, signal, complain });
    await flushed(forwarder, signal);
  } finally {
    await forwarder[Symbol.asyncDispose]();
  }
  const { stored, refused } = forwarder.counts;
  const all = { stored, refused: refused + broken };
  const text = `${stored} events are in the log${all.refused === 0 ? "" : `, ${all.refused} are not`}`;
  world.out.write(options.json ? `${JSON.stringify(all)}\n` : `${text}\n`);
  if (all.refused > 0) return EXIT.failed;
  return signal.aborted ? await stopped(signal) : EXIT.done;
}

/** Forwards each line; returns how many were no events. */
async function forwardLines(
  forwarder: Forwarder,
  { taskId, signal, complain }: {
    readonly taskId: string | undefined;
    readonly signal: AbortSignal;
    readonly complain: (text: string) => void;
  },
): Promise<number> {
  let number = 0;
  let broken = 0;
  for await (const line of linesOf(chunksOf(Deno.stdin, signal))) {
    number++;
    const read = readLine(line, { taskId, nowMs: Date.now() });
    if (read === undefined) continue;
    if ("event" in read) {
      // A gateway that is away leaves no room, and whoever stops this does not wait for it.
      await Promise.race([forwarder.forward(read.event), stopped(signal)]);
      if (signal.aborted) break;
      continue;
    }
    broken++;
    complain(`line ${number}: ${read.refused}`);
  }
  return broken;
}

/** Resolves when all is in the log, or a while after it was told to stop. */
async function flushed(forwarder: Forwarder, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => {
    const begin = (): void => void (timer = setTimeout(resolve, END_MS));
    if (signal.aborted) begin();
    else signal.addEventListener("abort", begin, { once: true });
  });
  await Promise.race([forwarder.flush(), over]);
  clearTimeout(timer);
}
