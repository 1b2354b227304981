import type { ErrorBody } from "../protocol/server_frames.ts";
import { type Access, hasRight, type Right } from "./access.ts";
import type { TaskNames } from "./scope.ts";

/**
 * What somebody wants to do: something that takes a right; and where it is about them, with these topics, or with a task as it
 * was found (undefined: there is none of that id), or written as of a task of these names.
 */
export type Wish =
  | { readonly right: Right }
  | { readonly right: Right; readonly topics: readonly string[] }
  | { readonly right: Right; readonly taskId: string; readonly found: TaskNames | undefined }
  | { readonly right: Right; readonly written: TaskNames };

/**
 * Why `access` does not allow it; undefined where it does. The one place that decides. A task that may not be seen is not
 * there: no answer about it differs from that about one that nobody has.
 */
export function refusalOf(access: Access, wish: Wish): ErrorBody | undefined {
  const { right } = wish;
  const { scope } = access;
  if (!hasRight(access, right)) {
    return { code: "FORBIDDEN", message: `the token does not carry the right ${right}`, details: { right } };
  }
  if ("topics" in wish) return refusedTopics(access, wish.topics);
  if ("taskId" in wish) {
    return wish.found !== undefined && scope.sees(wish.found) ? undefined : noSuchTask(wish.taskId);
  }
  if (!("written" in wish)) return undefined;
  const foreign = scope.foreignTo(wish.written);
  if (foreign === undefined) return undefined;
  const message = `the token is not for ${foreign}`;
  return { code: "FORBIDDEN", message, details: { topics: [foreign] } };
}

function refusedTopics({ scope }: Access, topics: readonly string[]): ErrorBody | undefined {
  const refused = topics.filter((topic) => !scope.allows(topic));
  if (refused.length === 0) return undefined;
  const message = `the token is not for ${refused[0]}`;
  return { code: "FORBIDDEN", message, details: { topics: refused } };
}

/** The answer about a task that is not there. */
export function noSuchTask(taskId: string): ErrorBody {
  return { code: "TASK_NOT_FOUND", message: `no task ${taskId}`, details: { task_id: taskId } };
}

/** Why `access` does not allow what is about no task in particular, which operators look at. */
export function operatorRefusal(access: Access): ErrorBody | undefined {
  const refusal = refusalOf(access, { right: "admin" });
  if (refusal !== undefined || access.scope.hasEveryTask) return refusal;
  return { code: "FORBIDDEN", message: "the token is for some tasks only", details: { right: "admin" } };
}
