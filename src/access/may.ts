import type { ErrorBody } from "../protocol/server_frames.ts";
import { type Access, hasRight, type Right } from "./access.ts";
import type { Seen } from "./scope.ts";

/**
 * What somebody wants to do: something that takes a right, and where it is about them, these topics, or this task as it is
 * found (undefined: there is none of that id).
 */
export type Wish =
  | { readonly right: Right }
  | { readonly right: Right; readonly topics: readonly string[] }
  | { readonly right: Right; readonly taskId: string; readonly found: Seen | undefined };

/**
 * Why `access` does not allow it; undefined where it does. The one place that decides. A task that may not be seen is not
 * there: no answer about it differs from that about one that nobody has.
 */
export function refusalOf(access: Access, wish: Wish): ErrorBody | undefined {
  const { right } = wish;
  if (!hasRight(access, right)) {
    return { code: "FORBIDDEN", message: `the token does not carry the right ${right}`, details: { right } };
  }
  if ("topics" in wish) return refusedTopics(access, wish.topics);
  if (!("taskId" in wish) || (wish.found !== undefined && access.scope.sees(wish.found))) return undefined;
  const { taskId } = wish;
  return { code: "TASK_NOT_FOUND", message: `no task ${taskId}`, details: { task_id: taskId } };
}

function refusedTopics({ scope }: Access, topics: readonly string[]): ErrorBody | undefined {
  const refused = topics.filter((topic) => !scope.allows(topic));
  if (refused.length === 0) return undefined;
  const message = `the token is not for ${refused[0]}`;
  return { code: "FORBIDDEN", message, details: { topics: refused } };
}

/** Whether all there is may be seen, so that what is about no task in particular may be shown: to operators. */
export function refusedOperator(access: Access): ErrorBody | undefined {
  const refusal = refusalOf(access, { right: "admin" });
  if (refusal !== undefined || access.scope.hasEveryTask) return refusal;
  return { code: "FORBIDDEN", message: "the token is for some tasks only", details: { right: "admin" } };
}
