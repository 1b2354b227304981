/** What a page has in common with others of its origin: the part of a browser's `window` that is used. */
export type TabPage = {
  readonly navigator: { readonly locks: Locks };
  readonly BroadcastChannel: new (name: string) => Channel;
  readonly document: { readonly visibilityState: string };
  addEventListener(type: string, listener: (event: { readonly type: string }) => void): void;
  removeEventListener(type: string, listener: (event: { readonly type: string }) => void): void;
};

/** The part of Web Locks that is used. */
export interface Locks {
  request(
    name: string,
    how: { readonly steal: true } | { readonly signal: AbortSignal },
    held: () => Promise<void> | undefined,
  ): Promise<unknown>;
}

/** The part of a BroadcastChannel that is used. */
export interface Channel {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/** This page, where the browser has what is needed. */
export function thisPage(): TabPage | undefined {
  // Which of these a runtime has is in no type.
  const page = globalThis as unknown as Partial<TabPage>;
  const isWhole = page.document && page.BroadcastChannel && page.navigator?.locks;
  return isWhole ? page as TabPage : undefined;
}

/** What becomes of a lock. */
export type LockListener = {
  readonly granted: () => void;
  /** Another took it away; or it cannot be had. */
  readonly ended?: (why: "robbed" | "excluded") => void;
};

/**
 * Queues for a lock, or takes it away from whoever has it. Returns how to leave the queue or give it back; after that
 * nothing is told any more.
 */
export function lock(
  { navigator }: TabPage,
  name: string,
  how: "queue" | "steal",
  { granted, ended }: LockListener,
): () => void {
  const leaving = new AbortController();
  const { signal } = leaving;
  // Who steals does not queue, and cannot be called off.
  navigator.locks.request(name, how === "steal" ? { steal: true } : { signal }, () => {
    if (signal.aborted) return;
    const given = new Promise<void>((give) => signal.addEventListener("abort", () => give()));
    granted();
    return given;
  }).catch((error: Partial<Error>) => {
    if (!signal.aborted) ended?.(error.name === "AbortError" ? "robbed" : "excluded");
  });
  return () => leaving.abort();
}
