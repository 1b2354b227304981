import type { Payload } from "../protocol/codec.ts";
import type { ServerData } from "../protocol/server_frames.ts";
import type { ReplayPage } from "../projection/history.ts";
import type { Held } from "../projection/interest.ts";
import type { Removals, Told } from "../projection/removals.ts";
import { isFor, payloadOfSnapshot, type SnapshotFrame } from "../router/snapshot.ts";

/** What a subscription starts with. */
export type Start =
  | { readonly kind: "none" }
  | { readonly kind: "latest" }
  /** The whole retained history; `from` is the position before its first record. */
  | { readonly kind: "all"; readonly epoch: string; readonly from: number; readonly truncated: boolean }
  /** Everything after a cursor that the log still has. */
  | { readonly kind: "since"; readonly epoch: string; readonly seq: number }
  /** A cursor that the log has not: the client is told, and gets the present state. */
  | { readonly kind: "gap"; readonly gap: Gap };

/** Positions that a client will never see, and why. */
export type Gap = Pick<ServerData["gap"], "missed_from" | "missed_to" | "reason">;

/**
 * A snapshot that is being sent: the present state, as of `at`, of what `topics` match. `asked` are those it was begun
 * with, by whose identity it is known: some of them may not be held any more.
 */
export type Walk = {
  readonly asked: readonly string[];
  readonly topics: readonly string[];
  readonly at: number;
};

/**
 * What a connection is served, and how far it has been. A connection is a cursor on the log: everything that its
 * topics held at `cursor` match has been written to it. A late joiner, a returning client and a slow reader are one
 * case, `behind`: they read snapshots and pages at the pace of their socket until they reach the head and go live.
 */
export type Flow =
  | { readonly kind: "quiet" }
  | { readonly kind: "live"; readonly held: Held }
  | {
    readonly kind: "behind";
    readonly held: Held;
    readonly cursor: number;
    readonly walks: readonly Walk[];
    /** Topics whose history was asked for whole: nothing of it is merged. */
    readonly whole: ReadonlySet<string>;
    /** Those of `whole` of which nothing was read yet. */
    readonly unread: ReadonlySet<string>;
    /** Topics whose replay is to be reported over by `caught_up`. */
    readonly announce: readonly string[];
    /** How far it was told of tasks that left `task:list`. */
    readonly told: Told;
    /** Up to here there is nothing after `cursor` but progress that the connection's pace has wait. */
    readonly waitsTo?: number;
  };

/**
 * Where the log and the connection stand when an input is decided; `cursor` is meaningful while live, and so is `waits`:
 * there is nothing after it but progress that the connection's pace has wait. `told` is how far it was told of `removals`.
 */
export type Position = {
  readonly epoch: string;
  readonly head: number;
  readonly cursor: number;
  readonly waits?: boolean;
  readonly told: Told;
  readonly removals: Pick<Removals, "count" | "covers" | "toldBy">;
};

/** What happens to a flow. */
export type FlowInput =
  | {
    readonly kind: "subscribe";
    readonly requestId: string;
    readonly topics: readonly string[];
    readonly start: Start;
  }
  | { readonly kind: "unsubscribe"; readonly requestId: string; readonly topics: readonly string[] }
  /** The page that was asked for; one that is not wanted any more is ignored. */
  | { readonly kind: "page"; readonly wanted: Wanted; readonly page: ReplayPage }
  /** A chunk of a snapshot. */
  | {
    readonly kind: "walked";
    readonly walk: Walk;
    readonly frames: readonly SnapshotFrame[];
    readonly done: boolean;
  }
  /** The socket did not drain: the audience let the connection go, served up to `cursor`. */
  | { readonly kind: "lagged"; readonly cursor: number }
  /** The projection was built anew: positions before `head` are out of reach, or of another epoch. */
  | { readonly kind: "rebuilt"; readonly reason: Gap["reason"]; readonly served: number };

/**
 * Which page is to be read: what follows `after`, up to `upTo`, which is as far as those who are live were handed
 * events. `tasks` are those that what is being caught up on is limited to; absent when it is not.
 */
export type Wanted = {
  readonly after: number;
  readonly upTo: number;
  readonly tasks?: ReadonlySet<string>;
};

/** What the connection is to do. */
export type FlowEffect =
  | {
    readonly kind: "tell";
    readonly type: "subscribed" | "unsubscribed";
    readonly requestId: string;
    readonly data: ServerData["subscribed"];
  }
  | { readonly kind: "gap"; readonly data: ServerData["gap"] }
  | { readonly kind: "caughtUp"; readonly data: ServerData["caught_up"] }
  | { readonly kind: "leave" }
  | { readonly kind: "join"; readonly held: Held; readonly cursor: number }
  | { readonly kind: "readPage"; readonly wanted: Wanted; readonly held: Held }
  | { readonly kind: "walk"; readonly walk: Walk }
  | {
    readonly kind: "deliver";
    readonly page: ReplayPage;
    readonly held: Held;
    readonly whole: ReadonlySet<string>;
    /** The tasks to tell of that left `task:list` within the page; absent where there are none. */
    readonly removed?: { readonly told: Told; readonly until: number };
  }
  /** Tasks that left `task:list` after this are to be told of. */
  | { readonly kind: "removed"; readonly told: Told }
  | { readonly kind: "write"; readonly payloads: readonly Payload[] };

type Behind = Extract<Flow, { kind: "behind" }>;
type Decision = [Flow, readonly FlowEffect[]];

const NONE: ReadonlySet<string> = new Set();
const LIST = "task:list";

/** The topics held, sorted. */
export function heldTopics(flow: Flow): string[] {
  return flow.kind === "quiet" ? [] : [...flow.held.keys()].sort();
}

/**
 * The position from which this client could resume without losing anything, or undefined while a snapshot is under
 * way, which no position stands for.
 */
export function safeCursor(flow: Flow, position: Position): number | undefined {
  switch (flow.kind) {
    case "quiet":
      return position.head;
    case "live":
      return position.cursor;
    case "behind":
      return flow.walks.length > 0 ? undefined : flow.cursor;
  }
}

/** What a connection does next. Pure: it performs nothing. */
export function stepFlow(flow: Flow, input: FlowInput, position: Position): Decision {
  switch (input.kind) {
    case "subscribe":
      return subscribe(flow, input, position);
    case "unsubscribe":
      return unsubscribe(flow, input, position);
    case "page":
      return flow.kind === "behind" ? paged(flow, input, position) : [flow, []];
    case "walked":
      return flow.kind === "behind" ? walked(flow, input, position) : [flow, []];
    case "lagged":
      return flow.kind === "live" ? lagged(flow.held, input.cursor, position) : [flow, []];
    case "rebuilt":
      return flow.kind === "quiet" ? [flow, []] : rebuilt(flow, input, position);
  }
}

function behind(held: Held, cursor: number, { head, waits, told }: Position): Behind {
  const waiting = waits === true ? { waitsTo: head } : {};
  return {
    kind: "behind",
    held,
    cursor,
    walks: [],
    whole: NONE,
    unread: NONE,
    announce: [],
    told,
    ...waiting,
  };
}

function lagged(held: Held, cursor: number, position: Position): Decision {
  return proceed(behind(held, cursor, { ...position, told: { at: cursor, count: 0 } }), position);
}

/** The flow as if it were behind, which every flow can be seen as; and what leaving the live state takes. */
function settled(flow: Flow, position: Position): [Behind, readonly FlowEffect[]] {
  switch (flow.kind) {
    case "quiet":
      return [behind(new Map(), position.head, position), []];
    case "live":
      return [behind(flow.held, position.cursor, position), [{ kind: "leave" }]];
    case "behind":
      return [flow, []];
  }
}

function subscribe(
  flow: Flow,
  input: Extract<FlowInput, { kind: "subscribe" }>,
  position: Position,
): Decision {
  const start = ofThisEpoch(input.start, position);
  const already = flow.kind === "quiet" ? new Map<string, number>() : flow.held;
  const added = input.topics.filter((topic) => !already.has(topic));
  const tell: FlowEffect = {
    kind: "tell",
    type: "subscribed",
    requestId: input.requestId,
    data: {
      topics: [...new Set([...already.keys(), ...added])].sort(),
      epoch: position.epoch,
      seq: position.head,
      ...(added.length === 0 ? {} : begunBy(start, added, position)),
    },
  };
  if (added.length === 0) return [flow, [tell]];
  const [from, leaving] = settled(flow, position);
  const since = startOf(start, position);
  const held = new Map(from.held);
  for (const [topic, served] of held) held.set(topic, Math.max(served, from.cursor));
  for (const topic of added) held.set(topic, since);
  const walks = start.kind === "latest" || start.kind === "gap"
    ? [...from.walks, { asked: added, topics: added, at: position.head }]
    : from.walks;
  const cursor = from.held.size === 0 ? since : Math.min(from.cursor, since);
  const next: Behind = {
    kind: "behind",
    held,
    cursor,
    walks,
    whole: start.kind === "all" ? new Set([...from.whole, ...added]) : from.whole,
    unread: start.kind === "all" ? new Set([...from.unread, ...added]) : from.unread,
    announce: start.kind === "none" ? from.announce : [...from.announce, ...added],
    told: added.includes(LIST) ? toldAt(start, position) : from.told,
    ...(since < position.head ? {} : waitingOf(from)),
  };
  const gap: FlowEffect[] = start.kind === "gap" ? [gapEffect(added, start.gap, position)] : [];
  const [after, effects] = proceed(next, position);
  return [after, [...leaving, tell, ...gap, ...effects]];
}

function waitingOf({ waitsTo }: Behind): Pick<Behind, "waitsTo"> {
  return waitsTo === undefined ? {} : { waitsTo };
}

/** The log may have become another one while it was asked about the cursor. */
function ofThisEpoch(start: Start, { epoch, head }: Position): Start {
  if (start.kind === "all" && start.epoch !== epoch) return { ...start, epoch, from: 0, truncated: false };
  if (start.kind !== "since" || start.epoch === epoch) return start;
  return { kind: "gap", gap: { missed_from: 1, missed_to: head, reason: "epoch" } };
}

/** How far who starts like this was told of removals, whether or not those after it are remembered. */
function toldAt(start: Start, { head, removals }: Position): Told {
  if (start.kind === "since") return removals.toldBy(start.seq);
  const told = { at: start.kind === "all" ? start.from : Infinity, count: 0 };
  return told.at < head && removals.covers(told) ? told : { at: head, count: removals.count };
}

function startOf(start: Start, position: Position): number {
  switch (start.kind) {
    case "none":
    case "latest":
    case "gap":
      return position.head;
    case "all":
      return start.from;
    case "since":
      return start.seq;
  }
}

/** What is said of how serving begins; nothing where nothing begins, because all of it is held already. */
function begunBy(
  start: Start,
  added: readonly string[],
  position: Position,
): Pick<ServerData["subscribed"], "replay" | "recovered"> {
  switch (start.kind) {
    case "none":
    case "latest":
      return { replay: { mode: start.kind, truncated: false } };
    case "all":
      return { replay: { mode: "all", truncated: start.truncated } };
    case "since":
      return { recovered: !added.includes(LIST) || position.removals.covers(toldAt(start, position)) };
    case "gap":
      return { recovered: false };
  }
}

function unsubscribe(
  flow: Flow,
  input: Extract<FlowInput, { kind: "unsubscribe" }>,
  position: Position,
): Decision {
  const gone = new Set(input.topics);
  const left = heldTopics(flow).filter((topic) => !gone.has(topic));
  const tell: FlowEffect = {
    kind: "tell",
    type: "unsubscribed",
    requestId: input.requestId,
    data: { topics: left, epoch: position.epoch, seq: position.head },
  };
  if (flow.kind === "quiet" || left.length === flow.held.size) return [flow, [tell]];
  const [from, leaving] = settled(flow, position);
  if (left.length === 0) return [{ kind: "quiet" }, [...leaving, tell]];
  const held = new Map([...from.held].filter(([topic]) => !gone.has(topic)));
  // What was still to be read for those that went may be passed over.
  const oldest = [...held.values()].reduce((least, since) => Math.min(least, since));
  const next: Behind = {
    kind: "behind",
    held,
    cursor: Math.max(from.cursor, oldest),
    walks: from.walks.flatMap((walk) => {
      const topics = walk.topics.filter((topic) => !gone.has(topic));
      return topics.length === 0 ? [] : [{ ...walk, topics }];
    }),
    whole: new Set([...from.whole].filter((topic) => !gone.has(topic))),
    unread: new Set([...from.unread].filter((topic) => !gone.has(topic))),
    announce: from.announce.filter((topic) => !gone.has(topic)),
    told: from.told,
    ...waitingOf(from),
  };
  const [after, effects] = proceed(next, position);
  return [after, [...leaving, tell, ...effects]];
}

function paged(flow: Behind, input: Extract<FlowInput, { kind: "page" }>, position: Position): Decision {
  const { page, wanted } = input;
  if (wanted.after !== flow.cursor || !isCovered(flow, wanted)) return [flow, []];
  // What it passed over, these topics may want.
  if (page.passedFor !== undefined && page.passedFor !== flow.held) return proceed(flow, position);
  const { missedTo } = page;
  if (missedTo !== undefined && isMissed(flow, missedTo)) {
    const gap: Gap = { missed_from: flow.cursor + 1, missed_to: missedTo, reason: "retention" };
    return startOver(flow.held, flow.announce, gap, position);
  }
  const { held, walks, whole, announce, told } = flow;
  const cursor = Math.max(flow.cursor, page.through);
  const unread = new Set([...flow.unread].filter((topic) => (held.get(topic) ?? 0) >= cursor));
  const next: Behind = {
    kind: "behind",
    held,
    cursor,
    walks,
    whole,
    unread,
    announce,
    told: { ...told, at: cursor },
  };
  const removed = hasMissed(flow, position) ? { removed: { told, until: cursor } } : {};
  const deliver: FlowEffect = { kind: "deliver", page, held, whole, ...removed };
  const [then, effects] = proceed(next, position);
  return [then, page.block.size === 0 && removed.removed === undefined ? effects : [deliver, ...effects]];
}

/**
 * Whether any topic lacks what retention took up to `missedTo`. A history asked for whole begins where the log does: it
 * lacks nothing as long as none of it was read.
 */
function isMissed({ held, unread }: Behind, missedTo: number): boolean {
  return [...held].some(([topic, from]) => from < missedTo && !unread.has(topic));
}

function walked(flow: Behind, input: Extract<FlowInput, { kind: "walked" }>, position: Position): Decision {
  const walk = flow.walks[0];
  if (walk === undefined || walk.asked !== input.walk.asked) return [flow, []];
  const next = input.done ? { ...flow, walks: flow.walks.slice(1) } : flow;
  const topics = new Set(walk.topics);
  const frames = walk.topics.length === walk.asked.length
    ? input.frames
    : input.frames.filter((frame) => isFor(frame, topics));
  const [after, effects] = proceed(next, position);
  return [after, [{ kind: "write", payloads: frames.map(payloadOfSnapshot) }, ...effects]];
}

function rebuilt(
  flow: Exclude<Flow, { kind: "quiet" }>,
  input: Extract<FlowInput, { kind: "rebuilt" }>,
  position: Position,
): Decision {
  const served = flow.kind === "behind" ? flow.cursor : input.served;
  const gap: Gap = {
    missed_from: input.reason === "epoch" ? 1 : served + 1,
    missed_to: position.head,
    reason: input.reason,
  };
  return startOver(flow.held, heldTopics(flow), gap, position);
}

/** Tells of a gap, and begins anew with the present state of everything held. */
function startOver(
  held: Held,
  announce: readonly string[],
  gap: Gap,
  position: Position,
): Decision {
  const topics = [...held.keys()].sort();
  const next: Behind = {
    kind: "behind",
    held: new Map(topics.map((topic) => [topic, position.head])),
    cursor: position.head,
    walks: [{ asked: topics, topics, at: position.head }],
    whole: NONE,
    unread: NONE,
    announce: [...new Set([...announce, ...topics])].sort(),
    told: { at: position.head, count: position.removals.count },
  };
  const [after, effects] = proceed(next, position);
  return [after, [gapEffect(topics, gap, position), ...effects]];
}

/** Whether it holds the list, and any task left since it was told of that. */
function hasMissed({ held, told }: Behind, { removals }: Position): boolean {
  return held.has(LIST) && removals.count > told.count;
}

/** Tells that nobody remembers which tasks left the list, and begins anew with the list that there is. */
function listedAnew(flow: Behind, position: Position): Decision {
  const { head, removals } = position;
  const from = Math.max(flow.held.get(LIST) ?? 0, flow.cursor);
  const gap: Gap = { missed_from: Math.min(from + 1, head), missed_to: head, reason: "retention" };
  const held = new Map([...flow.held, [LIST, head] as const]);
  const others = flow.walks.flatMap((walk) => {
    const topics = walk.topics.filter((topic) => topic !== LIST);
    return topics.length === 0 ? [] : [{ ...walk, topics }];
  });
  const next: Behind = {
    ...flow,
    held,
    cursor: Math.max(flow.cursor, Math.min(...held.values())),
    walks: [...others, { asked: [LIST], topics: [LIST], at: head }],
    whole: new Set([...flow.whole].filter((topic) => topic !== LIST)),
    announce: [...flow.announce, LIST],
    told: { at: head, count: removals.count },
  };
  const [after, effects] = proceed(next, position);
  return [after, [gapEffect([LIST], gap, position), ...effects]];
}

function gapEffect(topics: readonly string[], gap: Gap, position: Position): FlowEffect {
  return { kind: "gap", data: { topics, ...gap, epoch: position.epoch } };
}

/** The next step of catching up: the rest of a snapshot, then pages of the log, then live. Asking twice asks once. */
function proceed(flow: Behind, position: Position): Decision {
  if (flow.held.has(LIST) && !position.removals.covers(flow.told)) return listedAnew(flow, position);
  const walk = flow.walks[0];
  if (walk !== undefined) return [flow, [{ kind: "walk", walk }]];
  if (flow.cursor < position.head && flow.waitsTo !== position.head) {
    return [flow, [{ kind: "readPage", wanted: wantedNext(flow, position.head), held: flow.held }]];
  }
  const caughtUp: FlowEffect[] = flow.announce.length === 0
    ? []
    : [{ kind: "caughtUp", data: { topics: [...new Set(flow.announce)].sort(), seq: flow.cursor } }];
  const removed: FlowEffect[] = hasMissed(flow, position) ? [{ kind: "removed", told: flow.told }] : [];
  const live: FlowEffect = { kind: "join", held: flow.held, cursor: flow.cursor };
  return [{ kind: "live", held: flow.held }, [...removed, ...caughtUp, live]];
}

/**
 * What to read next: of some tasks alone where nothing else is missing; if only up to where others begin, so far first, so
 * that the history of one task costs no walk over all of them, whatever else is held.
 */
function wantedNext(flow: Behind, head: number): Wanted {
  const after = flow.cursor;
  let next = head;
  for (const from of flow.held.values()) if (from > after && from < next) next = from;
  for (const upTo of new Set([head, next])) {
    const tasks = scopeOf(flow, upTo);
    if (tasks !== undefined) return { after, upTo, tasks };
  }
  return { after, upTo: head };
}

/** So many tasks are read by themselves in any case; and more, where the stream has so many positions for each. */
const SMALL_SCOPE = 32;
const POSITIONS_PER_TASK = 200;

/** The tasks whose records are all that is missing up to `upTo`; undefined where only the whole stream will do. */
function scopeOf(flow: Behind, upTo: number): ReadonlySet<string> | undefined {
  const tasks = new Set<string>();
  const most = Math.max(SMALL_SCOPE, (upTo - flow.cursor) / POSITIONS_PER_TASK);
  for (const [topic, from] of flow.held) {
    if (from >= upTo) continue;
    const [, kind, id] = topic.split(":");
    if (kind !== "id" || id === undefined || tasks.size >= most) return undefined;
    tasks.add(id);
  }
  return tasks.size === 0 ? undefined : tasks;
}

/** Whether a page has all that is to be read up to its end. */
function isCovered(flow: Behind, { upTo, tasks }: Wanted): boolean {
  if (tasks === undefined) return true;
  const needed = scopeOf(flow, upTo);
  return needed !== undefined && [...needed].every((id) => tasks.has(id));
}
