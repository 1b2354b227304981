import type { Access } from "./access.ts";
import { AccessError, type Authenticator } from "./authenticator.ts";

/** A ticket: shown instead of a token, once. */
export type Ticket = {
  readonly ticket: string;
  /** When it is good for nothing any more, ms since the epoch. */
  readonly expiresAtMs: number;
};

/** Asks the gateway `issuer` what a ticket of its stands for; undefined where it is none. It is used up by that. */
export type AskIssuer = (issuer: string, ticket: string) => Promise<Access | undefined>;

/** How tickets are made. */
export type TicketOptions = {
  readonly now: () => number;
  /** For tickets of other gateways. Default: there are none. */
  readonly askIssuer?: AskIssuer;
};

/** How long a ticket is good, in ms. */
export const TICKET_MS = 30_000;
/** So many are out at once; then none is given until one was used or has ended. */
const MAX_TICKETS = 10_000;
/** And so many of one subject, so that nobody uses up those of others. */
const MAX_OF_SUBJECT = 100;
/** What every ticket begins with, so that it is told from a token; then come who issued it, and what nobody guesses. */
const PREFIX = "twt_";
const SHAPE = /^twt_([A-Za-z0-9_-]{11})[A-Za-z0-9_-]{43}$/;
const ISSUER_BYTES = 8;
const RANDOM_BYTES = 32;

type Out = { readonly access: Access; readonly expiresAtMs: number };

/**
 * Tickets stand for their callers' tokens where those would be seen, such as in URLs: they are good for 30 s, and once. What
 * comes of a ticket ends when the token ends that it was made of.
 */
export class Tickets implements Authenticator {
  readonly #options: TicketOptions;
  /** The name by which other gateways ask us: 11 characters of base64url. */
  readonly issuer: string = randomText(ISSUER_BYTES);
  /** Those not used yet, the oldest first; and how many they are of each subject. */
  readonly #out = new Map<string, Out>();
  readonly #bySubject = new Map<string, number>();

  constructor(options: TicketOptions) {
    this.#options = options;
  }

  /** Whether a token is a ticket by its look. */
  static isTicket(token: string): boolean {
    return token.startsWith(PREFIX);
  }

  /** Makes a ticket; undefined where too many are out. */
  issue(access: Access): Ticket | undefined {
    const nowMs = this.#options.now();
    for (const [ticket, { expiresAtMs }] of this.#out) {
      if (expiresAtMs > nowMs) break;
      this.#take(ticket);
    }
    const outOfSubject = this.#bySubject.get(access.subject) ?? 0;
    if (this.#out.size >= MAX_TICKETS || outOfSubject >= MAX_OF_SUBJECT) return undefined;
    const made = this.blank(access);
    this.#out.set(made.ticket, { access, expiresAtMs: made.expiresAtMs });
    this.#bySubject.set(access.subject, outOfSubject + 1);
    return made;
  }

  /** A ticket that nobody remembers, for where none is asked for. */
  blank({ expiresAtMs = Infinity }: Pick<Access, "expiresAtMs"> = {}): Ticket {
    const ticket = PREFIX + this.issuer + randomText(RANDOM_BYTES);
    return { ticket, expiresAtMs: Math.min(this.#options.now() + TICKET_MS, expiresAtMs) };
  }

  /** What a ticket of ours stands for; it is used up by that. Undefined where it is none of ours, or has ended. */
  redeem(ticket: string): Access | undefined {
    const out = this.#take(ticket);
    return out !== undefined && out.expiresAtMs > this.#options.now() ? out.access : undefined;
  }

  #take(ticket: string): Out | undefined {
    const out = this.#out.get(ticket);
    if (out === undefined) return undefined;
    this.#out.delete(ticket);
    const { subject } = out.access;
    const left = (this.#bySubject.get(subject) ?? 0) - 1;
    if (left > 0) this.#bySubject.set(subject, left);
    else this.#bySubject.delete(subject);
    return out;
  }

  /** See {@link Authenticator}. */
  async authenticate(ticket: string): Promise<Access> {
    const [, issuer] = SHAPE.exec(ticket) ?? [];
    const access = issuer === undefined
      ? undefined
      : issuer === this.issuer
      ? this.redeem(ticket)
      : await this.#options.askIssuer?.(issuer, ticket);
    if (access === undefined) throw new AccessError("invalid", "the ticket is not valid, or was used");
    return access;
  }
}

function randomText(bytes: number): string {
  return crypto.getRandomValues(new Uint8Array(bytes)).toBase64({ alphabet: "base64url", omitPadding: true });
}
