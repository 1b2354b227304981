import type { Socket } from "./socket.ts";
import { type HowEnded, type TabMessage, tabMessage } from "./tab_message.ts";
import { type Channel, lock, type TabPage } from "./tab_page.ts";

/** A link to a leader, and what is heard of it. After `ended` nothing more. */
export type LinkOptions = {
  readonly page: TabPage;
  readonly leader: string;
  /** What the channel is called on which the leader speaks. */
  readonly channel: string;
  readonly post: (message: TabMessage) => void;
  readonly message: (text: string) => void;
  readonly ended: (how: HowEnded) => void;
};

/** That it takes what comes a link says after so many characters. */
const ACKNOWLEDGED = 1024 * 1024;

/**
 * Opens what carries frames to the tab that leads as a WebSocket does to a gateway. A lock of its name stands for it: the
 * leader queues for that, and so knows of the end of every link, whatever becomes of its tab.
 */
export function openLink({ page, leader, channel, post, message, ended }: LinkOptions): Socket {
  const id = crypto.randomUUID();
  let taken = 0;
  const frames = join(page, channel, ([kind, , to, text]) => {
    if (!to.includes(id)) return;
    if (kind === "end") return ended(text === "alone" || text === "later" ? text : "again");
    taken += text.length;
    if (taken > ACKNOWLEDGED) {
      taken = 0;
      post(["say", id, leader, ""]);
    }
    message(text);
  });
  const release = lock(page, id, "queue", { granted: () => post(["open", id, leader, ""]) });
  return {
    send: (text) => post(["say", id, leader, text]),
    close() {
      frames.close();
      release();
    },
  };
}

/** Joins everybody on the channel of this name, and hears what is said there by the others. */
export function join(page: TabPage, name: string, hear: (message: TabMessage) => void): Channel {
  const channel = new page.BroadcastChannel(name);
  channel.onmessage = ({ data }) => {
    const message = tabMessage(data);
    if (message !== undefined) hear(message);
  };
  return channel;
}
