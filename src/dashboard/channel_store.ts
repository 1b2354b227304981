import type { Client, Replay, Store } from "../client/client.ts";
import { LiveStore } from "../client/store.ts";
import { ChannelModel } from "./channel_model.ts";

/** A channel as its page shows it. */
export type ChannelView = {
  /** The same object while the page is open; what is in it is other. */
  readonly model: ChannelModel;
  /** Whether everything missed is there. */
  readonly isLive: boolean;
  /** Values that came in the last second. */
  readonly perSecond: number;
  /** Why the channel cannot be followed. */
  readonly error: unknown;
};

/** The page is drawn anew so often at most, ms, however many values come. */
const SHOWN_EVERY_MS = 200;

/** The values of a channel as they come: from what is so now on, or from as far back as the log goes. */
export function channelStore(client: Client, topic: string, replay: Replay): Store<ChannelView> {
  const initial: ChannelView = { model: new ChannelModel(), isLive: false, perSecond: 0, error: undefined };
  return new LiveStore<ChannelView>(initial, (set) => {
    const model = new ChannelModel();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let counted = 0;
    const change = (part: Partial<ChannelView>): void => set((view) => ({ ...view, ...part, model }));
    const { unsubscribe } = client.subscribe(topic, (frame) => {
      if (!("topic" in frame.data)) return;
      const { key = "", payload } = frame.data;
      model.take({ key, payload, atMs: frame.timestamp, seq: frame.seq ?? 0 });
      timer ??= setTimeout(() => {
        timer = undefined;
        change({});
      }, SHOWN_EVERY_MS);
    }, {
      replay,
      onLive: (isLive) => change({ isLive }),
      onError: (error) => change({ error }),
    });
    const second = setInterval(() => {
      const perSecond = model.taken - counted;
      counted = model.taken;
      change({ perSecond });
    }, 1_000);
    return () => {
      clearTimeout(timer);
      clearInterval(second);
      unsubscribe();
    };
  });
}
