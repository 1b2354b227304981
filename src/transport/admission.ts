import type { ErrorBody } from "../protocol/server_frames.ts";

/** How many connections there may be: in all, per client_id, per address, per subject of a token. */
export type AdmissionLimits = {
  readonly maxConnections: number;
  readonly maxPerClient: number;
  readonly maxPerAddress: number;
  readonly maxPerSubject: number;
};

/** Which limit a connection would break. */
export type Refusal = {
  readonly limit:
    | "MAX_CONNECTIONS"
    | "MAX_CONNECTIONS_PER_CLIENT"
    | "MAX_CONNECTIONS_PER_ADDRESS"
    | "MAX_CONNECTIONS_PER_SUBJECT";
  readonly max: number;
};

/** Whose a connection is, as far as that is known. */
export type Admitted = {
  readonly clientId: string;
  readonly address: string;
  /** Of the token it showed; empty where none was asked for. */
  readonly subject?: string | undefined;
};

/** A connection that was counted in. */
export type Place = {
  /** Tells, late, whose token was shown; or which limit that breaks, which leaves all as it was. */
  readonly known: (subject: string) => Refusal | undefined;
  /** Counts it out again. */
  readonly release: () => void;
};

/**
 * Counts connections, and says which would be too many. A client_id is its subject's own: nobody uses up the places of
 * another by its name.
 */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #byClient = new Map<string, number>();
  readonly #byAddress = new Map<string, number>();
  readonly #bySubject = new Map<string, number>();
  #all = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Counts a connection in, or says which limit it breaks. */
  admit({ clientId, address, subject }: Admitted): { readonly place: Place } | { readonly refusal: Refusal } {
    const { maxConnections, maxPerAddress } = this.#limits;
    const refusal = this.#all >= maxConnections
      ? { limit: "MAX_CONNECTIONS", max: maxConnections } as const
      : (this.#byAddress.get(address) ?? 0) >= maxPerAddress
      ? { limit: "MAX_CONNECTIONS_PER_ADDRESS", max: maxPerAddress } as const
      : this.#refusalOf(clientId, subject);
    if (refusal !== undefined) return { refusal };
    this.#all++;
    add(this.#byAddress, address, 1);
    this.#count(clientId, subject, 1);
    let whose = subject;
    let released = false;
    return {
      place: {
        known: (shown) => {
          if (released || shown === whose) return undefined;
          this.#count(clientId, whose, -1);
          const refused = this.#refusalOf(clientId, shown);
          if (refused === undefined) whose = shown;
          this.#count(clientId, whose, 1);
          return refused;
        },
        release: () => {
          if (released) return;
          released = true;
          this.#all--;
          add(this.#byAddress, address, -1);
          this.#count(clientId, whose, -1);
        },
      },
    };
  }

  /** Whose client_id it is, is known with the subject: until then it is nobody's, and counts for nobody. */
  #count(clientId: string, subject: string | undefined, by: number): void {
    if (subject === undefined) return;
    add(this.#byClient, clientKey(clientId, subject), by);
    if (subject !== "") add(this.#bySubject, subject, by);
  }

  #refusalOf(clientId: string, subject: string | undefined): Refusal | undefined {
    const { maxPerClient, maxPerSubject } = this.#limits;
    if (subject === undefined) return undefined;
    if ((this.#byClient.get(clientKey(clientId, subject)) ?? 0) >= maxPerClient) {
      return { limit: "MAX_CONNECTIONS_PER_CLIENT", max: maxPerClient };
    }
    if ((this.#bySubject.get(subject) ?? 0) >= maxPerSubject) {
      return { limit: "MAX_CONNECTIONS_PER_SUBJECT", max: maxPerSubject };
    }
    return undefined;
  }
}

/** The last space ends the subject: a client_id has none. */
function clientKey(clientId: string, subject: string): string {
  return `${subject} ${clientId}`;
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count <= 0) counts.delete(key);
  else counts.set(key, count);
}

/** What an error frame says of a limit that a connection would break. */
export function tooMany({ limit, max }: Refusal): ErrorBody {
  const message = `too many connections: ${limit} is ${max}`;
  return { code: "LIMIT_EXCEEDED", message, details: { limit, max } };
}

/** Counts a connection among those of whose token it shows late; what is wrong, where that may not be. */
export function admitLate(place: Place): (subject: string) => ErrorBody | undefined {
  return (subject) => {
    const refusal = place.known(subject);
    return refusal && tooMany(refusal);
  };
}
