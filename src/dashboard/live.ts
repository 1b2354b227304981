import type { Client, ConnectionState, Store } from "../client/client.ts";
import { LiveStore } from "../client/store.ts";
import { ServerClock } from "./server_clock.ts";
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
  /** What time it is for the gateway, ms since the epoch; for this device while nothing was heard of the gateway. */
  readonly nowMs: number;
};

/** The connection's own store: it changes with the connection, and once a second. */
export function liveStore(client: Client): Store<LiveView> {
  const initial: LiveView = { state: client.state, isLive: false, head: 0, seconds: [], nowMs: Date.now() };
  return new LiveStore<LiveView>(initial, (set) => {
    const clock = new ServerClock();
    const traffic = new Traffic();
    let isLive = false;
    const nowMs = (): number => clock.now(performance.now()) ?? Date.now();
    const show = (): void => {
      const { head, seconds } = traffic;
      set(() => ({ state: client.state, isLive, head, seconds, nowMs: nowMs() }));
    };
    const endOfState = client.onState(({ kind }) => {
      if (kind !== "open") traffic.down();
      show();
    });
    const { unsubscribe } = client.subscribe(["task:list", "task:progress"], (frame) => {
      const wasUnknown = traffic.head === 0;
      clock.heard(frame.timestamp, performance.now());
      traffic.note(frame, nowMs());
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
