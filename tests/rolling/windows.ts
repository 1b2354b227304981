/** The width of the windows in which reconnects are counted, ms. */
export const WINDOW_MS = 100;

const BARS = "▁▂▃▄▅▆▇█";

/** The most of these moments that lie within one window, wherever it begins. */
export function mostInAWindow(momentsMs: readonly number[]): number {
  const sorted = momentsMs.toSorted((a, b) => a - b);
  let [most, first] = [0, 0];
  for (const [last, momentMs] of sorted.entries()) {
    while (momentMs - (sorted[first] ?? momentMs) >= WINDOW_MS) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** How many of these moments lie in each window, the first of which begins at `fromMs`. */
export function histogram(momentsMs: readonly number[], fromMs: number): number[] {
  const counts: number[] = [];
  for (const momentMs of momentsMs) {
    const window = Math.max(0, Math.floor((momentMs - fromMs) / WINDOW_MS));
    while (counts.length <= window) counts.push(0);
    counts[window] = (counts[window] ?? 0) + 1;
  }
  return counts;
}

/** A bar for each window; a blank where there was nothing. */
export function bars(counts: readonly number[]): string {
  const most = Math.max(1, ...counts);
  return counts.map((count) => count === 0 ? " " : BARS[Math.ceil(count / most * BARS.length) - 1]).join("");
}
