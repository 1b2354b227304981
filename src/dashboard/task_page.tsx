import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Client, TaskStatusData } from "../client/client.ts";
import { Ancestors } from "./ancestors.tsx";
import { Attempts } from "./attempts.tsx";
import { CancelButton } from "./cancel_button.tsx";
import { Children } from "./children.tsx";
import { CopiedText } from "./copied_text.tsx";
import { isNotFound, why } from "./failure.ts";
import { useHistory } from "./history.ts";
import { useStore } from "./hooks.ts";
import type { LiveView } from "./live.ts";
import { usePast } from "./past.ts";
import { count, moment, say } from "./reader.ts";
import { Scrubber } from "./scrubber.tsx";
import { isUnderWay } from "./statuses.ts";
import { TaskFacts } from "./task_facts.tsx";
import { TaskLog } from "./task_log.tsx";
import { TimelineList } from "./timeline_list.tsx";

/** What the page of a task is made from. */
export type TaskPageProps = {
  readonly client: Client;
  readonly live: LiveView;
  readonly id: string;
  readonly at: number | undefined;
  readonly listHref: string;
  readonly onMove: (at: number | undefined, isDone: boolean) => void;
};

/** Everything about one task: as it is, or as it was. */
export function TaskPage({ client, live, id, at, listHref, onMove }: TaskPageProps): JSX.Element {
  const view = useStore(client.task(id));
  const history = useHistory(client, id, view.progress);
  const past = usePast(at, (seq) => client.getTask(id, { at: { seq } }));
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), [id]);

  const { task, progress } = view;
  const present = task === undefined || progress === undefined ? undefined : { ...task, progress };
  const shown = at === undefined ? present : past.at === undefined ? present : past.value;
  const positions = history.events.map(({ seq }) => seq);
  const [first] = positions;
  const parent = shown?.parent_id ?? null;
  return (
    <article class={`task${at === undefined ? "" : " past"}`} data-at={past.at}>
      <nav aria-label={say("back")} class="way">
        <a href={listHref}>‹ {say("back")}</a>
        {parent === null || parent === id
          ? null
          : <Ancestors key={parent} client={client} id={parent} at={at} below={[id]} />}
      </nav>
      <header>
        <h1 ref={heading} tabIndex={-1}>{shown?.name ?? present?.name ?? id}</h1>
        <code>{id}</code>
        {present !== undefined && isUnderWay(present.status) && present.status !== "cancelling"
          ? <CancelButton client={client} id={id} />
          : null}
      </header>
      {view.isStale && present !== undefined ? <p class="stale" role="status">{say("stale")}</p> : null}
      {first === undefined || live.head === 0
        ? null
        : <Scrubber first={first} last={live.head} at={at} positions={positions} onMove={onMove} />}
      <TaskState
        id={id}
        task={shown}
        at={at}
        time={upTo(history.events, at).at(-1)?.time}
        error={at === undefined ? view.error : past.error}
        isLoading={view.isStale}
        nowMs={live.nowMs}
      />
      {at !== undefined && past.value?.at?.truncated === true
        ? <p class="stale" role="status">{say("truncated")}</p>
        : null}
      <Attempts events={upTo(history.events, at)} />
      <Children client={client} id={id} at={at} nowMs={live.nowMs} />
      <TaskLog client={client} id={id} at={at} />
      <TimelineList history={history} at={at} onLook={(seq) => onMove(seq, true)} />
      {shown === undefined ? null : (
        <details class="raw">
          <summary>{say("raw")}</summary>
          <CopiedText text={JSON.stringify(shown, null, 2)} label={say("raw")} />
        </details>
      )}
    </article>
  );
}

function upTo<T extends { readonly seq: number }>(
  events: readonly T[],
  at: number | undefined,
): readonly T[] {
  return at === undefined ? events : events.filter(({ seq }) => seq <= at);
}

/** The task itself, or why there is none to show. */
function TaskState(
  { id, task, at, time, error, isLoading, nowMs }: {
    readonly id: string;
    readonly task: TaskStatusData | undefined;
    readonly at: number | undefined;
    /** Of the last event up to there, where it was read. */
    readonly time: string | undefined;
    readonly error: unknown;
    readonly isLoading: boolean;
    readonly nowMs: number;
  },
): JSX.Element {
  if (error !== undefined && at !== undefined && isNotFound(error)) {
    return <p class="loading" role="status">{say("notYet")}</p>;
  }
  if (error !== undefined) {
    return <p class="failure" role="alert">{say("loadFailed", { why: why(error) })}</p>;
  }
  if (task !== undefined) {
    return (
      <>
        {at === undefined ? null : (
          <p class="then" role="status">
            {time === undefined
              ? say("asItWas", { seq: count(at) })
              : say("asItWasAt", { seq: count(at), time: moment(time) })}
          </p>
        )}
        <TaskFacts task={task} nowMs={at === undefined ? nowMs : undefined} />
      </>
    );
  }
  if (isLoading) return <p class="loading" role="status">{say("loading")}</p>;
  return (
    <section class="loading" role="status">
      <p>{say("notFound", { id })}</p>
      <p>{say("notFoundHint")}</p>
    </section>
  );
}
