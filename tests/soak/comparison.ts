import type { ObservedGateway } from "./observed_gateway.ts";
import { tokenOf } from "./tokens.ts";
import type { Standing, Truth } from "./truth.ts";
import type { Visitor } from "./visitor.ts";

/** So many differences of one kind are told. */
const MAX_TOLD = 5;

/** What a visitor takes for the truth and is not, in words; undefined while it says itself that it may be wrong. */
export function wrongWith(visitor: Visitor, truth: Truth, sinceMs: number): string[] | undefined {
  const { name, tasks, character: { tag, watches, replay } } = visitor;
  if (tasks === undefined) return undefined;
  const wrong: string[] = [];
  for (const { id, tags, isOver, status, completed } of truth.since(sinceMs)) {
    const known = tasks.get(id);
    const isSeen = tag === undefined || tags.includes(tag);
    // Who asked for the present was not told of what is over; who asked for what comes not of what was.
    const mayBeUnknown = watches === "frames" && (replay === "none" || isOver);
    if (known === undefined ? !isSeen || mayBeUnknown : isSeen && isSame(known, { status, completed })) {
      continue;
    }
    // Of a task that has moved once only what moved is known to who asked for nothing else.
    if (replay === "none" && known?.status === "" && known.completed === completed) continue;
    wrong.push(
      `${name} has ${id} as ${told(known)}, the log as ${isSeen ? told({ status, completed }) : "not its"}`,
    );
  }
  if (wrong.length > 0) wrong.push(`${name}: ${visitor.standing}`);
  return wrong.slice(-MAX_TOLD);
}

/** What a resident was told of changes of status that is not what the log says: each once, in order, all since the last gap. */
export function wrongChanges({ view, character: { transport } }: Visitor, truth: Truth): string[] {
  const from = Math.max(view.from, truth.from);
  if (Number.isNaN(from)) return [`The resident over ${transport} has not caught up`];
  const isSure = (seq: number) => seq > from && !truth.unsure.has(seq);
  const due = truth.statusSeqs.filter(isSure);
  const told = view.statusSeqs.filter(isSure);
  const at = due.findIndex((seq, i) => told[i] !== seq);
  if (at < 0 && due.length === told.length) return [];
  return [
    `The resident over ${transport} was told ${told.length} changes of ${due.length} since ${from}; ` +
    `after ${due[at - 1]} comes ${due[at]}, it has ${told[at]}`,
  ];
}

/** What the gateway answers about its tasks that is not what the log says. */
export async function wrongAnswers(
  { process }: ObservedGateway,
  truth: Truth,
  sinceMs: number,
): Promise<string[]> {
  const tasks = new Map<string, Standing>();
  const headers = { authorization: `Bearer ${await tokenOf("comparison")}` };
  for (let page: number | undefined = 1; page !== undefined;) {
    const response = await fetch(`${process.url}/api/tasks?limit=1000&page=${page}`, { headers });
    const answer: Answer = await response.json();
    for (const { task_id: id, status, progress: { completed } } of answer.tasks) {
      tasks.set(id, { status, completed });
    }
    page = answer.next_page;
  }
  return [...truth.since(sinceMs)].flatMap(({ id, status, completed }) => {
    const known = tasks.get(id);
    const same = known !== undefined && isSame(known, { status, completed });
    return same ? [] : [`The gateway has ${id} as ${told(known)}, the log as ${told({ status, completed })}`];
  }).slice(0, MAX_TOLD);
}

type Answer = {
  readonly tasks: readonly {
    readonly task_id: string;
    readonly status: string;
    readonly progress: { readonly completed: number };
  }[];
  readonly next_page?: number;
};

function isSame(one: Standing, other: Standing): boolean {
  return one.status === other.status && one.completed === other.completed;
}

function told(standing: Standing | undefined): string {
  return standing === undefined ? "unknown" : `${standing.status} with ${standing.completed}`;
}
