import { type Client, connect } from "../client/client.ts";
import { shareTabs } from "../client/tab_share.ts";

/** Who looks: whoever may do so without a token, whoever has shown one, or somebody who has to show one first. */
export type Visitor =
  | { readonly kind: "unknown" }
  | { readonly kind: "known"; readonly client: Client }
  /** `refused`: why the token is good for nothing that was shown last. */
  | { readonly kind: "asked"; readonly refused?: string };

/** Where a token is kept while the tab is open. */
const KEY = "taskwire.token";
const UNAUTHORIZED = 4401;

/** The token of this tab, and what the gateway says to it. */
export class Session {
  readonly #base: string;
  #tell: (visitor: Visitor) => void = () => {};
  #client: Client | undefined;

  /** `base`: where the gateway is that serves the page. */
  constructor(base: string) {
    this.#base = base;
  }

  /** The token that was shown; undefined where none was. */
  get token(): string | undefined {
    return sessionStorage.getItem(KEY) ?? undefined;
  }

  /** Asks the gateway whether it wants a token, and tells from then on. */
  begin(tell: (visitor: Visitor) => void): void {
    this.#tell = tell;
    void this.#look();
  }

  /** Shows a token. */
  show(token: string): void {
    sessionStorage.setItem(KEY, token);
    void this.#look();
  }

  /** Forgets the token. */
  forget(refused?: string): void {
    sessionStorage.removeItem(KEY);
    this.#client?.close();
    this.#client = undefined;
    this.#tell(refused === undefined ? { kind: "asked" } : { kind: "asked", refused });
  }

  /** A gateway that is away is waited for by the client: only that it wants another token is no use waiting for. */
  async #look(): Promise<void> {
    const { token } = this;
    const answer = await fetch(new URL("api/tasks?limit=1", this.#base), { headers: authorization(token) })
      .catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.status === 401) return this.forget(token === undefined ? undefined : "");
    // A token is its tab's own: who shows another in another tab sees something else.
    const shown = token === undefined ? { tabs: shareTabs() } : { token: () => this.token };
    const client = connect(new URL("ws", this.#base), shown);
    client.onState((state) => {
      if (state.kind === "closed" && state.code === UNAUTHORIZED) this.forget(state.why);
    });
    this.#client = client;
    this.#tell({ kind: "known", client });
  }
}

/** The headers that show a token. */
export function authorization(token: string | undefined): Readonly<Record<string, string>> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}
