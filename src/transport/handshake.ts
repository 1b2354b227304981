import { type Offered, offeredToken } from "../access/bearer.ts";
import * as v from "valibot";
import { ClientId } from "../protocol/names.ts";
import { cbor, json, jsonBatch, type MessageCodec, withDeltas } from "../protocol/codec.ts";
import type { ClientFrame } from "../protocol/client_frames.ts";
import { PATHS } from "../protocol/topics.ts";
import { type AllowedOrigins, originAllowed } from "./origin.ts";

/** An HTTP upgrade request, as far as the handshake looks at it. */
export type UpgradeRequest = {
  readonly url: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Authorization` as sent. */
  readonly authorization: string | undefined;
  /** `Sec-WebSocket-Protocol` as sent. */
  readonly protocols: string | undefined;
};

/** What a handshake asked for. */
export type Handshake = {
  readonly path: string;
  readonly clientId: string | undefined;
  readonly codec: MessageCodec;
  /** The sub-protocol to echo; none where undefined. */
  readonly protocol: string | undefined;
  /** What to subscribe to after the welcome, as the `data` of a `subscribe` frame. */
  readonly subscribe: NonNullable<ClientFrame["data"]> | undefined;
  /** The token that was shown, if any. */
  readonly token: string | undefined;
  /** A broken rule that is told on the socket, where a browser can see it. */
  readonly invalid?: string;
};

/** Either a handshake to accept, or the HTTP answer that refuses it. */
export type Judged = { readonly accept: Handshake } | { readonly status: 403 | 404; readonly reason: string };

/** The codecs of our sub-protocols. */
export const PROTOCOLS: ReadonlyMap<string, MessageCodec> = new Map([
  ["taskwire.v1.json", jsonBatch],
  ["taskwire.v1.cbor", cbor],
]);

/** Judges an upgrade request. Pure; never throws. */
export function judge(
  request: UpgradeRequest,
  allowedOrigins: AllowedOrigins,
  { asksForToken }: { readonly asksForToken: boolean } = { asksForToken: true },
): Judged {
  const { path, query } = partsOf(request.url);
  if (!PATHS.has(path)) {
    return { status: 404, reason: `no such path; there are ${[...PATHS.keys()].join(", ")}` };
  }
  if (!originAllowed(request.origin, request.host, allowedOrigins)) {
    return { status: 403, reason: "this origin may not connect; see ALLOWED_ORIGINS" };
  }
  const offered = (request.protocols ?? "").split(",").map((name) => name.trim());
  const protocol = offered.find((name) => PROTOCOLS.has(name)); // the one that the client prefers
  const codec = PROTOCOLS.get(protocol ?? "") ?? (query.get("batch") === "1" ? jsonBatch : json);
  const clientId = query.get("client_id") ?? undefined;
  // Where none is asked for, what a proxy in front was shown is no business of ours.
  const shown: Offered = !asksForToken ? { token: undefined } : offeredToken({
    authorization: request.authorization,
    protocols: request.protocols,
    query: query.getAll("token"),
  });
  const invalid = brokenRule(clientId, shown);
  return {
    accept: {
      path,
      clientId,
      codec: query.get("delta") === "1" ? withDeltas(codec) : codec,
      protocol,
      subscribe: subscribeOf(query),
      token: "token" in shown ? shown.token : undefined,
      ...(invalid === undefined ? {} : { invalid }),
    },
  };
}

function brokenRule(clientId: string | undefined, shown: Offered): string | undefined {
  if (clientId !== undefined && !v.is(ClientId, clientId)) {
    return "client_id: must be 1–128 characters of A-Za-z0-9._:-";
  }
  return "invalid" in shown ? shown.invalid : undefined;
}

/**
 * Path and query of a request's target. The path is left as it was sent, dots and all: a proxy that guards some of the
 * paths may compare letters too.
 */
function partsOf(target: string): { readonly path: string; readonly query: URLSearchParams } {
  const local = target.replace(/^https?:\/\/[^/?]*/i, ""); // what comes through a proxy may name the host too
  const [path = ""] = local.split("?", 1);
  return { path, query: new URLSearchParams(local.slice(path.length)) };
}

/**
 * The `data` of the `subscribe` that the query stands for, undefined where it names no topic; the frame's own schema
 * judges it. `since` is the cursor to go on from, `<epoch>:<seq>`.
 */
export function subscribeOf(
  query: URLSearchParams,
  since: string | null = query.get("since"),
): NonNullable<ClientFrame["data"]> | undefined {
  const topics = (query.get("topics") ?? "").split(",").map((topic) => topic.trim()).filter((topic) =>
    topic !== ""
  );
  if (topics.length === 0) return undefined;
  const replay = query.get("replay");
  const rate = query.get("max_rate_hz");
  return {
    topics,
    ...(since === null ? {} : { since: cursorOf(since) }),
    ...(replay === null ? {} : { replay }),
    ...(rate === null ? {} : { max_rate_hz: /^\d+(\.\d+)?$/.test(rate) ? Number(rate) : NaN }),
  };
}

/** `<epoch>:<seq>`; what is not that fails the cursor's schema. */
function cursorOf(text: string): { readonly epoch: string; readonly seq: number } {
  const colon = text.lastIndexOf(":");
  const seq = text.slice(colon + 1);
  return { epoch: text.slice(0, Math.max(0, colon)), seq: /^\d{1,15}$/.test(seq) ? Number(seq) : NaN };
}
