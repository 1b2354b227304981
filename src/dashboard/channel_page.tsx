import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Client } from "../client/client.ts";
import {
  type ChannelModel,
  type ChannelValue,
  columnsOf,
  fieldsOf,
  mainField,
  mainKey,
  membersOf,
} from "./channel_model.ts";
import { channelStore } from "./channel_store.ts";
import { Chart } from "./chart.tsx";
import { why } from "./failure.ts";
import { useStore } from "./hooks.ts";
import { count, moment, perSecond, quantity, say } from "./reader.ts";

/** So many keys are in the table. */
const MAX_ROWS = 500;

/** A channel as it is: its values as they come, a chart of one of them, and the last of each key as a table. */
export function ChannelPage(
  { client, topic }: { readonly client: Client; readonly topic: string },
): JSX.Element {
  const [isWhole, load] = useState(false);
  const store = useMemo(() => channelStore(client, topic, isWhole ? "all" : "latest"), [
    client,
    topic,
    isWhole,
  ]);
  const view = useStore(store);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), [topic]);
  const [chosen, choose] = useState<string | undefined>(undefined);
  const [wanted, want] = useState<string | undefined>(undefined);
  const { model } = view;
  const of = chosen !== undefined && model.last(chosen) !== undefined ? chosen : mainKey(model);
  const fields = of === undefined ? [] : fieldsOf(model.last(of)?.payload);
  const field = wanted !== undefined && fields.includes(wanted) ? wanted : mainField(fields);
  return (
    <article class="channel" data-topic={topic} data-live={view.isLive}>
      <nav aria-label={say("channels")}>
        <a href="#/channels">‹ {say("channels")}</a>
      </nav>
      <header>
        <h1 ref={heading} tabIndex={-1}>{topic}</h1>
        <span class="pace">{perSecond(view.perSecond)}</span>
        {fields.length < 2 ? null : (
          <label>
            {say("shownField")}{" "}
            <select value={field ?? ""} onChange={({ currentTarget }) => want(currentTarget.value)}>
              {fields.map((name) => <option key={name} value={name}>{name}</option>)}
            </select>
          </label>
        )}
        {isWhole
          ? null
          : <button type="button" class="past-of" onClick={() => load(true)}>{say("loadPast")}</button>}
      </header>
      {view.error === undefined
        ? null
        : <p class="failure" role="alert">{say("loadFailed", { why: why(view.error) })}</p>}
      {model.keys.length === 0 && view.error === undefined
        ? <p class="loading" role="status">{say(view.isLive ? "channelEmpty" : "loading")}</p>
        : null}
      {of === undefined || field === undefined ? null : <Chart model={model} of={of} field={field} />}
      {model.keys.length === 0 ? null : <Values model={model} chosen={of} onChoose={choose} />}
    </article>
  );
}

/** The last value of each key. A key is chosen by it for the chart. */
function Values(
  { model, chosen, onChoose }: {
    readonly model: ChannelModel;
    readonly chosen: string | undefined;
    readonly onChoose: (key: string) => void;
  },
): JSX.Element {
  const shown = model.keys.slice(0, MAX_ROWS).flatMap((key) => model.last(key) ?? []);
  const columns = columnsOf(shown.map(({ payload }) => payload));
  return (
    <section aria-labelledby="values-title">
      <h2 id="values-title">
        {say("lastValues")} <small>{count(model.keys.length)}</small>
      </h2>
      <div class="wide" tabIndex={0} role="region" aria-labelledby="values-title">
        <table class="values">
          <thead>
            <tr>
              <th scope="col">{say("key")}</th>
              {columns?.map((name) => (
                <th key={name} scope="col" class={isNumbers(shown, name) ? "number" : undefined}>{name}</th>
              )) ?? <th scope="col">{say("value")}</th>}
              <th scope="col">{say("when")}</th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ key, payload, atMs }) => {
              const time = new Date(atMs).toISOString();
              return (
                <tr key={key} data-key={key}>
                  <th scope="row">
                    <button type="button" aria-pressed={key === chosen} onClick={() => onChoose(key)}>
                      {key === "" ? say("noKey") : key}
                    </button>
                  </th>
                  {columns === undefined
                    ? (
                      <td>
                        <code>{text(payload)}</code>
                      </td>
                    )
                    : columns.map((name) => <Cell key={name} value={membersOf(payload)[name]} />)}
                  <td>
                    <time dateTime={time}>{moment(time)}</time>
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function isNumbers(values: readonly ChannelValue[], name: string): boolean {
  const given = values.flatMap(({ payload }) => membersOf(payload)[name] ?? []);
  return given.length > 0 && given.every((value) => typeof value === "number");
}

function Cell({ value }: { readonly value: unknown }): JSX.Element {
  return typeof value === "number" ? <td class="number">{quantity(value)}</td> : <td>{text(value)}</td>;
}

/** So much of a value is shown, in characters. */
const MAX_TEXT = 300;

function text(value: unknown): string {
  if (value === undefined) return "";
  const whole = typeof value === "string" ? value : JSON.stringify(value);
  return whole.length > MAX_TEXT ? `${whole.slice(0, MAX_TEXT)}…` : whole;
}
