import { type Access, EVERYBODY } from "./access.ts";
import { AccessError, type Authenticator, MAX_TOKEN_CHARS } from "./authenticator.ts";
import { type Ticket, type TicketOptions, Tickets } from "./tickets.ts";

/** Who may come in: whoever shows a token or a ticket; or everybody. */
export class Gate implements Authenticator {
  readonly #tokens: Authenticator | undefined;
  readonly #tickets: Tickets;

  /** Without `tokens` everybody may do everything. */
  constructor(tokens: Authenticator | undefined, tickets: TicketOptions) {
    this.#tokens = tokens;
    this.#tickets = new Tickets(tickets);
  }

  /** What they may who show no token; undefined where nothing. */
  get withoutToken(): Access | undefined {
    return this.#tokens === undefined ? EVERYBODY : undefined;
  }

  /** What a token or a ticket stands for. Rejects with an {@link AccessError}. Where none are asked for, any is as good as none. */
  async authenticate(token: string): Promise<Access> {
    if (this.#tokens === undefined) return EVERYBODY;
    if (token.length > MAX_TOKEN_CHARS) throw new AccessError("invalid", "the token is too long");
    return await (Tickets.isTicket(token) ? this.#tickets : this.#tokens).authenticate(token);
  }

  /** Makes a ticket; undefined where too many are out. Where none are asked for, there is no such bound. */
  issue(access: Access): Ticket | undefined {
    return this.#tokens === undefined ? this.#tickets.blank() : this.#tickets.issue(access);
  }

  /** The name by which other gateways ask for tickets that we made. */
  get issuer(): string {
    return this.#tickets.issuer;
  }

  /** What a ticket that we made stands for, for another gateway. */
  redeem(ticket: string): Access | undefined {
    return this.#tickets.redeem(ticket);
  }
}
