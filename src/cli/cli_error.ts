import { ClientError } from "../client/client_error.ts";
import { WorkerError } from "../worker/worker_error.ts";
import { EXIT } from "./exit_codes.ts";

/** Why a command did not do what it was asked to, in one sentence, and what the process ends with. */
export class CliError extends Error {
  override name = "CliError";
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failed, options: ErrorOptions = {}) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The sentence and the exit code for whatever a command threw. Never throws. */
export function failureOf(error: unknown): { readonly message: string; readonly exitCode: number } {
  if (error instanceof CliError) return { message: error.message, exitCode: error.exitCode };
  const message = error instanceof Error ? error.message || error.name : String(error);
  const isBad = (error instanceof WorkerError && error.code === "invalid") ||
    (error instanceof ClientError && (error.code === "INVALID_MESSAGE" || error.code === "TOPIC_NOT_FOUND"));
  return { message: oneLine(message), exitCode: isBad ? EXIT.badArgument : EXIT.failed };
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ");
}
