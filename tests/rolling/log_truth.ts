import * as v from "valibot";
import type { BareNats } from "../gateway/bare_nats.ts";
import { STATUS } from "../gateway/load.ts";
import type { Told } from "../gateway/watcher.ts";

const Info = v.object({ state: v.object({ last_seq: v.number() }) });
const Stored = v.object({ message: v.object({ seq: v.number(), subject: v.string() }) });

/** So many messages are asked for at once. */
const AT_ONCE = 100;

/** What a stream holds. */
export type LogTruth = {
  readonly events: number;
  /** Every status change, in its order. */
  readonly statuses: readonly Told[];
};

/** Reads a whole stream, message by message, without anything of the project. Rejects where one is missing. */
export async function readLog(nats: BareNats): Promise<LogTruth> {
  const { state } = v.parse(Info, await asked(nats, "STREAM.INFO.TASKWIRE", ""));
  const statuses: Told[] = [];
  for (let first = 1; first <= state.last_seq; first += AT_ONCE) {
    const count = Math.min(AT_ONCE, state.last_seq - first + 1);
    const stored = await Promise.all(
      Array.from({ length: count }, (_, i) => asked(nats, "STREAM.MSG.GET.TASKWIRE", { seq: first + i })),
    );
    for (const answer of stored) {
      const { seq, subject } = v.parse(Stored, answer).message;
      const [, , taskId = "", kind = ""] = subject.split(".");
      const status = STATUS.get(kind);
      if (status !== undefined) statuses.push({ seq, taskId, status });
    }
  }
  return { events: state.last_seq, statuses };
}

async function asked(nats: BareNats, subject: string, body: unknown): Promise<unknown> {
  const answer = await nats.request(`$JS.API.${subject}`, body);
  return JSON.parse(new TextDecoder().decode(answer.body));
}
