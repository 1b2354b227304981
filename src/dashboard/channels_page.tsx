import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { why } from "./failure.ts";
import { count, moment, say } from "./reader.ts";
import { channelIn, printRoute } from "./route.ts";
import { authorization } from "./session.ts";

/** A channel as the gateway lists it. */
type Listed = { readonly topic: string; readonly keys: number; readonly seq: number; readonly time: string };

type Listing = { readonly channels: readonly Listed[]; readonly total: number };

const EVERY_MS = 2_000;
const TIMEOUT_MS = 10_000;

/** The channels that the gateway holds values of, those that changed last first; and a field to open any by its name. */
export function ChannelsPage({ token }: { readonly token: string | undefined }): JSX.Element {
  const { listing, error } = useListing(token);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <article class="channels">
      <header>
        <h1 ref={heading} tabIndex={-1}>{say("channels")}</h1>
        <OpenChannel />
      </header>
      {error === undefined
        ? null
        : <p class="failure" role="alert">{say("loadFailed", { why: why(error) })}</p>}
      {listing === undefined
        ? error === undefined ? <p class="loading" role="status">{say("loading")}</p> : null
        : listing.channels.length === 0
        ? <p class="loading" role="status">{say("channelsNone")}</p>
        : <ChannelTable listing={listing} />}
    </article>
  );
}

function OpenChannel(): JSX.Element {
  const [isWrong, set] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const topic = channelIn(field.current?.value ?? "");
        set(topic === undefined);
        if (topic !== undefined) location.hash = printRoute({ page: "channel", topic });
      }}
    >
      <input
        ref={field}
        id="topic"
        aria-label={say("topic")}
        aria-invalid={isWrong}
        placeholder="data:candles"
        maxLength={161}
        spellcheck={false}
      />{" "}
      <button type="submit">{say("open")}</button>
      {isWrong ? <p class="bad" role="alert">{say("topicRule")}</p> : null}
    </form>
  );
}

function ChannelTable({ listing }: { readonly listing: Listing }): JSX.Element {
  return (
    <div class="wide" tabIndex={0} role="region" aria-label={say("channels")}>
      <table>
        <thead>
          <tr>
            <th scope="col">{say("topic")}</th>
            <th scope="col" class="number">{say("keysHeld")}</th>
            <th scope="col">{say("when")}</th>
          </tr>
        </thead>
        <tbody>
          {listing.channels.map(({ topic, keys, time }) => (
            <tr key={topic} data-channel={topic}>
              <th scope="row">
                <a href={printRoute({ page: "channel", topic })}>{topic}</a>
              </th>
              <td class="number">{count(keys)}</td>
              <td>
                <time dateTime={time}>{moment(time)}</time>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {listing.total > listing.channels.length
        ? (
          <p>
            {say("channelsShown", { shown: count(listing.channels.length), total: count(listing.total) })}
          </p>
        )
        : null}
    </div>
  );
}

function useListing(
  token: string | undefined,
): { readonly listing: Listing | undefined; readonly error: unknown } {
  const [view, set] = useState<{ readonly listing: Listing | undefined; readonly error: unknown }>({
    listing: undefined,
    error: undefined,
  });
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = async (): Promise<void> => {
      try {
        const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(TIMEOUT_MS)]);
        const url = new URL("api/channels", document.baseURI);
        const response = await fetch(url, { signal, headers: authorization(token) });
        if (!response.ok) throw new Error(`${url.pathname}: HTTP ${response.status}`);
        // The answer is that of the gateway that served this page.
        const listing: Listing = await response.json();
        set({ listing, error: undefined });
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
  return view;
}
