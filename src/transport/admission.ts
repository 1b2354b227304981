/** How many connections there may be: in all, per client_id, per address. */
export type AdmissionLimits = {
  readonly maxConnections: number;
  readonly maxPerClient: number;
  readonly maxPerAddress: number;
};

/** Which limit a connection would break. */
export type Refusal = {
  readonly limit: "MAX_CONNECTIONS" | "MAX_CONNECTIONS_PER_CLIENT" | "MAX_CONNECTIONS_PER_ADDRESS";
  readonly max: number;
};

/** Counts connections, and says which would be too many. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #byClient = new Map<string, number>();
  readonly #byAddress = new Map<string, number>();
  #all = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Counts a connection in and returns how to count it out again, or says which limit it breaks. */
  admit(clientId: string, address: string): { readonly release: () => void } | { readonly refusal: Refusal } {
    const refusal = this.#refusal(clientId, address);
    if (refusal !== undefined) return { refusal };
    this.#all++;
    add(this.#byClient, clientId, 1);
    add(this.#byAddress, address, 1);
    let released = false;
    return {
      release: () => {
        if (released) return;
        released = true;
        this.#all--;
        add(this.#byClient, clientId, -1);
        add(this.#byAddress, address, -1);
      },
    };
  }

  #refusal(clientId: string, address: string): Refusal | undefined {
    const { maxConnections, maxPerClient, maxPerAddress } = this.#limits;
    if (this.#all >= maxConnections) return { limit: "MAX_CONNECTIONS", max: maxConnections };
    if ((this.#byClient.get(clientId) ?? 0) >= maxPerClient) {
      return { limit: "MAX_CONNECTIONS_PER_CLIENT", max: maxPerClient };
    }
    if ((this.#byAddress.get(address) ?? 0) >= maxPerAddress) {
      return { limit: "MAX_CONNECTIONS_PER_ADDRESS", max: maxPerAddress };
    }
    return undefined;
  }
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count <= 0) counts.delete(key);
  else counts.set(key, count);
}
