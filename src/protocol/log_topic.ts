/** Where the lines of a task's log are published, by whoever works on it. */
export function logTopic(taskId: string): string {
  return `task:id:${taskId}:log`;
}
