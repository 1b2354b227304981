import type { PressedOn } from "./keys.ts";

/** What kind of thing a key was pressed on. */
export function pressedOn(target: EventTarget | null): PressedOn {
  if (!(target instanceof Element)) return "page";
  if (target.closest("input:not([type=range]), textarea, select, dialog") !== null) return "field";
  return target.closest("a, button, summary, input") === null ? "page" : "control";
}
