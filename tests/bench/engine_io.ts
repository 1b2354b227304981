/** What a Socket.IO client needs to come back: who it was, and the last event that it got. */
export type Recovery = { readonly pid: string; readonly offset: string };

/** How far into a message of Engine.IO the first argument of the event `task_status` begins. */
export const ARGUMENT_AT: number = '42["task_status",'.length;

/** What a client keeps after a message of the server, where it had `known` before. Pure. */
export function recoveryAfter(text: string, known: Recovery): Recovery {
  const pid = /^40\{.*"pid":"([^"]+)"/.exec(text)?.[1];
  const offset = /^42\[.*,"([^"]+)"\]$/.exec(text)?.[1];
  return { pid: pid ?? known.pid, offset: offset ?? known.offset };
}

/** With what a client comes back. */
export function comingBack({ pid, offset }: Recovery): string {
  return `40${JSON.stringify({ pid, offset })}`;
}
