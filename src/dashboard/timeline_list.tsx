import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { HistoryEvent } from "../client/client.ts";
import { why } from "./failure.ts";
import type { History } from "./history.ts";
import { count, moment, say } from "./reader.ts";
import { entriesOf, type Entry, lineOf } from "./timeline.ts";

/** What the timeline is made from. */
export type TimelineListProps = {
  readonly history: History & { readonly more: () => void };
  /** The position that is looked at; what came after it is pale. */
  readonly at: number | undefined;
  readonly onLook: (seq: number) => void;
};

/** Every event of a task in the order of the stream; each can be looked at. */
export function TimelineList({ history, at, onLook }: TimelineListProps): JSX.Element {
  const { events, hasMore, isLoading, error, more } = history;
  const entries = useMemo(() => entriesOf(events), [events]);
  return (
    <section class="timeline" aria-labelledby="timeline-title">
      <h2 id="timeline-title">
        {say("timeline")} <small>{count(events.length)}</small>
      </h2>
      {error === undefined
        ? null
        : <p class="failure" role="alert">{say("loadFailed", { why: why(error) })}</p>}
      {isLoading ? <p class="loading" role="status">{say("loading")}</p> : null}
      {!isLoading && events.length === 0 && error === undefined
        ? <p class="loading">{say("noEvents")}</p>
        : null}
      <ol>
        {entries.map((entry) => (
          <EntryLine
            key={entry.events[0].seq}
            entry={entry}
            at={at}
            onLook={onLook}
          />
        ))}
      </ol>
      {hasMore ? <button type="button" onClick={more}>{say("timelineMore")}</button> : null}
    </section>
  );
}

type EntryProps = {
  readonly entry: Entry;
  readonly at: number | undefined;
  readonly onLook: (seq: number) => void;
};

function EntryLine({ entry, at, onLook }: EntryProps): JSX.Element {
  const [first] = entry.events;
  const last = entry.events.at(-1) ?? first;
  const isAfter = at !== undefined && first.seq > at;
  if (entry.events.length === 1) {
    return (
      <li class={`${first.kind}${isAfter ? " after" : ""}`} data-kind={first.kind}>
        <EventLine event={first} at={at} onLook={onLook} />
      </li>
    );
  }
  return (
    <li class={`progress${isAfter ? " after" : ""}`} data-kind="progress">
      <details>
        <summary>
          <b>{say("timelineRun", { count: count(entry.events.length) })}</b>{" "}
          <time dateTime={last.time}>{moment(last.time)}</time> <span>{lineOf(last)}</span>
        </summary>
        <ol>
          {entry.events.map((event) => (
            <li key={event.seq} class={at !== undefined && event.seq > at ? "after" : ""}>
              <EventLine event={event} at={at} onLook={onLook} />
            </li>
          ))}
        </ol>
      </details>
    </li>
  );
}

function EventLine(
  { event, at, onLook }: {
    readonly event: HistoryEvent;
    readonly at: number | undefined;
    readonly onLook: (seq: number) => void;
  },
): JSX.Element {
  return (
    <div class="event">
      <b>{event.kind}</b>
      <time dateTime={event.time} title={event.time}>{moment(event.time)}</time>
      <button
        type="button"
        aria-pressed={at === event.seq}
        aria-label={say("timelineShow", { seq: event.seq })}
        onClick={() => onLook(event.seq)}
      >
        #{event.seq}
      </button>
      <span>{lineOf(event)}</span>
    </div>
  );
}
