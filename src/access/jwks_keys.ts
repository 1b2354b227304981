import { createHash } from "node:crypto";
import {
  createLocalJWKSet,
  type CryptoKey,
  errors,
  type JSONWebKeySet,
  type JWTHeaderParameters,
} from "jose";
import * as v from "valibot";
import { AccessError } from "./authenticator.ts";

/** Where keys are had from, and when. Times in ms. */
export type JwksOptions = {
  readonly url: string;
  /** Keys older than this are asked for anew beside the work. Default 10 minutes. */
  readonly freshMs?: number;
  /** Keys older than this are not believed any more, though newer ones cannot be had. Default 24 hours. */
  readonly staleMs?: number;
  /** At the least between two questions, whoever makes up names of keys. Default 10 s. */
  readonly cooldownMs?: number;
  /** Until an answer must be there. Default 5 s. */
  readonly timeoutMs?: number;
  readonly now: () => number;
  /** Told of each question that was answered with no keys. */
  readonly failed?: (error: unknown) => void;
};

const DEFAULTS = { freshMs: 600_000, staleMs: 86_400_000, cooldownMs: 10_000, timeoutMs: 5_000 };
/** The largest set of keys, in bytes. */
const MAX_BYTES = 262_144;

const KeySet = v.object({ keys: v.array(v.unknown()) });
const Key = v.looseObject({ kty: v.string() });

/** So many keys are tried where a token names none of several that fit. */
const MAX_TRIED = 8;
/** So many names of keys are remembered that were not known when they were first shown. */
const MAX_UNKNOWN = 1_000;

type Keys = ReturnType<typeof createLocalJWKSet>;

/** Keys as they were told, when, and at which question. */
type Known = {
  readonly find: Keys;
  /** Their names. */
  readonly kids: ReadonlySet<string | undefined>;
  readonly asOfMs: number;
  readonly question: number;
};

/**
 * The public keys behind a JWKS URL (RFC 7517). They are asked for again when they have grown old, and when a token names one
 * that is not among them, as after a rotation; while nobody answers, the last known stand for a day. A name that came up after
 * they were asked for may be that of a newer key: until they are asked for again, nobody can tell. One that they were asked for
 * since, and is not among them, is made up.
 */
export class JwksKeys {
  readonly #options: Required<Omit<JwksOptions, "failed">> & Pick<JwksOptions, "failed">;
  #keys: Known | undefined;
  /** How often they were asked for. */
  #questions = 0;
  /** How often that was when a name first came up that was not among them, the one shown last last. */
  readonly #unknown = new Map<string, number>();
  #askedMs = -Infinity;
  /** Whether the last question was answered with no keys. */
  #isAway = false;
  #asking: Promise<void> | undefined;

  constructor(options: JwksOptions) {
    this.#options = { ...DEFAULTS, ...options };
  }

  /**
   * The key that a token's header names, or those that fit where it names none of several. Rejects with an AccessError:
   * `unavailable` where no keys can be had, or not asked for again yet.
   */
  async keysFor(header: JWTHeaderParameters): Promise<readonly CryptoKey[]> {
    const { freshMs, staleMs, now } = this.#options;
    const ageMs = now() - (this.#keys?.asOfMs ?? -Infinity);
    if (ageMs > staleMs) await this.#ask();
    else if (ageMs > freshMs) void this.#ask();
    return await this.#find(header) ?? await this.#findAnew(header);
  }

  async #findAnew(header: JWTHeaderParameters): Promise<readonly CryptoKey[]> {
    const unknownSince = this.#unknownSince(header);
    await this.#ask();
    const found = await this.#find(header);
    if (found !== undefined) return found;
    // It may be one that has come meanwhile: whoever shows it must not be turned away for good.
    const isNamed = header.kid !== undefined && this.#keys?.kids.has(header.kid) === true;
    const mayBeNew = this.#isAway || (!isNamed && (this.#keys?.question ?? 0) <= unknownSince);
    throw mayBeNew ? unavailable() : new AccessError("invalid", "the token is not valid");
  }

  /** How often keys had been asked for when this one first came up and was not among them. */
  #unknownSince({ alg, kid }: JWTHeaderParameters): number {
    const name = createHash("sha256").update(JSON.stringify([alg, kid])).digest("base64");
    const since = this.#unknown.get(name) ?? this.#questions;
    this.#unknown.delete(name);
    this.#unknown.set(name, since);
    for (const oldest of this.#unknown.keys()) {
      if (this.#unknown.size <= MAX_UNKNOWN) break;
      this.#unknown.delete(oldest);
    }
    return since;
  }

  /** The keys; undefined where there is none of that name. */
  async #find(header: JWTHeaderParameters): Promise<readonly CryptoKey[] | undefined> {
    const { staleMs, now } = this.#options;
    if (this.#keys === undefined || now() - this.#keys.asOfMs > staleMs) throw unavailable();
    try {
      return [await this.#keys.find(header)];
    } catch (error) {
      if (error instanceof errors.JWKSMultipleMatchingKeys) return await someOf(error);
      if (error instanceof errors.JWKSNoMatchingKey) return undefined;
      // What is no key is no fault of whoever shows a token that names it.
      throw error instanceof errors.JOSEError ? error : unavailable(error);
    }
  }

  /** Asks once for all who want to know. What comes of it, the keys show; it never rejects. */
  #ask(): Promise<void> {
    const { cooldownMs, now, failed } = this.#options;
    if (this.#asking !== undefined) return this.#asking;
    const sinceMs = now() - this.#askedMs;
    if (sinceMs >= 0 && sinceMs < cooldownMs) return Promise.resolve();
    this.#askedMs = now();
    const question = ++this.#questions;
    this.#asking = this.#fetched()
      .then((keys) => {
        const kids = new Set(keys.keys.map(({ kid }) => kid));
        this.#keys = { find: createLocalJWKSet(keys), kids, asOfMs: now(), question };
        this.#isAway = false;
      })
      .catch((error: unknown) => {
        this.#isAway = true;
        failed?.(error);
      })
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }

  async #fetched(): Promise<JSONWebKeySet> {
    const { url, timeoutMs } = this.#options;
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(url, { signal, redirect: "error", headers: { accept: "application/json" } });
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`Cannot get keys from ${url}: HTTP ${response.status}`);
    }
    const parsed = v.safeParse(KeySet, JSON.parse(await textOf(response)));
    const members = parsed.success ? parsed.output.keys : undefined;
    // What is no key hides none of the others (RFC 7517, 5); where nothing is one, it is no set of them.
    const keys = members?.filter((member) => v.is(Key, member)) ?? [];
    if (members === undefined || keys.length < Math.min(1, members.length)) {
      throw new Error(`Cannot get keys from ${url}: it is no JSON Web Key Set`);
    }
    return { keys };
  }
}

async function someOf(keys: AsyncIterable<CryptoKey>): Promise<readonly CryptoKey[]> {
  const some: CryptoKey[] = [];
  for await (const key of keys) {
    some.push(key);
    if (some.length === MAX_TRIED) break;
  }
  return some;
}

function unavailable(cause?: unknown): AccessError {
  return new AccessError("unavailable", "tokens cannot be judged at present", { cause });
}

/** The body as text. Rejects where it is too large. */
async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    if (bytes > MAX_BYTES) throw new Error(`More than ${MAX_BYTES} bytes of keys`);
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}
