import { assert, assertEquals } from "@std/assert";
import type { Delivery } from "../../src/projection/delivery.ts";
import { inSeedTypes } from "../../src/protocol/seed_types.ts";
import { type Facet, topicsOf } from "../../src/protocol/topics.ts";
import type { Frame, FrameOf } from "../websocket_client.ts";
import type { Truth } from "./truth.ts";

/** What a client asked for. */
export type Asked = {
  readonly topics: readonly string[];
  readonly since?: number;
  readonly replay?: "latest" | "none" | "all";
  /** The rate of progress, where one is asked for. */
  readonly hz?: number;
};

/** What is known of the gateway that was watched. */
export type Circumstances = {
  /** Whether pages may have come from the log, which tells late events of kinds said twice as changes. */
  readonly pagesFromLog: boolean;
  /** Whether tasks may have left memory once they had ended: then the list has them no more. */
  readonly evicts: boolean;
  /** Whether the gateway died and came back: what it knows then is the last event of each kind. */
  readonly restarts: boolean;
  /** Whether retention took records: then a task's former tags may be forgotten. */
  readonly forgets: boolean;
  /** Whether this client is told of progress in the seed's types. */
  readonly inSeedTypes?: boolean;
};

type Line =
  | { readonly kind: "asked"; readonly id: string; readonly asked: Asked }
  | { readonly kind: "frame"; readonly frame: Frame; readonly head: number; readonly firstSeq: number }
  | { readonly kind: "cursor"; readonly seq: number };

/** A topic as it is held: everything after `from` is to come. */
type Window = {
  readonly topic: string;
  /** What lies after it is to come; a whole history begins where the log does when its first frame comes. */
  from: number;
  begun: boolean;
  /** What it may bring: a whole history may begin earlier than it has to. */
  readonly after: number;
  readonly openedAt: number;
  readonly latest: boolean;
  /** What it has been brought, by id of the frame. */
  readonly brought: Set<string>;
};

/** A present state that is being sent. */
type Snapshot = { readonly topics: ReadonlySet<string>; readonly at: number; readonly brought: Set<string> };

type Seen = {
  readonly id: string;
  readonly taskId: string;
  readonly seq: number;
  readonly facet: Facet;
  readonly at: number;
};

type Told = FrameOf<"task_progress"> | FrameOf<"task_status">;

/**
 * Watches one connection and holds it to what the protocol promises, by nothing but the frames that were written,
 * what the client asked for, and the fold of the whole log.
 */
export class Witness {
  readonly #truth: Truth;
  readonly #about: Circumstances;
  readonly #lines: Line[] = [];
  readonly #asked = new Map<string, Asked>();
  readonly #held = new Map<string, Window>();
  readonly #announced = new Set<string>();
  readonly #seen: Seen[] = [];
  readonly #frames = new Map<string, Told>();
  readonly #list = new Map<string, string>();
  /** Whose list this client had when it came back. */
  #former: Witness | undefined;
  /** Whether the list has what a whole history told of: tasks too that left before it was asked for. */
  #hasHistory = false;
  /** Progress that snapshots told: where a pace has it wait, it may come again. */
  readonly #ahead = new Set<string>();
  #isPaced = false;
  #snapshots: Snapshot[] = [];
  #gapFor: readonly string[] | undefined;
  #replies = new Set<string>();

  constructor(truth: Truth, about: Circumstances) {
    this.#truth = truth;
    this.#about = about;
  }

  /** Notes a `subscribe` before it is sent. */
  asks(id: string, asked: Asked): void {
    this.#lines.push({ kind: "asked", id, asked });
  }

  /** Notes a frame as it is written, while the router was at `head` and the log began at `firstSeq`. */
  sees(frame: Frame, head: number, firstSeq: number): void {
    this.#lines.push({ kind: "frame", frame, head, firstSeq });
  }

  /** Notes that this client would resume from `seq` now. */
  wouldResumeFrom(seq: number): void {
    this.#lines.push({ kind: "cursor", seq });
  }

  /** Notes that the client had the list of another connection of its own. */
  comesFrom(former: Witness): void {
    this.#former = former;
  }

  /**
   * Judges all that happened; `open` while the connection still is, and everything has been quiet for a while: then
   * `isThere` says which tasks are in memory.
   */
  judge(open: boolean, isThere: (taskId: string) => boolean = () => false): void {
    if (this.#former !== undefined) {
      for (const [id, status] of this.#former.#list) this.#list.set(id, status);
      this.#hasHistory = this.#former.#hasHistory;
    }
    this.#lines.forEach((line, at) => {
      if (line.kind === "asked") this.#asked.set(line.id, line.asked);
      else if (line.kind === "frame") this.#frame(line.frame, line.head, line.firstSeq, at);
      else this.#cursor(line.seq);
    });
    if (open) this.#judgeEnd(isThere);
  }

  #frame(frame: Frame, head: number, firstSeq: number, at: number): void {
    if (this.#gapFor !== undefined) {
      assert(frame.type === "gap", `a gap follows subscribed {recovered: false}, not ${frame.type}`);
    }
    switch (frame.type) {
      case "subscribed":
        return this.#subscribed(frame, firstSeq, at);
      case "unsubscribed":
        for (const topic of this.#held.keys()) {
          if (frame.data.topics.includes(topic)) continue;
          this.#held.delete(topic);
          this.#announced.delete(topic);
          if (topic === "task:list") this.#list.clear();
        }
        return assertEquals(frame.data.topics, [...this.#held.keys()].sort());
      case "gap":
        return this.#gap(frame, head, firstSeq, at);
      case "caught_up":
        assertEquals(
          frame.data.topics,
          [...this.#announced].sort(),
          "caught_up names what was to be caught up",
        );
        this.#announced.clear();
        this.#snapshots = [];
        return this.#begun(firstSeq);
      case "task_progress":
      case "task_status":
        // A frame of a snapshot for other topics begins no history: those are read after it.
        if (this.#snapshots.length === 0) this.#begun(firstSeq);
        return this.#told(frame, at);
      case "task_list":
        return this.#listed(frame);
      case "welcome":
        return assertEquals(at, 0, "welcome comes first");
      case "pong":
      case "drain":
        return;
      case "error":
        // The log was away when it was asked about a cursor: nothing was subscribed.
        assertEquals(frame.error.code, "SERVER_ERROR");
        assert(this.#asked.has(frame.id) && !this.#replies.has(frame.id), `${frame.id} is answered once`);
        this.#replies.add(frame.id);
        return;
      case "task_history":
        throw new Error(`unexpected ${JSON.stringify(frame)}`);
    }
  }

  #begun(firstSeq: number): void {
    for (const window of this.#held.values()) {
      if (!window.begun) window.from = Math.max(window.from, firstSeq - 1);
      window.begun = true;
    }
  }

  #subscribed(frame: FrameOf<"subscribed">, firstSeq: number, at: number): void {
    const asked = this.#asked.get(frame.id);
    assert(asked !== undefined && !this.#replies.has(frame.id), `${frame.id} was asked and is answered once`);
    this.#replies.add(frame.id);
    if (asked.hz !== undefined) this.#isPaced = true;
    const { seq, recovered, replay } = frame.data;
    const added = [...new Set(asked.topics)].filter((topic) => !this.#held.has(topic));
    const begins = added.length > 0;
    assertEquals(recovered !== undefined, begins && asked.since !== undefined, "recovered answers since");
    const mode = begins && asked.since === undefined ? asked.replay ?? "latest" : undefined;
    assertEquals(replay?.mode, mode, "where nothing begins, nothing is said of it");
    const latest = replay?.mode === "latest";
    if (added.includes("task:list")) {
      if (recovered === undefined) this.#list.clear();
      this.#hasHistory = replay?.mode === "all";
    }
    const from = recovered !== undefined ? asked.since ?? 0 : replay?.mode === "all" ? firstSeq - 1 : seq;
    const after = replay?.mode === "all" ? 0 : from;
    for (const topic of added) {
      this.#held.set(topic, {
        topic,
        from,
        after,
        openedAt: at,
        latest,
        begun: replay?.mode !== "all",
        brought: new Set(),
      });
      if (replay?.mode !== "none") this.#announced.add(topic);
    }
    assertEquals(frame.data.topics, [...this.#held.keys()].sort(), "subscribed names all that is held");
    if (latest && added.length > 0) {
      this.#snapshots.push({ topics: new Set(added), at: seq, brought: new Set() });
    }
    if (recovered === false && added.length > 0) this.#gapFor = added;
  }

  #gap(frame: FrameOf<"gap">, head: number, firstSeq: number, at: number): void {
    const { topics, missed_from, missed_to } = frame.data;
    assert(missed_from <= missed_to);
    if (missed_to < firstSeq) {
      assertEquals(topics, this.#gapFor === undefined ? [...this.#held.keys()].sort() : this.#gapFor);
      if (this.#gapFor === undefined) this.#snapshots = [];
    } else {
      const { evicts, forgets } = this.#about;
      const what = `what the log has is a gap only to the list: ${JSON.stringify(frame)}`;
      assert((evicts || forgets) && topics.join() === "task:list" && this.#held.has("task:list"), what);
      this.#snapshots = this.#snapshots.map((one) => ({
        ...one,
        topics: new Set([...one.topics].filter((topic) => topic !== "task:list")),
      }));
    }
    if (topics.includes("task:list")) {
      this.#list.clear();
      this.#hasHistory = false;
    }
    this.#gapFor = undefined;
    this.#snapshots.push({ topics: new Set(topics), at: head, brought: new Set() });
    for (const topic of topics) {
      this.#held.set(topic, {
        topic,
        from: head,
        after: head,
        openedAt: at,
        latest: true,
        begun: true,
        brought: new Set(),
      });
      this.#announced.add(topic);
    }
  }

  #told(frame: Told, at: number): void {
    const facet: Facet = frame.type === "task_progress" ? "progress" : "status";
    const taskId = frame.data.task_id;
    const seq = Number(/^(?:progress|status)_(\d+)$/.exec(frame.id)?.[1]);
    assert(Number.isSafeInteger(seq), `${frame.id} names a position`);
    const delivery = this.#truth.told.get(seq);
    const task = this.#truth.tasks.get(taskId);
    assert(task !== undefined, `task ${taskId} exists`);
    const truly = delivery?.taskId === taskId && delivery[facet] !== undefined;
    const tags = truly && !this.#about.pagesFromLog ? delivery.tags : [...task.tags];
    const topics = topicsOf(facet, taskId, tags);
    this.#seen.push({ id: frame.id, taskId, seq, facet, at });
    this.#frames.set(frame.id, frame);
    const windows = topics.flatMap((topic) => this.#held.get(topic) ?? []).filter(({ after }) => after < seq);
    const fresh = windows.filter(({ brought }) => !brought.has(frame.id));
    const snapshots = this.#snapshots.filter((one) =>
      one.at >= seq && !one.brought.has(frame.id) &&
      topicsOf(facet, taskId, [...task.tags]).some((topic) => one.topics.has(topic))
    );
    const what = `${frame.id} of ${taskId}`;
    const again = this.#isPaced && this.#ahead.delete(frame.id);
    if (facet === "progress" && snapshots.length > 0) this.#ahead.add(frame.id);
    if (fresh.length > 0) {
      for (const { brought } of fresh) brought.add(frame.id);
      if (truly && !this.#about.pagesFromLog && snapshots.length === 0) {
        const told = new TextEncoder().encode(JSON.stringify(delivery[facet]?.frame));
        const isSeeds = facet === "progress" && this.#about.inSeedTypes === true;
        const said = new TextDecoder().decode(isSeeds ? inSeedTypes(told) : told);
        assertEquals(frame, JSON.parse(said), `${what} is told as it was`);
      }
    } else if (!again || windows.length === 0) {
      assert(windows.length === 0 || snapshots.length > 0, `${what} is told twice`);
      const snapshot = snapshots[0];
      assert(snapshot !== undefined, `${what} is of a topic that is not held, or before its cursor`);
      snapshot.brought.add(frame.id);
    }
    // A snapshot may name its frames after an event that only told more than that; so may what was folded from the log.
    if (!truly) {
      const renewed = frame.type === "task_progress" && frame.data.progress.attempt > 1;
      const reasoned = this.#truth.kinds.get(seq) === "cancel_requested";
      const known = task.repeated.size > 0 || snapshots.length > 0 || renewed || reasoned;
      assert(this.#about.pagesFromLog && known, `${what} tells of nothing that happened`);
    }
  }

  #listed(frame: FrameOf<"task_list">): void {
    assert(this.#held.has("task:list"), "task_list comes to those who hold task:list");
    assert("removed" in frame.data);
    for (const { task_id, status } of frame.data.tasks) this.#list.set(task_id, status);
    for (const id of frame.data.removed) this.#list.delete(id);
  }

  /** A client that resumed there would miss nothing. */
  #cursor(seq: number): void {
    for (const window of this.#held.values()) {
      if (this.#announced.has(window.topic)) continue;
      for (const delivery of this.#required(window)) {
        if (delivery.seq > seq) continue;
        if (delivery.status !== undefined && matches(window, "status", delivery)) {
          assert(
            this.#sawSince(window, `status_${delivery.seq}`),
            `resuming from ${seq} loses status_${delivery.seq}`,
          );
        }
        if (delivery.progress === undefined || !matches(window, "progress", delivery)) continue;
        if (this.#isForgotten(delivery.taskId)) continue;
        const newer = this.#truth.tasks.get(delivery.taskId)?.told.some((one) =>
          one.seq > delivery.seq && one.progress !== undefined &&
          (one.seq > seq || matches(window, "progress", one))
        );
        assert(
          newer === true || this.#sawProgressSince(window, delivery),
          `resuming from ${seq} loses progress_${delivery.seq}`,
        );
      }
    }
  }

  #sawSince(window: Window, id: string): boolean {
    return this.#seen.some((seen) => seen.id === id && seen.at > window.openedAt);
  }

  /** Whether these counters came, or newer ones: from the log an event may tell its counters that did not change them. */
  #sawProgressSince(window: Window, { taskId, seq }: Delivery): boolean {
    return this.#seen.some((seen) =>
      seen.taskId === taskId && seen.facet === "progress" && seen.seq >= seq && seen.at > window.openedAt
    );
  }

  /** What `window` has to bring. */
  #required(window: Window): Delivery[] {
    return [...this.#truth.told.values()].filter(({ seq, taskId }) =>
      seq > window.from && this.#remembers(window, taskId)
    );
  }

  #judgeEnd(isThere: (taskId: string) => boolean): void {
    assertEquals([...this.#announced], [], "every replay is over");
    for (const window of this.#held.values()) {
      this.#judgeStatus(window);
      this.#judgeProgress(window);
      this.#judgeSnapshot(window);
    }
    this.#judgeLastProgress();
    this.#judgeList(isThere);
    if (!this.#held.has("task:list") || this.#hasHistory) return;
    const gone = [...this.#list.keys()].filter((id) => !isThere(id));
    assertEquals(gone, [], "the list has nothing that left memory");
  }

  /** Every status change, once (as was seen to on the way) and in order. */
  #judgeStatus(window: Window): void {
    const due = this.#required(window).filter((one) =>
      one.status !== undefined && matches(window, "status", one)
    );
    let next = 0;
    for (const { id, at } of this.#seen) {
      if (at > window.openedAt && id === `status_${due[next]?.seq}`) next++;
    }
    const missing = due[next];
    assert(
      missing === undefined,
      `${window.topic} from ${window.from} was not brought status_${missing?.seq} in its turn`,
    );
    for (const { taskId } of due) {
      const newest = this.#truth.newest(taskId, "status");
      const seen = this.#seen.filter((one) => one.taskId === taskId && one.facet === "status");
      const last = this.#frames.get(`status_${Math.max(...seen.map(({ seq }) => seq))}`);
      if (!matchesNow(window, "status", taskId, this.#truth)) continue;
      if (this.#isForgotten(taskId)) continue;
      assert(last?.type === "task_status");
      assertEquals(last.data.status, newest?.status?.frame.data.status, `the last status of ${taskId}`);
    }
  }

  /** Whether it can still be known that `window` is of this task. */
  #remembers(window: Window, taskId: string): boolean {
    if (!this.#about.forgets || !window.topic.startsWith("task:tag:")) return true;
    const tags = this.#truth.tasks.get(taskId)?.told.map((one) => one.tags.join()) ?? [];
    return new Set(tags).size < 2;
  }

  /**
   * Whether nothing in the log shows that counters changed here: a second end without any takes those of the first away.
   */
  #isUnseen({ taskId, seq, terminal }: Delivery): boolean {
    const kind = this.#truth.kinds.get(seq);
    const repeated = this.#truth.tasks.get(taskId)?.repeated;
    return this.#about.pagesFromLog && terminal && kind !== undefined && repeated?.has(kind) === true;
  }

  /** Whether what made the task may be known nowhere any more: a straggler hid it from the log's last of each kind. */
  #isForgotten(taskId: string): boolean {
    const { evicts, forgets, restarts } = this.#about;
    return (evicts || forgets || restarts) && this.#truth.tasks.get(taskId)?.straggled === true;
  }

  #judgeProgress(window: Window): void {
    for (const taskId of this.#truth.tasks.keys()) {
      if (!this.#remembers(window, taskId) || this.#isForgotten(taskId)) continue;
      const newest = this.#truth.newest(taskId, "progress");
      if (newest !== undefined && this.#isUnseen(newest)) continue;
      if (newest === undefined || newest.seq <= window.from || !matches(window, "progress", newest)) continue;
      assert(
        this.#sawProgressSince(window, newest),
        `${window.topic} from ${window.from} was not brought progress_${newest.seq}, the newest of ${taskId}`,
      );
    }
  }

  /** What the present state had, and nothing has changed since. */
  #judgeSnapshot(window: Window): void {
    if (!window.latest) return;
    const named = window.topic.startsWith("task:id:");
    for (const taskId of this.#truth.tasks.keys()) {
      if (this.#isForgotten(taskId)) continue;
      if (!named && this.#truth.endedWithin(taskId, window.from, Infinity)) continue;
      for (const facet of ["progress", "status"] as const) {
        const newest = this.#truth.newest(taskId, facet);
        if (
          newest === undefined || newest.seq > window.from || !matchesNow(window, facet, taskId, this.#truth)
        ) continue;
        const seen = this.#seen.some((one) =>
          one.taskId === taskId && one.facet === facet && one.at > window.openedAt
        );
        assert(seen, `the snapshot of ${window.topic} at ${window.from} has no ${facet} of ${taskId}`);
      }
    }
  }

  /** Before each end of a task its last progress was seen. */
  #judgeLastProgress(): void {
    for (const end of this.#truth.told.values()) {
      if (!end.terminal) continue;
      const status = this.#open("status", end);
      const progress = this.#truth.newest(end.taskId, "progress", end.seq);
      if (status === undefined || progress === undefined) continue;
      const counters = this.#open("progress", progress);
      if (counters === undefined || progress.seq <= status.from || this.#isUnseen(progress)) continue;
      if (status.openedAt > counters.openedAt) continue;
      const seen = this.#seen.findLast((one) =>
        one.id === `status_${end.seq}` && one.at > Math.max(status.openedAt, counters.openedAt)
      );
      if (seen === undefined) continue; // it was told before these counters were asked for
      const before = this.#seen.find((one) =>
        one.taskId === end.taskId && one.facet === "progress" && one.at > counters.openedAt &&
        one.seq >= progress.seq && one.seq <= end.seq
      );
      assert(
        before !== undefined && before.at <= seen.at,
        `progress_${progress.seq} comes before status_${end.seq}`,
      );
    }
  }

  /** A window that has to bring this half of `delivery`. */
  #open(facet: Facet, delivery: Delivery): Window | undefined {
    return topicsOf(facet, delivery.taskId, delivery.tags).flatMap((topic) => this.#held.get(topic) ?? [])
      .find(({ from }) => from < delivery.seq);
  }

  /** The list as a client keeps it. */
  #judgeList(isThere: (taskId: string) => boolean): void {
    const window = this.#held.get("task:list");
    if (window === undefined) return;
    for (const [taskId, task] of this.#truth.tasks) {
      if (this.#about.evicts && this.#truth.hasEnded(taskId)) continue;
      const newest = this.#truth.newest(taskId, "status");
      if (newest === undefined || this.#isForgotten(taskId) || !isThere(taskId)) continue;
      if (
        newest.seq <= window.from &&
        (!window.latest || this.#truth.endedWithin(taskId, window.from, Infinity))
      ) continue;
      assertEquals(
        this.#list.get(task.id),
        newest.status?.frame.data.status,
        `the list has ${taskId} as it is`,
      );
    }
  }
}

function matches(window: Window, facet: Facet, { taskId, tags }: Delivery): boolean {
  return topicsOf(facet, taskId, tags).includes(window.topic);
}

/** Whether `window` is of this task by the tags it has carried all along. */
function matchesNow(window: Window, facet: Facet, taskId: string, truth: Truth): boolean {
  const tags = truth.tasks.get(taskId)?.told.map((one) => one.tags) ?? [];
  return tags.every((had) => topicsOf(facet, taskId, had).includes(window.topic));
}
