import type { LinkInput } from "./link.ts";

/** Tells of the network's coming and going, and of a tab that is seen again; returns how to stop that. */
export function listenToDevice(tell: (input: LinkInput) => void): () => void {
  const target: unknown = globalThis;
  if (!(target instanceof EventTarget) || typeof globalThis.addEventListener !== "function") return () => {};
  const online = () => tell({ kind: "online" });
  const offline = () => tell({ kind: "offline" });
  const document = (globalThis as { document?: { readonly visibilityState: string } & EventTarget }).document;
  const shown = () => document?.visibilityState === "visible" && tell({ kind: "shown" });
  globalThis.addEventListener("online", online);
  globalThis.addEventListener("offline", offline);
  document?.addEventListener("visibilitychange", shown);
  return () => {
    globalThis.removeEventListener("online", online);
    globalThis.removeEventListener("offline", offline);
    document?.removeEventListener("visibilitychange", shown);
  };
}
