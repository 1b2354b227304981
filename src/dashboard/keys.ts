/** What a key asks of the page. */
export type KeyAction = "next" | "previous" | "open" | "back" | "search";

/** A key as it was pressed. */
export type Pressed = {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
};

/** What it was pressed on: a field to type in, something that takes Enter by itself (a link, a button), or the page. */
export type PressedOn = "field" | "control" | "page";

/** What a key means; undefined where it is none of ours: typing, and whatever the browser does with it, goes first. */
export function keyAction({ key, ctrlKey, metaKey, altKey }: Pressed, on: PressedOn): KeyAction | undefined {
  if (ctrlKey || metaKey || altKey) return undefined;
  if (key === "Escape") return "back";
  if (on === "field") return undefined;
  switch (key) {
    case "j":
      return "next";
    case "k":
      return "previous";
    case "/":
      return "search";
    case "Enter":
      return on === "page" ? "open" : undefined;
    default:
      return undefined;
  }
}
