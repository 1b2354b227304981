import type { ErrorBody } from "../protocol/server_frames.ts";

/** A frame that a client sends. */
export type Asked = {
  readonly type: string;
  readonly id: string;
  readonly data: Readonly<Record<string, unknown>>;
};

/** A request over HTTP that asks the same, `POST` where it has a body, and the type of the frame that its answer would be. */
export type HttpRequest = readonly [path: string, answer: string, body?: string];

/** The request that asks what this frame asks; undefined where there is none. */
export function requestOf({ type, data }: Asked): HttpRequest | undefined {
  const { task_id: taskId, ...rest } = data;
  const task = `/api/tasks/${encodeURIComponent(String(taskId))}`;
  const requests: Readonly<Record<string, HttpRequest>> = {
    ping: ["/healthz", "pong"],
    get_task: [task + query(rest), "task_status"],
    get_tasks: [`/api/tasks${query(data)}`, "task_list"],
    get_history: [`${task}/events${query(rest)}`, "task_history"],
    publish: ["/api/publish", "published", JSON.stringify(data)],
    cancel_task: [`${task}/cancel`, "cancel_requested", JSON.stringify(rest)],
  };
  return requests[type];
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
  return `?${params}`;
}

/** What an error frame would say of a problem document; of anything else, that it failed. */
export async function problemOf(response: Response): Promise<ErrorBody> {
  // The gateway is ours, and of the version that serves this client; what is between may not be.
  const problem: unknown = await response.json().catch(() => undefined);
  const { code = "SERVER_ERROR", detail = `answered with ${response.status}`, details = {} } =
    (problem ?? {}) as Partial<ErrorBody & { readonly detail: string }>;
  return { code, message: detail, details };
}
