import type { JSX } from "preact";
import type { TaskStatus } from "../protocol/client_frames.ts";
import type { ListModel } from "./list_model.ts";
import { count, say } from "./reader.ts";
import { channelIn, type ListFilter, printRoute } from "./route.ts";
import { STATUSES } from "./statuses.ts";
import { StatusShape } from "./status_mark.tsx";

/** Chooses what of all tasks is shown: by status, with how many there are; by words; by tag. */
export function FilterBar(
  { filter, model, isPartial, onFilter }: {
    readonly filter: ListFilter;
    readonly model: ListModel;
    /** Whether there are more tasks than the model was made from, so that it counts too few. */
    readonly isPartial: boolean;
    readonly onFilter: (filter: ListFilter) => void;
  },
): JSX.Element {
  const { status, tag, text, isFolded } = filter;
  const change = (wanted: Wanted): void => onFilter(without({ ...filter, ...wanted }));
  const topic = channelIn(text ?? "");
  const counted = (tasks: number): string => `${count(tasks)}${isPartial ? "+" : ""}`;
  return (
    <div class="filters" role="search">
      <div class="chips" role="group" aria-label={say("status")}>
        <button
          type="button"
          aria-pressed={status === undefined}
          onClick={() => change({ status: undefined })}
        >
          {say("allTasks")} <b>{counted(model.total)}</b>
        </button>
        {STATUSES.filter((name) => model.counts[name] > 0 || name === status).map((name) => (
          <button
            key={name}
            type="button"
            data-count={name}
            aria-pressed={name === status}
            onClick={() => change({ status: name === status ? undefined : name })}
          >
            <StatusShape status={name} /> {say(name)} <b>{counted(model.counts[name])}</b>
          </button>
        ))}
      </div>
      <input
        id="search"
        type="search"
        value={text ?? ""}
        aria-label={say("search")}
        placeholder={say("searchHint")}
        maxLength={200}
        onInput={({ currentTarget }) => change({ text: currentTarget.value })}
        onKeyDown={({ key }) => {
          if (key === "Enter" && topic !== undefined) location.hash = printRoute({ page: "channel", topic });
        }}
      />
      {topic === undefined ? null : (
        <a class="to-channel" href={printRoute({ page: "channel", topic })}>
          {say("openTopic", { topic })}
        </a>
      )}
      {model.tags.length === 0 ? null : (
        <select
          aria-label={say("tag")}
          value={tag ?? ""}
          onChange={({ currentTarget }) => change({ tag: currentTarget.value })}
        >
          <option value="">{say("anyTag")}</option>
          {model.tags.map((name) => <option key={name} value={name}>{name}</option>)}
        </select>
      )}
      {!model.hasParts && !isFolded ? null : (
        <button
          type="button"
          class="folded"
          aria-pressed={isFolded === true}
          aria-label={say("fold")}
          title={say("fold")}
          onClick={() => change({ isFolded: isFolded ? undefined : true })}
        >
          <svg class="shape" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
            <path d="M2 3h6M4 3v10h2M4 8h2M9 8h5M9 13h5" class="lines" />
          </svg>
        </button>
      )}
      {status === undefined && tag === undefined && text === undefined
        ? null
        : <button type="button" onClick={() => onFilter(isFolded ? { isFolded } : {})}>{say("clear")}
        </button>}
    </div>
  );
}

type Wanted = {
  readonly status?: TaskStatus | undefined;
  readonly tag?: string;
  readonly text?: string;
  readonly isFolded?: true | undefined;
};

function without({ status, tag, text, isFolded }: Wanted): ListFilter {
  return {
    ...(status === undefined ? {} : { status }),
    ...(tag === undefined || tag === "" ? {} : { tag }),
    ...(text === undefined || text === "" ? {} : { text }),
    ...(isFolded === undefined ? {} : { isFolded }),
  };
}
