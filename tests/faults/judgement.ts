import { isDeepStrictEqual as equal } from "node:util";
import { eventually } from "../eventually.ts";
import type { GatewayProcess } from "../gateway/gateway_process.ts";
import type { Load } from "../gateway/load.ts";
import type { Told, Watcher } from "../gateway/watcher.ts";

/** How clients came through: of everything that the log acknowledged. */
export type Judged = {
  /** Status changes that a client was not told, the most of any client. */
  readonly lost: number;
  /** Status changes that a client was told more than once. */
  readonly doubled: number;
  /** Whatever else is not as it has to be; empty where all is well. */
  readonly wrong: readonly string[];
};

/** What a client had been told, and what had become of it, before the fault. */
export type Mark = { readonly frames: number; readonly closes: number };

/** Where a client is now. */
export function markOf(client: Watcher): Mark {
  return { frames: client.frames.length, closes: client.closes.length };
}

/** Judges a client by what the log has: waits until it knows all, as far as it ever comes to. */
export async function judged(
  client: Watcher,
  load: Load,
  { mark, gap }: { readonly mark: Mark; readonly gap: string | undefined },
): Promise<Judged> {
  const look = (): Judged => judgedNow(client, load, { mark, gap });
  await eventually("a client knows everything", () => isWell(look())).catch(() => {}); // the judgement says what is missing
  return look();
}

function isWell({ lost, doubled, wrong }: Judged): boolean {
  return lost === 0 && doubled === 0 && wrong.length === 0;
}

function judgedNow(
  client: Watcher,
  load: Load,
  { mark, gap }: { readonly mark: Mark; readonly gap: string | undefined },
): Judged {
  const since = client.frames.slice(mark.frames);
  const gaps = since.flatMap((frame) => frame.type === "gap" ? [frame.data.reason] : []);
  const from = beginsAfter(client);
  const wanted = load.statuses().filter(({ seq }) => seq > from);
  const told = client.statuses.filter(({ taskId, seq }) => load.has(taskId) && seq > from);
  const known = new Set(told.map(textOf));
  const lost = wanted.filter((status) => !known.has(textOf(status))).length;
  const doubled = told.length - known.size;
  const wrong = [
    ...(lost + doubled === 0 && !equal(told, wanted) ? ["statuses came out of order"] : []),
    ...(equal(lasts(told), lasts(wanted)) ? [] : ["the last statuses are wrong"]),
    ...behind(client, load, from).map((id) => `the progress of ${id} is not the newest`),
    ...(gap === undefined && gaps.length > 0 ? [`told of a gap: ${gaps.join()}`] : []),
    ...(gap !== undefined && gaps.some((reason) => reason !== gap) ? [`told of a gap: ${gaps.join()}`] : []),
  ];
  return { lost, doubled, wrong };
}

/** After a gap a client is told how things are, and of each change from there on. */
function beginsAfter({ frames }: Watcher): number {
  const at = frames.findLastIndex(({ type }) => type === "gap");
  if (at === -1) return 0;
  const caughtUp = frames.slice(at).find(({ type }) => type === "caught_up");
  return caughtUp?.type === "caught_up" ? caughtUp.data.seq : Infinity;
}

function behind(client: Watcher, load: Load, from: number): string[] {
  return [...load.progress(from)].flatMap(([id, { completed }]) =>
    client.progress.get(id)?.completed === completed ? [] : [id]
  );
}

function lasts(statuses: readonly Told[]): unknown {
  return [...new Map(statuses.map(({ taskId, status }) => [taskId, status]))].sort();
}

function textOf({ seq, taskId, status }: Told): string {
  return `${seq} ${taskId} ${status}`;
}

/** What a gateway says of tasks that is not what the log says. */
export async function untruths(gateway: GatewayProcess, load: Load, lostUpTo: number): Promise<string[]> {
  const last = new Map(load.statuses().map((told) => [told.taskId, told]));
  const known = [...last.values()].filter(({ seq }) => seq > lostUpTo);
  const answers = await Promise.all(known.map(async ({ taskId, status }) => {
    const response = await fetch(`${gateway.url}/api/tasks/${taskId}`);
    const answer = await response.json();
    return answer.status === status
      ? []
      : [`${taskId} is ${status}, and said to be ${JSON.stringify(answer)}`];
  }));
  return answers.flat();
}
