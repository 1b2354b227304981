import { invalid, type Problem, tooLarge, unavailable } from "./problem.ts";

/** The largest body of a request, in bytes. */
export const MAX_REQUEST_BYTES = 1_048_576;

/** Memory for the bodies of all requests at once, in bytes; a request that finds none left is answered 503. */
export const BODY_MEMORY_BYTES = 64 * MAX_REQUEST_BYTES;

/** A declared length up to which a body is read in one go; what comes in pieces costs a third of the throughput. */
const SMALL_BYTES = 65_536;

/** What a body is, unless a route says more. */
const JSON_ONLY = ["application/json"];

/** The type of a request's body without its parameters, in small letters; empty where it has none. */
export function mediaType(headers: Headers): string {
  return (headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/** Memory that requests take and give back. */
export class BodyMemory {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** Takes `bytes`, or takes nothing and returns false when there are not that many. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  /** Gives back what was taken. */
  give(bytes: number): void {
    this.#left += bytes;
  }
}

/**
 * The JSON body of a request, handed to `use` while its memory is held; `empty` stands for none where it is given, `types`
 * are those that it may be of. A body
 * that is too large is refused by its declared length before a byte of it is read, and one of no declared length once it has
 * grown too large. What is left of it is then thrown away by the listener, for half a second; after that the connection ends.
 */
export async function withJson(
  request: Request,
  memory: BodyMemory,
  use: (value: unknown) => Promise<Response | Problem>,
  { empty, types = JSON_ONLY }: { readonly empty?: unknown; readonly types?: readonly string[] } = {},
): Promise<Response | Problem> {
  const refused = refusedByHeaders(request.headers, types);
  if (refused !== undefined) return refused;
  const taken = new Taken(memory);
  try {
    const bytes = await readBytes(request, taken);
    if (!(bytes instanceof Uint8Array)) return bytes;
    if (bytes.length === 0 && empty !== undefined) return await use(empty);
    const parsed = parseJson(bytes);
    return "problem" in parsed ? parsed.problem : await use(parsed.value);
  } finally {
    taken.giveBack();
  }
}

/** What one request holds of the memory. */
class Taken {
  readonly #memory: BodyMemory;
  #bytes = 0;

  constructor(memory: BodyMemory) {
    this.#memory = memory;
  }

  more(bytes: number): boolean {
    if (!this.#memory.take(bytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  giveBack(): void {
    this.#memory.give(this.#bytes);
    this.#bytes = 0;
  }
}

function refusedByHeaders(headers: Headers, types: readonly string[]): Problem | undefined {
  const type = mediaType(headers);
  // A page of any origin can send a body without a type and is not asked first (CORS); programs send no origin.
  const typeFits = !headers.has("content-type")
    ? types.includes("application/json") && headers.get("origin") === null
    : types.includes(type);
  const encoding = headers.get("content-encoding") ?? "identity";
  if (!typeFits || encoding.toLowerCase() !== "identity") {
    return {
      status: 415,
      code: "INVALID_MESSAGE",
      detail: `content-type must be ${listed(types)}, without content-encoding`,
      headers: { "accept-post": types.join(", ") },
    };
  }
  return Number(headers.get("content-length") ?? 0) > MAX_REQUEST_BYTES ? bodyTooLarge() : undefined;
}

function listed(types: readonly string[]): string {
  return types.map((type) => type === "application/json" ? `${type} (curl: --json)` : type).join(" or ");
}

function bodyTooLarge(): Problem {
  return tooLarge("body_bytes", MAX_REQUEST_BYTES);
}

async function readBytes(request: Request, taken: Taken): Promise<Uint8Array | Problem> {
  const declared = request.headers.has("transfer-encoding")
    ? NaN
    : Number(request.headers.get("content-length") ?? NaN);
  try {
    if (!(declared <= SMALL_BYTES)) return await readPieces(request, taken);
    if (!taken.more(declared)) return noMemory();
    return new Uint8Array(await request.arrayBuffer());
  } catch (error) {
    // The client went away, or was too slow for the server's request timeout: this answer reaches nobody.
    return invalid(`the body ended before its end: ${error instanceof Error ? error.message : error}`);
  }
}

async function readPieces(request: Request, taken: Taken): Promise<Uint8Array | Problem> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  // Not `for await`: leaving that loop early would cancel the body, and with it the connection before the answer is sent.
  const reader = request.body?.getReader();
  for (let piece = await reader?.read(); piece?.done === false; piece = await reader?.read()) {
    length += piece.value.length;
    if (length > MAX_REQUEST_BYTES) return bodyTooLarge();
    if (!taken.more(piece.value.length)) return noMemory();
    pieces.push(piece.value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function noMemory(): Problem {
  return unavailable("RATE_LIMITED", "too many large requests at once");
}

function parseJson(bytes: Uint8Array): { readonly value: unknown } | { readonly problem: Problem } {
  try {
    return { value: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) };
  } catch {
    return { problem: invalid("the body must be UTF-8 JSON") };
  }
}
