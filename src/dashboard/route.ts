import type { TaskStatus } from "../protocol/client_frames.ts";
import { STATUSES } from "./statuses.ts";

/** What the list shows. All that is given must fit; the text is looked for in what describes a task. */
export type ListFilter = {
  readonly status?: TaskStatus;
  readonly tag?: string;
  readonly text?: string;
  /** Whether tasks lie below their parents. */
  readonly isFolded?: true;
};

/** A page of the dashboard. `at` is the position of the stream it shows; without it, what is now. */
export type Route =
  | { readonly page: "list"; readonly filter: ListFilter; readonly at?: number }
  | { readonly page: "task"; readonly id: string; readonly at?: number }
  | { readonly page: "channels" }
  | { readonly page: "channel"; readonly topic: string }
  | { readonly page: "operator" };

const TASK_ID = /^[A-Za-z0-9_-]{1,128}$/;
/** A topic of a channel, as PROTOCOL.md has it: of tasks there are others. */
const CHANNEL = /^(?!task:)[a-z][a-z0-9_]{0,31}:[A-Za-z0-9._-]{1,128}$/;
/** The longest text that is looked for. */
const MAX_TEXT = 200;

/** The page that a hash names. Whatever is wrong in it is left out; anybody may write a link. */
export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  const params = new URLSearchParams(query);
  const at = position(params.get("at"));
  if (path === "/operator") return { page: "operator" };
  if (path === "/channels") return { page: "channels" };
  const topic = path.startsWith("/channel/") ? channelIn(path.slice("/channel/".length)) : undefined;
  if (topic !== undefined) return { page: "channel", topic };
  const id = path.startsWith("/task/") ? path.slice("/task/".length) : "";
  if (TASK_ID.test(id)) return { page: "task", id, ...(at === undefined ? {} : { at }) };
  return { page: "list", filter: filterOf(params), ...(at === undefined ? {} : { at }) };
}

/** The topic of a channel that somebody typed; undefined where it is none. */
export function channelIn(text: string): string | undefined {
  const topic = text.trim();
  return CHANNEL.test(topic) ? topic : undefined;
}

/** The hash of a page. */
export function printRoute(route: Route): string {
  if (route.page === "operator" || route.page === "channels") return `#/${route.page}`;
  if (route.page === "channel") return `#/channel/${route.topic}`;
  const params = new URLSearchParams();
  if (route.page === "list") {
    const { status, tag, text } = route.filter;
    if (status !== undefined) params.set("status", status);
    if (tag !== undefined) params.set("tag", tag);
    if (text !== undefined && text !== "") params.set("q", text.slice(0, MAX_TEXT));
    if (route.filter.isFolded) params.set("fold", "1");
  }
  if (route.at !== undefined) params.set("at", String(route.at));
  const query = params.size === 0 ? "" : `?${params}`;
  return route.page === "task" ? `#/task/${route.id}${query}` : `#/${query}`;
}

function filterOf(params: URLSearchParams): ListFilter {
  const status = STATUSES.find((name) => name === params.get("status"));
  const tag = params.get("tag") ?? "";
  const text = (params.get("q") ?? "").slice(0, MAX_TEXT);
  return {
    ...(status === undefined ? {} : { status }),
    ...(tag === "" ? {} : { tag }),
    ...(text === "" ? {} : { text }),
    ...(params.get("fold") === "1" ? { isFolded: true } : {}),
  };
}

function position(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
