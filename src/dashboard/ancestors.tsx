import type { JSX } from "preact";
import type { Client } from "../client/client.ts";
import { formatPercentage } from "./formats.ts";
import { useStore } from "./hooks.ts";
import { printRoute } from "./route.ts";
import { MAX_DEPTH } from "./task_tree.ts";

/** Links to the tasks that one is a part of, the topmost first, with how far each is. */
export function Ancestors(
  { client, id, at, below }: {
    readonly client: Client;
    /** The parent, which need not be known. */
    readonly id: string;
    readonly at: number | undefined;
    /** Those on the way up to it: a circle ends there. */
    readonly below: readonly string[];
  },
): JSX.Element | null {
  const { task, progress } = useStore(client.task(id));
  const above = task?.parent_id ?? null;
  const way = [...below, id];
  const percentage = at === undefined ? progress?.percentage ?? null : null;
  return (
    <>
      {above === null || way.includes(above) || way.length > MAX_DEPTH
        ? null
        : <Ancestors key={above} client={client} id={above} at={at} below={way} />}
      <span class="ancestor" data-ancestor={id}>
        <a href={printRoute({ page: "task", id, ...(at === undefined ? {} : { at }) })}>{task?.name ?? id}</a>
        {percentage === null ? null : <small>{formatPercentage(percentage)}</small>}
      </span>
    </>
  );
}
