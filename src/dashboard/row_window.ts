/** The rows of a long list that are in the page: `first` to `end`, `end` excluded; `topPx` is where the first lies. */
export type RowWindow = { readonly first: number; readonly end: number; readonly topPx: number };

/** What is seen of a long list, in px. */
export type Viewport = { readonly scrollPx: number; readonly heightPx: number; readonly rowPx: number };

/** So many rows above and below are in the page too, so that none is missing while it scrolls. */
const OVERSCAN = 6;

/** The rows that are to be in the page. */
export function rowWindow(count: number, { scrollPx, heightPx, rowPx }: Viewport): RowWindow {
  const top = Math.min(Math.max(scrollPx, 0), Math.max(count * rowPx - heightPx, 0));
  const first = Math.max(Math.floor(top / rowPx) - OVERSCAN, 0);
  const end = Math.min(Math.ceil((top + heightPx) / rowPx) + OVERSCAN, count);
  return { first, end, topPx: first * rowPx };
}

/** Where to scroll so that row `index` is wholly seen; where it is, if it is. */
export function scrollTo(index: number, { scrollPx, heightPx, rowPx }: Viewport): number {
  const top = index * rowPx;
  if (top < scrollPx) return top;
  if (top + rowPx > scrollPx + heightPx) return Math.max(top + rowPx - heightPx, 0);
  return scrollPx;
}

/**
 * Where to scroll so that what was seen stays where it is when rows came or went above it: `was` and `is` are the row
 * that is held on to, before and after. At the top nothing is held: what is new is to be seen there.
 */
export function anchored(scrollPx: number, rowPx: number, was: number, is: number): number {
  return scrollPx <= 0 || was < 0 || is < 0 ? scrollPx : Math.max(scrollPx + (is - was) * rowPx, 0);
}
