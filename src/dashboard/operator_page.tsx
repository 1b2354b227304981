import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { RejectedItem } from "../protocol/server_frames.ts";
import { why } from "./failure.ts";
import type { LiveView } from "./live.ts";
import { growth, type Reading, readOperator } from "./operator_reading.ts";
import { sum } from "./prometheus_text.ts";
import { count, moment, perSecond, say } from "./reader.ts";
import type { TextKey } from "./texts.ts";
import { TrafficLines } from "./traffic_lines.tsx";

type Polled = {
  readonly now: Reading | undefined;
  readonly before: Reading | undefined;
  readonly error: unknown;
};

const EVERY_MS = 2_000;

/** The gateway's own numbers, and what it could not understand. */
export function OperatorPage(
  { live, token }: { readonly live: LiveView; readonly token: string | undefined },
): JSX.Element {
  const { now, before, error } = usePolled(token);
  return (
    <article class="operator">
      <h1>{say("operator")}</h1>
      {error === undefined
        ? null
        : <p class="failure" role="alert">{say("loadFailed", { why: why(error) })}</p>}
      <TrafficLines seconds={live.seconds} />
      {now === undefined ? <p class="loading" role="status">{say("loading")}</p> : (
        <>
          <p class={now.unready.length === 0 ? "good" : "bad"} role="status">
            {now.unready.length === 0 ? say("ready") : say("unready", { why: now.unready.join(", ") })}
          </p>
          <Numbers now={now} before={before} />
          <Rejected total={now.rejected.total} items={now.rejected.items} />
        </>
      )}
    </article>
  );
}

function usePolled(token: string | undefined): Polled {
  const [polled, set] = useState<Polled>({ now: undefined, before: undefined, error: undefined });
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = async (): Promise<void> => {
      try {
        const reading = await readOperator(document.baseURI, token, stop.signal);
        set(({ now }) => ({ now: reading, before: now, error: undefined }));
      } catch (error) {
        if (!stop.signal.aborted) set((known) => ({ ...known, error }));
      }
      if (!stop.signal.aborted) timer = setTimeout(() => void poll(), EVERY_MS);
    };
    void poll();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [token]);
  return polled;
}

function Numbers(
  { now, before }: { readonly now: Reading; readonly before: Reading | undefined },
): JSX.Element {
  const { samples } = now;
  const frames = growth(before, now, "taskwire_frames");
  const bytes = growth(before, now, "taskwire_sent_bytes");
  const numbers: readonly (readonly [TextKey, string | null])[] = [
    ["connections", whole(sum(samples, "taskwire_connections"))],
    ["behind", whole(sum(samples, "taskwire_connections", { state: "behind" }) ?? 0)],
    ["audiences", whole(sum(samples, "taskwire_audiences"))],
    ["inMemory", whole(sum(samples, "taskwire_tasks"))],
    ["followed", whole(sum(samples, "taskwire_log_followed"))],
    ["rejected", whole(sum(samples, "taskwire_rejected_events"))],
    ["late", whole(sum(samples, "taskwire_late_events"))],
    ["framesSent", frames === null ? null : perSecond(frames)],
    ["bytesSent", bytes === null ? null : `${count(Math.round(bytes / 1_000))} kB`],
  ];
  return (
    <dl class="numbers">
      {numbers.map(([name, value]) => (
        <div key={name} data-number={name}>
          <dt>{say(name)}</dt>
          <dd>{value ?? "—"}</dd>
        </div>
      ))}
    </dl>
  );
}

function whole(value: number | null): string | null {
  return value === null ? null : count(value);
}

function Rejected(
  { total, items }: { readonly total: number; readonly items: readonly RejectedItem[] },
): JSX.Element {
  return (
    <section aria-labelledby="rejected-title">
      <h2 id="rejected-title">
        {say("rejected")} <small>{count(total)}</small>
      </h2>
      {items.length === 0
        ? <p class="loading">{say("rejectedNone")}</p>
        : (
          <div class="wide" tabIndex={0} role="region" aria-labelledby="rejected-title">
            <table>
              <thead>
                <tr>
                  <th scope="col">#</th>
                  <th scope="col">{say("when")}</th>
                  <th scope="col">{say("subject")}</th>
                  <th scope="col">{say("reason")}</th>
                  <th scope="col">{say("size")}</th>
                  <th scope="col">{say("body")}</th>
                </tr>
              </thead>
              <tbody>
                {items.slice(0, MAX_SHOWN).map(({ seq, time, subject, reason, bytes, preview }) => (
                  <tr key={seq}>
                    <td>{seq}</td>
                    <td>
                      <time dateTime={time}>{moment(time)}</time>
                    </td>
                    <td>
                      <code>{subject}</code>
                    </td>
                    <td>{reason}</td>
                    <td>{count(bytes)} B</td>
                    <td>
                      <code>{preview}</code>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
    </section>
  );
}

/** So many of the rejected are listed; the API has more. */
const MAX_SHOWN = 100;
