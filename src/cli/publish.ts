import { type Command, InvalidArgumentError } from "commander";
import { isKind, type Kind, KINDS } from "../task/worker_event.ts";
import { append } from "./append.ts";
import {
  count,
  eventId,
  jsonObject,
  jsonOrText,
  percentage,
  tags,
  taskId,
  text,
  whole,
} from "./arguments.ts";
import { CliError } from "./cli_error.ts";
import { EXIT } from "./exit_codes.ts";
import { gatewayOf, type GatewayOptions } from "./gateway.ts";
import { withGatewayOptions } from "./gateway_command.ts";
import type { World } from "./world.ts";

/** The members of a body that have an option of their own, in the words of the protocol. */
export type Members = {
  readonly name?: string;
  readonly type?: string;
  readonly tags?: readonly string[];
  readonly parent_id?: string;
  readonly attempt?: number;
  readonly total?: number;
  readonly completed?: number;
  readonly failed?: number;
  readonly current?: string;
  readonly status?: string;
  readonly percentage?: number;
  readonly reason?: string;
  readonly error?: string;
  readonly result?: unknown;
};

type PublishOptions = GatewayOptions & Omit<Members, "tags" | "parent_id"> & {
  readonly tag?: readonly string[];
  readonly parent?: string;
  readonly eventId?: string;
};

const COUNTERS = ["total", "completed", "failed", "current", "status", "percentage"] as const;

/** The members that each kind has, beside the counters at the end of a task. */
const OWN: Readonly<Record<Kind, readonly (keyof Members)[]>> = {
  created: ["name", "type", "tags", "parent_id", "total"],
  progress: ["attempt", ...COUNTERS],
  started: ["attempt"],
  paused: ["attempt"],
  resumed: ["attempt"],
  retrying: ["attempt", "error"],
  cancel_requested: ["attempt", "reason"],
  failed: ["attempt", "error", "reason"],
  cancelled: ["attempt", "reason"],
  completed: ["attempt", "result"],
  stale: ["attempt"],
};

const ENDS: ReadonlySet<Kind> = new Set(["failed", "cancelled", "completed"]);

/** `publish <id> <kind> [json]`. */
export function publishCommand(program: Command, world: World): void {
  withGatewayOptions(program.command("publish"))
    .description("Append one event of a task, as a worker would; done when it is durable")
    .argument("<id>", "the task's id", taskId)
    .argument("<kind>", `one of ${KINDS.join(", ")}`, kind)
    .argument("[json]", "the event's body: a JSON object; options add to it", jsonObject)
    .option("--total <n>", "how many items there are", count)
    .option("--completed <n>", "how many are done", count)
    .option("--failed <n>", "how many failed", count)
    .option("--percentage <n>", "the share, where items do not say it", percentage)
    .option("--current <text>", "what is being worked on", text(4_096))
    .option("--status <text>", "a word on what is going on", text(4_096))
    .option("--attempt <n>", "which attempt, from 1", whole(1, 1_000_000))
    .option("--name <text>", "what people call the task", text(512))
    .option("--type <text>", "what kind of task it is", text(64))
    .option("--tag <tag>", "a tag; may be given 16 times", tags)
    .option("--parent <id>", "the task this one is a part of", taskId)
    .option("--reason <text>", "why it is cancelled", text(4_096))
    .option("--error <text>", "why it failed", text(16_384))
    .option("--result <json>", "what came of it: JSON, or text", jsonOrText)
    .option(
      "--event-id <id>",
      "names the event, so that sending it again within DEDUP_WINDOW stores it once",
      eventId,
    )
    .action(async (id: string, kind: Kind, json: object | undefined, options: PublishOptions) => {
      const { url: _, token: __, json: asJson, tag, parent, eventId, ...rest } = options;
      const members: Members = {
        ...rest,
        ...(tag === undefined ? {} : { tags: tag }),
        ...(parent === undefined ? {} : { parent_id: parent }),
      };
      const event = { taskId: id, kind, body: bodyOf(kind, { ...json }, members) };
      const gateway = gatewayOf(options, world.env);
      const stored = await append(gateway, eventId === undefined ? event : { ...event, eventId });
      const already = stored.duplicate ? ", as it was before" : "";
      world.out.write(
        asJson ? `${JSON.stringify(stored)}\n` : `event ${stored.seq} is in the log${already}\n`,
      );
      world.finish(EXIT.done);
    });
}

/** The body of an event of `kind`: what was typed as JSON, with what options say. Throws where they say too much. Pure. */
export function bodyOf(
  kind: Kind,
  json: Readonly<Record<string, unknown>>,
  members: Members,
): Readonly<Record<string, unknown>> {
  const own: Record<string, unknown> = {};
  const progress: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(members)) {
    if (OWN[kind].some((known) => known === name)) own[name] = value;
    else if (ENDS.has(kind) && COUNTERS.some((known) => known === name)) progress[name] = value;
    else {throw new CliError(
        `--${optionOf(name)}: must not be given with ${kind}, which has none`,
        EXIT.badArgument,
      );}
  }
  if (Object.keys(progress).length > 0) own.progress = { ...Object(json.progress), ...progress };
  return { ...json, ...own };
}

function optionOf(member: string): string {
  return member === "tags" ? "tag" : member === "parent_id" ? "parent" : member;
}

function kind(text: string): Kind {
  if (isKind(text)) return text;
  throw new InvalidArgumentError(`It must be one of ${KINDS.join(", ")}.`);
}
