import { ClientError } from "../client/client_error.ts";

/** What went wrong, in words for the reader: the gateway's own where it said why. */
export function why(error: unknown): string {
  if (error instanceof ClientError) return `${error.message} (${error.code})`;
  return error instanceof Error ? error.message : String(error);
}

/** Whether the gateway knows of no such task. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ClientError && error.code === "TASK_NOT_FOUND";
}

/** The first position that the log still has, where a question about the past went beyond it. */
export function firstKept(error: unknown): number | undefined {
  if (!(error instanceof ClientError) || error.code !== "LIMIT_EXCEEDED") return undefined;
  const { first_seq: first } = error.details;
  return typeof first === "number" ? first : undefined;
}
