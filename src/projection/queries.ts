import { channelSubject } from "../channel/channel_subject.ts";
import type { EventLog, Extent } from "../log/event_log.ts";
import { othersFirst } from "../log/others_first.ts";
import type { TaskQuery } from "../protocol/client_frames.ts";
import type { ErrorBody, Refused, ServerData, TaskPage, TaskStatusData } from "../protocol/server_frames.ts";
import { isChannel } from "../protocol/topics.ts";
import { statusData } from "../task/task.ts";
import { FillingPage } from "./filling_page.ts";
import type { History } from "./history.ts";
import type { Projection } from "./projection.ts";
import { type Listed, TaskLists } from "./task_lists.ts";
import type { EventQuery } from "./task_events.ts";
import type { TaskFilter } from "./task_table.ts";

/** How old an answer about the log's extent may be: many returning clients ask at once, and one look serves them all. */
const EXTENT_MS = 250;
/** So many tasks of a page are weighed in one go, some 1 ms, before whatever else waits comes first. */
const AT_ONCE = 128;

/** Records of a channel that are counted at once. */
const PAGE_RECORDS = 1_000;
const PAGE_BYTES = 4_194_304;

const BUSY: ErrorBody = {
  code: "RATE_LIMITED",
  message: "too many long lists are asked for at once",
  details: { retry_after_ms: 1_000 },
};

/** What can be asked about tasks: from memory, and from the log for what has left it. Rejects with a LogError. */
export class TaskQueries {
  readonly #log: EventLog;
  readonly #projection: Projection;
  readonly #history: History;
  readonly #now: () => number;
  readonly #lists: TaskLists;
  readonly #retainPerSubject: number;
  #extent: { readonly askedMs: number; readonly epoch: string; readonly answer: Promise<Extent> } | undefined;

  constructor(
    log: EventLog,
    projection: Projection,
    history: History,
    { now, retainPerSubject }: { readonly now: () => number; readonly retainPerSubject: number },
  ) {
    this.#log = log;
    this.#projection = projection;
    this.#history = history;
    this.#now = now;
    this.#retainPerSubject = retainPerSubject;
    this.#lists = new TaskLists(() => projection.tasks);
  }

  /** The whole of one task and the position it was last changed at; undefined when no event of it is in the log. */
  async task(taskId: string): Promise<{ readonly data: TaskStatusData; readonly seq: number } | undefined> {
    const record = this.#projection.tasks.get(taskId);
    if (record !== undefined) {
      const seq = Math.max(record.statusSeq, record.progressSeq);
      return { data: statusData(record.state, record.pace), seq };
    }
    if (!this.#projection.tasks.mayBeEvicted(taskId)) return undefined;
    const past = await this.#projection.stateFromLog(taskId);
    return past &&
      { data: statusData(past.state, undefined), seq: Math.max(past.statusSeq, past.progressSeq) };
  }

  /** A page of the tasks in memory that fit: all that have not ended, and those that ended last. */
  list(query: TaskQuery & TaskFilter): TaskPage | Refused | Promise<TaskPage> {
    const listed = this.#lists.of(query);
    if (listed === undefined) return { refused: BUSY };
    return listed instanceof Promise ? listed.then((late) => pageOf(late, query)) : pageOf(listed, query);
  }

  /** A page of one task's events as they were written; undefined when no event of it is in the log. */
  async history(query: EventQuery): Promise<Omit<ServerData["task_history"], "task_id"> | undefined> {
    return await this.#history.events(query);
  }

  /** Whether everything after `seq` is still in memory. */
  isRecent(seq: number): boolean {
    return seq >= this.#projection.tail.floor;
  }

  /**
   * Up to where retention may have taken values of a channel of which every one counts, since there are as many as are kept; 0
   * where there are fewer. It is about values without a key.
   */
  async lostOf(topic: string): Promise<number> {
    const { namespaces } = this.#projection;
    if (!isChannel(topic) || namespaces.conflationOf(topic) !== "all") return 0;
    const subject = channelSubject({ topic, key: "" });
    return await this.#history.turns.run(async () => {
      let [first, count] = [0, 0];
      for (let after = 0;;) {
        const page = await this.#log.read({ subject, after, limit: PAGE_RECORDS, maxBytes: PAGE_BYTES });
        first ||= page.entries[0]?.seq ?? 0;
        count += page.entries.length;
        if (count >= this.#retainPerSubject) return first - 1;
        if (page.through <= after || page.entries.length === 0) return 0;
        after = page.through;
      }
    });
  }

  /** The extent of the log, as of a moment ago; as of now where it did not reach `seq` then. */
  extent(seq = 0): Promise<Extent> {
    const recent = this.#recentExtent();
    if (seq === 0) return recent;
    return recent.then((extent) => extent.lastSeq >= seq ? extent : this.#log.extent());
  }

  #recentExtent(): Promise<Extent> {
    const askedMs = this.#now();
    const { epoch } = this.#projection;
    const known = this.#extent;
    if (known?.epoch === epoch && askedMs - known.askedMs < EXTENT_MS) return known.answer;
    const asked = { askedMs, epoch, answer: this.#log.extent() };
    this.#extent = asked;
    asked.answer.catch(() => {
      if (this.#extent === asked) this.#extent = undefined;
    });
    return asked.answer;
  }
}

/** The page; a large one in pieces, of tasks as they are now. */
function pageOf({ records, total }: Listed, query: TaskQuery): TaskPage | Promise<TaskPage> {
  const tasks = records.map(({ state, pace }) => statusData(state, pace));
  const page = new FillingPage(query);
  const isWhole = page.addAll(tasks.slice(0, AT_ONCE));
  return isWhole && tasks.length > AT_ONCE ? inPieces(page, tasks, total) : page.done(total);
}

async function inPieces(
  page: FillingPage,
  tasks: readonly TaskStatusData[],
  total: number,
): Promise<TaskPage> {
  for (let start = AT_ONCE; start < tasks.length; start += AT_ONCE) {
    await othersFirst();
    if (!page.addAll(tasks.slice(start, start + AT_ONCE))) break;
  }
  return page.done(total);
}
