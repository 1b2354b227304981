const KEY = new TextEncoder().encode('"seq":');
/** How far from its end a message is searched for its position. */
const SEARCHED_BYTES = 96;
const SEQ = /"seq":(\d+)/g;
const decoder = new TextDecoder();
const ZERO = 48;
const NINE = 57;

/**
 * The number after the last `"seq":` of a message, found by its bytes from the end, where a frame of the log carries
 * it; undefined where there is none.
 */
export function positionIn(bytes: Uint8Array, start: number, end: number): number | undefined {
  const least = Math.max(start, end - SEARCHED_BYTES);
  for (let at = end - KEY.length - 1; at >= least; at--) {
    if (!startsWith(bytes, at, KEY)) continue;
    let position = 0;
    let digit = at + KEY.length;
    for (; digit < end; digit++) {
      const byte = bytes[digit] ?? 0;
      if (byte < ZERO || byte > NINE) break;
      position = position * 10 + byte - ZERO;
    }
    return digit === at + KEY.length ? undefined : position;
  }
  return undefined;
}

/** Every number after a `"seq":` of a message that holds several frames, in order. */
export function positionsIn(message: Uint8Array): number[] {
  return Array.from(decoder.decode(message).matchAll(SEQ), ([, digits]) => Number(digits));
}

/** Whether `bytes` go on with `text` at `at`. */
export function startsWith(bytes: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false;
  return true;
}
