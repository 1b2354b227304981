/** How far a task is. Absolute values, never deltas; what is left out stays as it was. */
export type Counters = {
  /** How many items there are; null: unknown. */
  readonly total?: number | null | undefined;
  readonly completed?: number | undefined;
  readonly failed?: number | undefined;
  /** What is being worked on, up to 4096 characters; null: nothing. */
  readonly current?: string | null | undefined;
  /** A word on what is going on, up to 4096 characters; null: none. */
  readonly status?: string | null | undefined;
  /** 0–100. Without it the share processed is shown; new counts without it take it back. */
  readonly percentage?: number | null | undefined;
};

/** The counters after `said`: what it names is replaced, the rest stays. */
export function merged(counters: Counters, said: Counters): Counters {
  const next: Record<string, unknown> = { ...counters };
  if (said.total !== undefined || said.completed !== undefined || said.failed !== undefined) {
    delete next.percentage;
  }
  for (const [name, value] of Object.entries(said)) {
    if (value !== undefined) next[name] = value;
  }
  return next;
}
