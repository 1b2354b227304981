import * as v from "valibot";
import { type Access, RIGHTS } from "../access/access.ts";
import { Scope, TopicPattern } from "../access/scope.ts";
import { type Link, openLink } from "../nats/link.ts";
import type { NatsOptions } from "../nats/connect.ts";

/** Who we are among the gateways of one NATS, and how we answer them. */
export type PeersOptions = {
  readonly nats: NatsOptions;
  /** What every subject begins with. */
  readonly prefix: string;
  /** Our name, as it is in the tickets that we issue. */
  readonly issuer: string;
  /** What a ticket of ours stands for; it is used up by that. */
  readonly redeem: (ticket: string) => Access | undefined;
};

/** How long another gateway may take to answer, ms; one that is gone answers nothing. */
const ANSWER_MS = 2_000;

/** What one gateway tells another of a ticket. */
const Told = v.object({
  subject: v.string(),
  rights: v.array(v.picklist(RIGHTS)),
  topics: v.array(TopicPattern),
  expires_at: v.optional(v.number()),
});

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Gateways of one NATS take each other's tickets: whoever is shown one asks the gateway that issued it, which forgets it in the
 * same moment, so that it is good once whatever the number of gateways. Subject: `<prefix>.gateway.<issuer>.ticket`.
 */
export class TicketPeers implements AsyncDisposable {
  readonly #link: Link;
  readonly #prefix: string;

  private constructor(link: Link, prefix: string) {
    this.#link = link;
    this.#prefix = prefix;
  }

  /** Connects, and answers from then on. Rejects as `openLink` does. */
  static async open(
    { nats, prefix, issuer, redeem }: PeersOptions,
    signal: AbortSignal,
  ): Promise<TicketPeers> {
    const link = await openLink(nats, { signal });
    const peers = new TicketPeers(link, prefix);
    const listen = (connection: Link["connection"]): void => {
      connection?.subscribe(peers.#subjectOf(issuer), {
        callback: (error, message) => {
          if (error === null) message.respond(encoder.encode(told(redeem(decoder.decode(message.data)))));
        },
      });
    };
    listen(link.connection);
    link.watch(listen);
    return peers;
  }

  /** What a ticket of another gateway's stands for; undefined where it is none, or that gateway is gone. */
  async ask(issuer: string, ticket: string): Promise<Access | undefined> {
    const answer = await this.#link.connection
      ?.request(this.#subjectOf(issuer), encoder.encode(ticket), { timeout: ANSWER_MS })
      .catch(() => undefined); // nobody listens there, or nobody answered: then nobody knows the ticket
    if (answer === undefined || answer.data.length === 0) return undefined;
    const { subject, rights, topics, expires_at: expiresAtMs } = v.parse(
      v.pipe(v.string(), v.parseJson(), Told),
      decoder.decode(answer.data),
    );
    return {
      subject,
      rights: new Set(rights),
      scope: Scope.of(topics),
      ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    };
  }

  /** Leaves. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link[Symbol.asyncDispose]();
  }

  #subjectOf(issuer: string): string {
    return `${this.#prefix}.gateway.${issuer}.ticket`;
  }
}

function told(access: Access | undefined): string {
  if (access === undefined) return "";
  const { subject, rights, scope, expiresAtMs } = access;
  return JSON.stringify({ subject, rights: [...rights], topics: scope.patterns, expires_at: expiresAtMs });
}
