import type { TaskNames } from "../../src/access/scope.ts";

/** What tasks without tags are known by. */
export function untagged(...ids: readonly string[]): TaskNames[] {
  return ids.map((taskId) => ({ taskId, tags: [] }));
}
