import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Context, MiddlewareHandler } from "hono";
import { type Access, hasRight } from "../access/access.ts";
import { AccessError } from "../access/authenticator.ts";
import { offeredToken } from "../access/bearer.ts";
import type { Gate } from "../access/gate.ts";
import { Tickets } from "../access/tickets.ts";
import { STREAM_PATH } from "../protocol/topics.ts";
import type { RateLimits } from "../transport/rate_limits.ts";
import type { Asking } from "./asking.ts";
import { LARGE } from "./large_answers.ts";
import { invalid, type Problem, problemResponse, tooManyRequests, unavailable } from "./problem.ts";

/** What the guard works with. */
export type AccessGuardOptions = {
  readonly gate: Pick<Gate, "withoutToken" | "authenticate">;
  /** How often somebody may ask: by the subject of its token, or its address. */
  readonly requests: RateLimits;
  /** How often an address may show what opens nothing; beyond, only what was good lately is looked at. */
  readonly guesses: RateLimits;
  /** By which name the limits count whoever sent a request. */
  readonly addressOf: (request: IncomingMessage) => string;
  /** Told of each request that was one too many. */
  readonly refused: () => void;
};

/** What a token costs that opens nothing. */
const REFUSED_COST = 10;
/** What a request costs whose answer may be large. */
const LARGE_COST = 5;

/**
 * Finds out who asks, for every route of the API, and whether it asks too often. Who may publish is not held back in that: the
 * log is what holds it. A token that is no good counts against the address that it came from.
 */
export function accessGuard(
  { gate, requests, guesses, addressOf, refused }: AccessGuardOptions,
): MiddlewareHandler<Asking> {
  const good = new LatelyGood();
  const tooOften = ({ retryAfterMs }: { readonly retryAfterMs: number }): Response => {
    refused();
    return problemResponse(tooManyRequests(retryAfterMs));
  };
  return async (c, next) => {
    const address = addressOf(c.env.incoming);
    // Not every way here leads past whoever looks at that before: what is not below /api, a target that names its host.
    const wait = requests.waitOf(address);
    if (wait !== undefined) return tooOften(wait);
    const shown = c.req.header("authorization");
    const held = gate.withoutToken === undefined && !good.has(shown) ? guesses.waitOf(address) : undefined;
    if (held !== undefined) return tooOften(held);
    const judged = await judge(c, gate);
    if ("problem" in judged) {
      guesses.charge(address, REFUSED_COST);
      if (judged.problem.status === 401) good.forget(shown); // it has ended: it is a guess like others from now on
      return problemResponse(judged.problem);
    }
    good.note(shown);
    const { access } = judged;
    const counted = publishes(c, access)
      ? undefined
      : requests.take(access.subject === "" ? address : `${access.subject} `, costOf(c.req.path));
    if (counted !== undefined) return tooOften(counted);
    c.set("access", access);
    c.set("address", address);
    return await next();
  };
}

/** So many are remembered. */
const MAX_GOOD = 10_000;

/** What was shown lately and was good, by hash: others at the same address may go on guessing meanwhile. */
class LatelyGood {
  readonly #hashes = new Set<string>();

  has(shown: string | undefined): boolean {
    return shown !== undefined && this.#hashes.has(hashOf(shown));
  }

  forget(shown: string | undefined): void {
    if (shown !== undefined) this.#hashes.delete(hashOf(shown));
  }

  note(shown: string | undefined): void {
    if (shown === undefined) return;
    const hash = hashOf(shown);
    this.#hashes.delete(hash);
    this.#hashes.add(hash);
    for (const oldest of this.#hashes) {
      if (this.#hashes.size <= MAX_GOOD) break;
      this.#hashes.delete(oldest);
    }
  }
}

function hashOf(shown: string): string {
  return createHash("sha256").update(shown).digest("base64");
}

async function judge(
  c: Context<Asking>,
  gate: AccessGuardOptions["gate"],
): Promise<{ readonly access: Access } | { readonly problem: Problem }> {
  if (gate.withoutToken !== undefined) return { access: gate.withoutToken };
  const shown = offeredToken({
    authorization: c.req.header("authorization"),
    // Browsers' EventSource can send no header.
    query: c.req.path === STREAM_PATH ? c.req.queries("token") : undefined,
  });
  if ("invalid" in shown) return { problem: invalid(shown.invalid) };
  if (shown.token !== undefined && Tickets.isTicket(shown.token) && !opensStream(c)) {
    return { problem: unauthorized("a ticket opens a connection, and nothing else") };
  }
  if (shown.token === undefined) return { problem: unauthorized("a token is needed: Authorization: Bearer") };
  try {
    return { access: await gate.authenticate(shown.token) };
  } catch (error) {
    if (!(error instanceof AccessError)) throw error;
    return {
      problem: error.code === "unavailable"
        ? unavailable("SERVER_ERROR", error.message)
        : unauthorized(error.message),
    };
  }
}

/** Whether a request begins a stream; HEAD asks only what would come of it, and uses nothing up. */
function opensStream(c: Context): boolean {
  return c.req.method === "GET" && c.req.path === STREAM_PATH;
}

function publishes(c: Context, access: Access): boolean {
  return c.req.method === "POST" && hasRight(access, "publish") &&
    /^\/api\/(?:tasks\/[^/]+\/)?events$/.test(c.req.path);
}

function costOf(path: string): number {
  return LARGE.test(path) ? LARGE_COST : 1;
}

function unauthorized(detail: string): Problem {
  return { status: 401, code: "UNAUTHORIZED", detail, headers: { "www-authenticate": "Bearer" } };
}
