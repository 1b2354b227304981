import type { Client, ConnectionState, Store } from "../client/client.ts";
import { LiveStore } from "../client/store.ts";
import { type Second, Traffic } from "./traffic.ts";

/** How the connection does. */
export type LiveView = {
  readonly state: ConnectionState;
  /** Whether everything missed is there. */
  readonly isLive: boolean;
  /** The furthest position of the stream that was heard of. */
  readonly head: number;
  /** The last minute, a second each. */
  readonly seconds: readonly Second[];
};

/** The connection's own store: it changes with the connection, and once a second. */
export function liveStore(client: Client): Store<LiveView> {
  const initial: LiveView = { state: client.state, isLive: false, head: 0, seconds: [] };
  return new LiveStore<LiveView>(initial, (set) => {
    const traffic = new Traffic();
    let isLive = false;
    const show = (): void =>
      set(() => ({ state: client.state, isLive, head: traffic.head, seconds: traffic.seconds }));
    const endOfState = client.onState(show);
    const { unsubscribe } = client.subscribe(["task:list", "task:progress"], (frame) => {
      const wasUnknown = traffic.head === 0;
      traffic.note(frame, { isLive, nowMs: Date.now() });
      if (wasUnknown && traffic.head > 0) show();
    }, {
      onLive: (now) => {
        isLive = now;
        show();
      },
    });
    const timer = setInterval(() => {
      traffic.tick();
      show();
    }, 1_000);
    show();
    return () => {
      clearInterval(timer);
      endOfState();
      unsubscribe();
    };
  });
}

/** How late what came in the last seconds was, ms; null where nothing came. */
export function recentLagMs(seconds: readonly Second[]): number | null {
  const lags = seconds.slice(-3).flatMap(({ lagMs }) => lagMs === null ? [] : [lagMs]);
  return lags.at(-1) ?? null;
}
