import type { ConnectionState } from "./connection_state.ts";
import type { OpenSocket, Socket, SocketListener } from "./socket.ts";
import { TabGateway } from "./tab_gateway.ts";
import { type Lead, type LeadEffect, type LeadInput, stepLead, waitMs } from "./tab_lead.ts";
import { join, openLink } from "./tab_link.ts";
import { objectOf, type TabMessage } from "./tab_message.ts";
import { type Channel, lock, type TabPage, thisPage } from "./tab_page.ts";
import type { OwnConnection, SharedClient, TabRole, Tabs, TabShare } from "./tab_sharing.ts";

/** Tabs of another version of this code have nothing to do with those of this one. */
const VERSION = 2;
const ABNORMAL = 1006;

const INPUTS = {
  visibilitychange: "turned",
  pagehide: "leave",
  freeze: "leave",
  pageshow: "arrive",
  resume: "arrive",
} as const;

/**
 * For `connect(url, { tabs: shareTabs() })`: tabs of one origin share one connection to the gateway, those of the same url,
 * `clientId` and `owner`. `owner` says whose it is, a user's id, say: where there are tokens it must be given, since all
 * who share see what the token of any of them may. Without Web Locks and BroadcastChannel (in Node, say, in old browsers, or
 * on pages that are not secure) each has a connection of its own. `page` is for tests.
 */
export function shareTabs(owner?: string, page: TabPage | undefined = thisPage()): Tabs {
  return (own) =>
    page === undefined || (own.token !== undefined && owner === undefined)
      ? undefined
      : new Share(page, own, owner);
}

/** What a leader tells of itself. */
type Leader = { readonly state?: ConnectionState; readonly isLate?: boolean; readonly hiddenAtMs?: number };

/** To its client it is a network: what that opens is a socket where its tab leads, and else a link to the leader. */
class Share implements TabShare {
  readonly #page: TabPage;
  readonly #own: OwnConnection;
  readonly #name: string;
  #lead: Lead = { kind: "away" };
  #client: SharedClient | undefined;
  #channel: Channel | undefined;
  #serving: { readonly id: string; readonly gateway: TabGateway; readonly frames: Channel } | undefined;
  /** How the connection of the leader stands that is followed. */
  #leaderState: ConnectionState | undefined;
  #wasLate: boolean | undefined;
  #hiddenAtMs: number | undefined;
  /** Whether the client has a socket, and whether it leaves that only for another. */
  #isOpen = false;
  #isMoving = false;
  /** Gives the lock back, or leaves its queue. */
  #give: () => void = () => {};
  #callOff: () => void = () => {};

  constructor(page: TabPage, own: OwnConnection, owner: string | undefined) {
    this.#page = page;
    this.#own = own;
    this.#name = `taskwire ${JSON.stringify([VERSION, own.url, own.clientId, owner])}`;
  }

  begin(client: SharedClient): void {
    this.#client = client;
    const listen = ({ type }: { readonly type: string }): void =>
      this.#step(INPUTS[type as keyof typeof INPUTS]);
    for (const type of Object.keys(INPUTS)) this.#page.addEventListener(type, listen);
    client.onState(({ kind }) => {
      if (kind === "waiting") this.#serving?.gateway.down();
      if (kind !== "closed") return this.#announce();
      for (const type of Object.keys(INPUTS)) this.#page.removeEventListener(type, listen);
      this.#step("leave");
    });
    this.#step("arrive");
  }

  get role(): TabRole {
    const { kind } = this.#lead;
    return kind === "alone" ? "own" : kind === "leading" ? kind : "following";
  }

  shown(own: ConnectionState): ConnectionState {
    const leader = this.#lead.kind === "following" && this.#lead.leader ? this.#leaderState : undefined;
    if (leader === undefined || own.kind === "closed") return own;
    return own.kind !== "open" && leader.kind === "open" ? { kind: "connecting" } : leader;
  }

  readonly open: OpenSocket = (url, listener) => {
    const socket = this.#socket(url, listener);
    this.#isOpen = true;
    return {
      send: (text) => socket?.send(text),
      close: () => {
        this.#isOpen = false;
        socket?.close();
        // The client gives it up: it fell silent, say.
        if (!this.#isMoving) this.#step("lost");
      },
    };
  };

  /** By the way that is right now: none, until a leader was heard of. */
  #socket(url: string, { message, ended }: SocketListener): Socket | undefined {
    const lead = this.#lead;
    if (lead.kind === "leading" || lead.kind === "alone") return this.#own.open(url, { message, ended });
    if (lead.kind === "away" || lead.leader === undefined) return undefined;
    const { leader } = lead;
    return openLink({
      page: this.#page,
      leader,
      channel: this.#name + leader,
      post: this.#post,
      message,
      ended: (how) => {
        if (how === "alone") this.#step("excluded");
        else if (how === "later") this.#moving(() => ended(ABNORMAL));
        else {
          this.#step("lost");
          this.#move();
        }
      },
    });
  }

  /** Does what ends the socket there is, without that being the leader's fault. */
  #moving(run: () => void): void {
    this.#isMoving = true;
    run();
    this.#isMoving = false;
  }

  #move(): void {
    this.#client?.late(false);
    this.#moving(() => this.#client?.anew());
  }

  #step(input: LeadInput): void {
    const isSeen = this.#page.document.visibilityState === "visible";
    const nowMs = this.#own.clock.now();
    this.#hiddenAtMs = isSeen ? undefined : this.#hiddenAtMs ?? nowMs;
    const [lead, effects] = stepLead(this.#lead, input);
    this.#lead = lead;
    const isIn = lead.kind === "following" || lead.kind === "leading";
    if (isIn) this.#channel ??= join(this.#page, this.#name, (message) => this.#heard(message));
    if (lead.kind !== "leading") this.#serveNobody();
    else if (this.#serving === undefined) this.#serve();
    for (const effect of effects) this.#perform(effect);
    if (!isIn) {
      this.#channel?.close();
      this.#channel = undefined;
    }
    this.#callOff();
    const ms = waitMs(this.#lead, nowMs, isSeen);
    if (ms !== undefined) this.#callOff = this.#own.clock.after(ms, () => this.#step("waited"));
  }

  #perform(effect: LeadEffect): void {
    switch (effect) {
      case "queue":
      case "steal":
        // Who steals leaves the queue.
        this.#give();
        this.#give = lock(this.#page, this.#name, effect, {
          granted: () => this.#step("granted"),
          ended: (why) => this.#step(why),
        });
        return;
      case "release":
        return this.#give();
      case "ask":
        return this.#post(["ask", "", "", ""]);
      case "announce":
        return this.#announce();
      case "move":
        return this.#move();
    }
  }

  #heard([kind, from, to, text]: TabMessage): void {
    const { id, gateway } = this.#serving ?? {};
    switch (kind) {
      case "ask":
        return this.#step("asked");
      case "lead": {
        const { state, isLate, hiddenAtMs } = objectOf(text) as Leader;
        this.#leaderState = state;
        this.#step({ leader: from, hiddenAtMs });
        if (this.#lead.kind !== "following") return;
        // What it waits for may be there.
        if (!this.#isOpen) this.#move();
        this.#client?.late(isLate === true);
        return this.#client?.tellState();
      }
      case "open":
        if (to === id) gateway?.open(from);
        return;
      case "say":
        if (to === id) gateway?.said(from, text);
        return;
      case "hear":
      case "end":
        // Those are for links, on a channel of their own.
        return;
    }
  }

  /** Serves the others, under a name that was never used: what was meant for another time is heard by nobody. */
  #serve(): void {
    const page = this.#page;
    if (this.#client === undefined) return;
    const id = crypto.randomUUID();
    const frames = join(page, this.#name + id, () => {});
    const gateway = new TabGateway(this.#client, {
      hear: (links, text) => frames.postMessage(["hear", id, links, text]),
      end: (link, how) => frames.postMessage(["end", id, link, how]),
      watch: (link, granted) => lock(page, link, "queue", { granted }),
      turned: () => this.#client?.isLate !== this.#wasLate && this.#announce(),
      stuck: () => this.#serving?.id === id && this.#serveAnew(),
    });
    this.#serving = { id, gateway, frames };
  }

  /** Those who listen are with it again elsewhere, and nothing more waits for the one that does not. */
  #serveAnew(): void {
    this.#serveNobody();
    this.#serve();
    this.#announce();
  }

  #serveNobody(): void {
    this.#serving?.gateway.close();
    this.#serving?.frames.close();
    this.#serving = undefined;
  }

  #announce(): void {
    if (this.#serving === undefined) return;
    const { state, isLate } = this.#client ?? {};
    this.#wasLate = isLate;
    const text = JSON.stringify({ state, isLate, hiddenAtMs: this.#hiddenAtMs });
    this.#post(["lead", this.#serving.id, "", text]);
  }

  readonly #post = (message: TabMessage): void => this.#channel?.postMessage(message);
}
