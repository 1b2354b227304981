import { RawPeer } from "../transport/raw_peer.ts";

/** A header of a request. */
export type Header = readonly [name: string, value: string];

/** The header that shows a token. */
export function bearer(token: string): Header {
  return ["Authorization", `Bearer ${token}`];
}

/** What has come together is taken together: as many as others can wait for. */
const AT_ONCE = 5;

/** What became of some connections: those that are served, and what the others were told and closed with. */
export type Crowd = Disposable & {
  readonly peers: readonly RawPeer[];
  readonly turnedAway: readonly unknown[];
};

/** Connects so many to the gateway at `port`, a few at once. */
export async function crowdOf(
  port: number,
  size: number,
  headersOf: (i: number) => readonly Header[],
  path = "/ws",
): Promise<Crowd> {
  const all: RawPeer[] = [];
  const served: RawPeer[] = [];
  const turnedAway: unknown[] = [];
  const connect = async (i: number): Promise<void> => {
    const peer = await RawPeer.connect(port, path, headersOf(i));
    all.push(peer);
    const first = JSON.parse(new TextDecoder().decode((await peer.next())?.payload));
    if (first.type === "welcome") return void served.push(peer);
    const close = await peer.next();
    const code = close === undefined ? undefined : new DataView(close.payload.buffer).getUint16(0);
    turnedAway.push([first.error.code, first.error.details.limit, first.error.details.max, code]);
    await peer.end();
  };
  for (let start = 0; start < size; start += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, size - start) }, (_, i) => connect(start + i)));
  }
  return {
    peers: served,
    turnedAway,
    [Symbol.dispose]: () => {
      for (const peer of all) peer[Symbol.dispose]();
    },
  };
}

let addresses = 0;
/** An address that nobody has come from yet, as the proxy tells it. */
export function newAddress(): string {
  addresses++;
  return `10.1.${addresses >> 8}.${addresses & 0xff}`;
}
