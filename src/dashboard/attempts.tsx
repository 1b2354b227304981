import type { JSX } from "preact";
import type { HistoryEvent } from "../client/client.ts";
import { count, moment, say } from "./reader.ts";
import { attemptsOf } from "./timeline.ts";

/** The attempts at a task, where there was more than one. */
export function Attempts({ events }: { readonly events: readonly HistoryEvent[] }): JSX.Element | null {
  const attempts = attemptsOf(events);
  if (attempts.length < 2) return null;
  return (
    <section class="attempts" aria-labelledby="attempts-title">
      <h2 id="attempts-title">{say("attempts")}</h2>
      <ol>
        {attempts.map(({ attempt, from, to, outcome, error, events }) => (
          <li key={attempt} value={attempt}>
            <b>{outcome}</b> <time dateTime={from}>{moment(from)}</time> –{" "}
            <time dateTime={to}>{moment(to)}</time>
            {` · ${say("events", { count: count(events) })}`}
            {error === null ? null : <span class="bad">{` · ${error}`}</span>}
          </li>
        ))}
      </ol>
    </section>
  );
}
