import type { ErrorBody } from "../protocol/server_frames.ts";

/** A frame that a client sends. */
export type Asked = {
  readonly type: string;
  readonly id: string;
  readonly data: Readonly<Record<string, unknown>>;
};

/** A request over HTTP that asks the same, and the type of the frame that its answer would be. */
export type HttpRequest = {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: string;
  readonly answer: string;
};

/** The request that asks what this frame asks; undefined where there is none. */
export function requestOf({ type, data }: Asked): HttpRequest | undefined {
  const { task_id: taskId, ...rest } = data;
  const task = `/api/tasks/${encodeURIComponent(String(taskId))}`;
  switch (type) {
    case "ping":
      return { method: "GET", path: "/healthz", answer: "pong" };
    case "get_task":
      return { method: "GET", path: `${task}${query(rest)}`, answer: "task_status" };
    case "get_tasks":
      return { method: "GET", path: `/api/tasks${query(data)}`, answer: "task_list" };
    case "get_history":
      return { method: "GET", path: `${task}/events${query(rest)}`, answer: "task_history" };
    case "cancel_task":
      return {
        method: "POST",
        path: `${task}/cancel`,
        body: JSON.stringify(rest),
        answer: "cancel_requested",
      };
    default:
      return undefined;
  }
}

/** `{a: 1, at: {seq: 2}}` as `?a=1&at_seq=2`. */
function query(members: Readonly<Record<string, unknown>>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(members)) {
    if (typeof value === "object" && value !== null) {
      for (const [member, inner] of Object.entries(value)) params.set(`${name}_${member}`, String(inner));
    } else if (value !== undefined) {
      params.set(name, String(value));
    }
  }
  const text = params.toString(); // `size` is newer than some browsers
  return text === "" ? "" : `?${text}`;
}

/** What an error frame would say of a problem document; of anything else, that it failed. */
export async function problemOf(response: Response): Promise<ErrorBody> {
  const problem: unknown = await response.json().catch(() => undefined);
  if (typeof problem === "object" && problem !== null && "code" in problem && "detail" in problem) {
    const { code, detail: message, details = {} } = problem as
      & { details?: ErrorBody["details"] }
      & typeof problem;
    // The gateway is ours, and of the version that serves this client.
    return { code: code as ErrorBody["code"], message: String(message), details };
  }
  return { code: "SERVER_ERROR", message: `answered with ${response.status}`, details: {} };
}
