import type { Held } from "../projection/interest.ts";
import { isFor, payloadOfSnapshot } from "../router/snapshot.ts";
import {
  type Behind,
  type Flow,
  type FlowEffect,
  type FlowInput,
  type Gap,
  heldTopics,
  LIST,
  type Position,
} from "./flow.ts";
import { begunBy, ofThisEpoch, startOf, toldAt } from "./start.ts";
import { isCovered, wantedNext } from "./wanted.ts";

type Decision = [Flow, readonly FlowEffect[]];

const NONE: ReadonlySet<string> = new Set();

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
