import type { LinkInput } from "./link.ts";

/** Tells of the network's coming and going, and of a tab that is seen again; returns how to stop that. */
export function listenToDevice(tell: (input: LinkInput) => void): () => void {
  const stop = new AbortController();
  // Not every runtime is a browser.
  const listen = (target: Partial<EventTarget> | undefined, type: string, hear: () => void): void => {
    target?.addEventListener?.(type, hear, stop);
  };
  const { document } = globalThis as { document?: { readonly visibilityState: string } & EventTarget };
  listen(globalThis, "online", () => tell({ kind: "online" }));
  listen(globalThis, "offline", () => tell({ kind: "offline" }));
  listen(
    document,
    "visibilitychange",
    () => document?.visibilityState === "visible" && tell({ kind: "shown" }),
  );
  return () => stop.abort();
}
