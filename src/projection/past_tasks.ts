import { channelSubject } from "../channel/channel_subject.ts";
import type { Namespaces } from "../channel/namespaces.ts";
import type { ChannelUpdate } from "../channel/channel_update.ts";
import type { EventLog, Page, PageQuery } from "../log/event_log.ts";
import { isChannel, parseTopic } from "../protocol/topics.ts";
import { eventSubject, namesIn, parseRecord } from "../task/worker_event.ts";
import { isStraggler, type Past, pastAfter } from "./past.ts";
import { lastValue, lastValues } from "./past_values.ts";
import { Turns } from "./turns.ts";
import type { Whereabouts } from "./whereabouts.ts";
import { Whose } from "./whose.ts";

/** Most reads of the log at once. */
const READS_AT_ONCE = 16;
/** Channels whose last values are read at once. */
const CHANNELS_AT_ONCE = 4;
/** Positions of several tasks that are read together. */
const POSITIONS_AT_ONCE = 1_024;
/** A task's whole history is read by so many records. */
const PAGE_RECORDS = 1_000;
/** Bodies held at once by one read of several tasks. */
const PAGE_BYTES = 4_194_304;

/** Some tasks whose deciding events are read together. */
type Group = { readonly ats: Map<string, number>; readonly owners: Map<number, string> };

/** Reads tasks as they were from the log alone, by what is known of where their events lie. */
export class PastTasks {
  readonly #log: EventLog;
  readonly #whereabouts: () => Whereabouts;
  /** Channels whose last values are being read. */
  readonly #lasts = new Map<string, Promise<readonly ChannelUpdate[]>>();
  readonly #turns = new Turns(CHANNELS_AT_ONCE);

  constructor(log: EventLog, whereabouts: () => Whereabouts) {
    this.#log = log;
    this.#whereabouts = whereabouts;
  }

  /** A page of one task's records; rejects as `EventLog.read` does. */
  async page(taskId: string, page: Pick<PageQuery, "after" | "upTo" | "limit" | "maxBytes">): Promise<Page> {
    if (isChannel(taskId)) return await this.#channelPage(taskId, page);
    const positions = this.#whereabouts().of(taskId, page.after);
    const query = { ...page, subject: `task.${taskId}.>` };
    return await this.#log.read(positions === undefined ? query : { ...query, positions });
  }

  /** A page of those of a task's records that say what it is; rejects as `EventLog.read` does. */
  async createdPage(
    taskId: string,
    page: Pick<PageQuery, "after" | "upTo" | "limit" | "maxBytes">,
  ): Promise<Page> {
    const positions = this.#whereabouts().of(taskId, page.after, "created");
    const query = { ...page, subject: eventSubject(taskId, "created") };
    return await this.#log.read(positions === undefined ? query : { ...query, positions });
  }

  /** Whose tasks were at each position, by every one of their `created` that the log has up to `upTo`. */
  async whose(ids: Iterable<string>, upTo: number): Promise<ReadonlyMap<string, Whose>> {
    const all = new Map([...ids].map((id) => [id, new Whose(id)]));
    await inTurns([...all].map(([id, whose]) => async () => {
      for (let after = 0; after < upTo;) {
        const bounds = { after, upTo, limit: PAGE_RECORDS, maxBytes: PAGE_BYTES };
        const { entries, through } = await this.createdPage(id, bounds);
        for (const entry of entries) {
          const parsed = parseRecord(entry);
          if ("event" in parsed && parsed.event.kind === "created") whose.add(parsed.event);
        }
        if (through <= after) break;
        after = through;
      }
    }));
    return all;
  }

  /** A channel's values with keys and its one without lie under different subjects. */
  async #channelPage(
    topic: string,
    page: Pick<PageQuery, "after" | "upTo" | "limit" | "maxBytes">,
  ): Promise<Page> {
    const subject = channelSubject({ topic, key: "" });
    const [keyed, single] = await Promise.all([
      this.#log.read({ ...page, subject: `${subject}.>` }),
      this.#log.read({ ...page, subject }),
    ]);
    const through = Math.min(keyed.through, single.through);
    const entries = [...keyed.entries, ...single.entries].filter(({ seq }) => seq <= through);
    return { entries: entries.sort((a, b) => a.seq - b.seq), through };
  }

  /** The last value of each key of a channel, as the log has it now; read once for all who ask while it was followed to `head`. */
  async lastsOf(
    topic: string,
    { namespaces, head }: { readonly namespaces: Namespaces; readonly head: number },
  ): Promise<readonly ChannelUpdate[]> {
    // Who comes later needs what is newer by then.
    const name = `${topic} ${head} ${namespaces.generation}`;
    const known = this.#lasts.get(name);
    if (known !== undefined) return await known;
    const read = this.#turns.run(() => lastValues(this.#log, topic, namespaces))
      .finally(() => this.#lasts.delete(name));
    this.#lasts.set(name, read);
    return await read;
  }

  /** Whether anybody may ask for a channel's last values: not where there is no such namespace, of which there may be much. */
  isAsked(topic: string, namespaces: Namespaces): boolean {
    const parsed = parseTopic(topic);
    return parsed?.kind === "channel" && namespaces.has(parsed) && namespaces.isRetained(topic);
  }

  /** The last value under one subject of a channel, up to a position; none where there is none. */
  async lastOf(
    subject: string,
    about: { readonly namespaces: Namespaces; readonly upTo: number },
  ): Promise<readonly ChannelUpdate[]> {
    return await lastValue(this.#log, subject, about);
  }

  /**
   * A task by the last event of each kind, as the log has it now; undefined where it has none. Where the last record of a
   * kind is no event, and so hides the one before it, the whole history is read.
   */
  async now(taskId: string): Promise<Past | undefined> {
    const newest = this.#whereabouts().of(taskId, 0)?.at(-1);
    if (newest !== undefined) return (await this.at(new Map([[taskId, newest]]))).get(taskId);
    let past: Past | undefined;
    let hides = false;
    let last = 0;
    for await (const entries of this.#log.lastPerSubject(`task.${taskId}.>`)) {
      for (const entry of entries) {
        const parsed = parseRecord(entry);
        hides ||= !("event" in parsed) || (past !== undefined && isStraggler(parsed.event, past.state));
        if ("event" in parsed) past = pastAfter(past, parsed.event);
      }
      last = entries.at(-1)?.seq ?? last;
    }
    if (hides) return await this.#whole(taskId, last);
    return past && { ...past, bornSeq: 0 };
  }

  /**
   * Tasks as they were at the position given with each; those that had no event yet are left out. Where all of a task's
   * positions are known only the events that decide are read, those of many tasks together; else its whole history.
   */
  async at(ats: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, Past>> {
    const pasts = new Map<string, Past>();
    const reads: (() => Promise<void>)[] = [];
    const wholly = async (id: string, at: number): Promise<void> => {
      const past = await this.#whole(id, at);
      if (past !== undefined) pasts.set(id, past);
    };
    let group: Group = { ats: new Map(), owners: new Map() };
    for (const [id, at] of ats) {
      const positions = this.#whereabouts().deciding(id, at);
      if (positions === undefined) {
        reads.push(() => wholly(id, at));
      } else if (positions.length > 0) {
        if (group.owners.size === 0) {
          const begun = group;
          reads.push(async () => {
            for (const [other, past] of await this.#decided(begun)) {
              if (past !== undefined) pasts.set(other, past);
              else await wholly(other, begun.ats.get(other) ?? 0);
            }
          });
        }
        group.ats.set(id, at);
        for (const seq of positions) group.owners.set(seq, id);
        if (group.owners.size >= POSITIONS_AT_ONCE) group = { ats: new Map(), owners: new Map() };
      }
    }
    await inTurns(reads);
    return pasts;
  }

  /**
   * Tasks by the events at the positions that decide; undefined where one of those is gone, or is of no event: then others
   * decide.
   */
  async #decided({ ats, owners }: Group): Promise<ReadonlyMap<string, Past | undefined>> {
    const positions = [...owners.keys()].sort((a, b) => a - b);
    const pasts = new Map<string, Past | undefined>();
    const upTo = positions.at(-1) ?? 0;
    for (let after = (positions[0] ?? 0) - 1; after < upTo && owners.size > 0;) {
      const page = await this.#log.read({
        after,
        upTo,
        positions: positions.filter((seq) => seq > after),
        limit: positions.length,
        maxBytes: PAGE_BYTES,
      });
      for (const entry of page.entries) {
        const id = owners.get(entry.seq);
        if (id === undefined || namesIn(entry.subject)?.taskId !== id) continue;
        const parsed = parseRecord(entry);
        if ("rejected" in parsed) continue;
        owners.delete(entry.seq);
        pasts.set(id, pastAfter(pasts.get(id), parsed.event));
      }
      if (page.through <= after) break;
      after = page.through;
    }
    for (const id of owners.values()) pasts.set(id, undefined);
    return new Map([...ats.keys()].map((id) => [id, pasts.get(id)]));
  }

  /** A task as it was at `at` by its whole history. */
  async #whole(taskId: string, at: number): Promise<Past | undefined> {
    const whereabouts = this.#whereabouts();
    const newest = whereabouts.of(taskId, 0)?.at(-1);
    const held = new Set<number>();
    let past: Past | undefined;
    for (let after = 0; after < at;) {
      const page = await this.page(taskId, { after, upTo: at, limit: PAGE_RECORDS, maxBytes: PAGE_BYTES });
      for (const entry of page.entries) {
        const parsed = parseRecord(entry);
        if ("rejected" in parsed) continue;
        held.add(entry.seq);
        past = pastAfter(past, parsed.event);
      }
      if (page.through <= after) break;
      after = page.through;
    }
    if (newest !== undefined) whereabouts.correct(taskId, Math.min(newest, at), held);
    return past;
  }
}

/** Does all of `deeds`, a few at once; rejects with the first rejection, when none is under way any more. */
async function inTurns(deeds: readonly (() => Promise<void>)[]): Promise<void> {
  const waiting = deeds.values();
  const turns = Array.from({ length: Math.min(READS_AT_ONCE, deeds.length) }, async () => {
    for (const deed of waiting) await deed();
  });
  const failed = (await Promise.allSettled(turns)).find((turn) => turn.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
