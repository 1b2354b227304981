import { Component, type JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Client } from "../client/client.ts";
import { why } from "./failure.ts";
import { useStore } from "./hooks.ts";
import { type Level, type LogLine, LOUDNESS } from "./log_line.ts";
import { logReader } from "./log_reader.ts";
import { count, moment, say } from "./reader.ts";

/** So near its end, px, a log follows what comes; so near its beginning what came before is read. */
const AT_END_PX = 24;
const NEAR_START_PX = 240;
/** So long a position of the past must stand still until the log is read there, ms. */
const STILL_MS = 250;

/** The lines that a task wrote, where the gateway keeps any: as they come, or up to position `at`. */
export function TaskLog(
  { client, id, at }: { readonly client: Client; readonly id: string; readonly at: number | undefined },
): JSX.Element | null {
  const [least, setLeast] = useState<Level>("debug");
  const reader = useMemo(() => logReader(client, id, least), [client, id, least]);
  const { isThere, lines, hasEarlier, isAtEnd, waiting, isLoading, error } = useStore(reader.store);
  const [isFollowing, follow] = useState(true);
  const { box, hold } = useAnchoredScroll(lines, isFollowing);
  useEffect(() => {
    if (at === undefined) {
      follow(true);
      return reader.look(undefined);
    }
    const timer = setTimeout(() => reader.look(at), STILL_MS);
    return () => clearTimeout(timer);
  }, [reader, at]);
  useEffect(() => reader.hold(!isFollowing), [reader, isFollowing]);
  const scrolled = (element: HTMLElement): void => {
    const { scrollTop, scrollHeight, clientHeight } = element;
    hold(element); // before anything is drawn again
    const isDown = scrollHeight - scrollTop - clientHeight < AT_END_PX;
    follow(isDown && isAtEnd);
    if (isDown && !isAtEnd && at === undefined) reader.later();
    else if (scrollTop < NEAR_START_PX) reader.earlier();
  };
  if (!isThere) return null;
  return (
    <section class="log" aria-labelledby="log-title" data-following={isFollowing}>
      <header>
        <h2 id="log-title">{say("log")}</h2>
        <label>
          {say("level")}{" "}
          <select value={least} onChange={({ currentTarget: { value } }) => setLeast(levelOf(value))}>
            {LOUDNESS.map((level) => (
              <option key={level} value={level}>
                {level === "debug"
                  ? say("levelAll")
                  : level === "error"
                  ? level
                  : say("levelFrom", { level })}
              </option>
            ))}
          </select>
        </label>
        {isFollowing || at !== undefined ? null : (
          <button
            type="button"
            class="to-end"
            onClick={() => {
              follow(true);
              if (!isAtEnd) reader.look(undefined);
            }}
          >
            ↓ {waiting === 0 ? say("toEnd") : say("toEndNewer", { count: count(waiting) })}
          </button>
        )}
      </header>
      {error === undefined
        ? null
        : <p class="failure" role="alert">{say("loadFailed", { why: why(error) })}</p>}
      {lines.length === 0
        ? <p class="loading" role="status">{say(isLoading ? "loading" : "logEmpty")}</p>
        : null}
      {hasEarlier
        ? (
          <button type="button" class="earlier" disabled={isLoading} onClick={reader.earlier}>
            ↑ {say("earlierLines")}
          </button>
        )
        : null}
      {lines.length === 0 ? null : (
        <div
          class="lines"
          ref={box}
          role="log"
          aria-live="off"
          aria-labelledby="log-title"
          tabIndex={0}
          onScroll={({ currentTarget }) => scrolled(currentTarget)}
        >
          {lines.map((line) => (
            <Line
              key={line.seq}
              line={line}
              isAfter={at !== undefined && line.seq > at}
            />
          ))}
        </div>
      )}
    </section>
  );
}

function levelOf(value: string): Level {
  return LOUDNESS.find((level) => level === value) ?? "debug";
}

/** A line never changes. */
class Line extends Component<{ readonly line: LogLine; readonly isAfter: boolean }> {
  override shouldComponentUpdate(next: { readonly isAfter: boolean }): boolean {
    return next.isAfter !== this.props.isAfter;
  }

  override render(
    { line: { seq, time, level, text }, isAfter }: { readonly line: LogLine; readonly isAfter: boolean },
  ): JSX.Element {
    return (
      <div class={`line ${level}${isAfter ? " after" : ""}`} data-seq={seq}>
        <time dateTime={time} title={time}>{moment(time)}</time> <b>{level}</b> <span>{text}</span>
      </div>
    );
  }
}

/** Of a box that stays at its end where it follows, and else where it is, whatever comes and goes above what is seen. */
type AnchoredScroll = {
  readonly box: { readonly current: HTMLDivElement | null };
  /** Holds on to what is seen: somebody has scrolled. */
  readonly hold: (element: HTMLElement) => void;
};

function useAnchoredScroll(lines: readonly LogLine[], isFollowing: boolean): AnchoredScroll {
  const box = useRef<HTMLDivElement>(null);
  const held = useRef<{ readonly seq: string; readonly topPx: number } | undefined>(undefined);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    if (isFollowing) element.scrollTop = element.scrollHeight;
    else if (held.current !== undefined) {
      const line = element.querySelector<HTMLElement>(`[data-seq="${held.current.seq}"]`);
      if (line !== null) element.scrollTop = line.offsetTop - held.current.topPx;
    }
    held.current = topmost(element);
  }, [lines, isFollowing]);
  return { box, hold: (element) => held.current = topmost(element) };
}

/** The first line that is seen, and where. */
function topmost(box: HTMLElement): { readonly seq: string; readonly topPx: number } | undefined {
  for (const line of box.children) {
    if (!(line instanceof HTMLElement) || line.offsetTop + line.offsetHeight <= box.scrollTop) continue;
    return { seq: line.dataset.seq ?? "", topPx: line.offsetTop - box.scrollTop };
  }
  return undefined;
}
