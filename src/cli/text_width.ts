/** Two columns wide in a terminal: the scripts of East Asia, full-width forms, and emoji. */
const WIDE =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]|^\p{Emoji_Presentation}/u;
/** No columns: what combines with the character before it. */
const COMBINING = /^[\p{Mn}\p{Me}\p{Cf}]/u;
/** What would move a cursor, colour what follows, or worse. */
const CONTROL = /[\p{Cc}\u2028\u2029]+/gu;
/** What turns the order of what follows around. */
const BIDI = /[\u202a-\u202e\u2066-\u2069]/g;

/** Foreign text as one line that a terminal only shows: whoever reports a task does not steer the terminal of who watches. */
export function harmless(text: string): string {
  return text.replaceAll(CONTROL, " ").replaceAll(BIDI, "");
}

/** As JSON on one line, in which nothing steers a terminal: it is there, escaped, for who parses it. */
export function harmlessJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** How many columns `text`, which is {@link harmless}, takes in a terminal. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

/** As much of `text` as fits in `columns`, with … where something is missing. */
export function fitted(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let width = 0;
  let kept = "";
  for (const character of text) {
    width += columnsOf(character);
    if (width > columns - 1) break;
    kept += character;
  }
  return columns < 1 ? "" : `${kept}…`;
}

/** `text` in exactly `columns`. */
export function padded(text: string, columns: number): string {
  const cut = fitted(text, columns);
  return cut + " ".repeat(Math.max(0, columns - widthOf(cut)));
}

function columnsOf(character: string): number {
  if (COMBINING.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
