import { harmless } from "./text_width.ts";

/** What a program's output says about how far it is. `current`: what else stands beside it, which may be nothing. */
export type SaidProgress =
  | { readonly completed: number; readonly total: number; readonly current: string }
  | { readonly percentage: number; readonly current: string };

/** A {@link SaidProgress}, and where in the text it ends. */
export type FoundProgress = { readonly said: SaidProgress; readonly end: number };

type Match = { readonly start: number; readonly end: number; readonly said: SaidProgress };

const MAX_CURRENT = 200;

/** Not within a longer number, a date or a path. */
const FRACTION =
  /(?<![\w/-]|(?<!\.)\.)(\d{1,15}(?:\.\d{1,6})?)\s?\/\s?(\d{1,15}(?:\.\d{1,6})?)(?![\w/]|\.\d|-\d)/g;
const PERCENT = /(?<![\w/-]|(?<!\.)\.)(\d{1,3}(?:\.\d{1,6})?)\s?%/g;
/** What stands between two numbers of which the second is only the first, later. */
const BETWEEN = /^[\s.,…]*$/;
// Node's stripVTControlCharacters leaves the words of titles and links, and with them the numbers that are in there.
const ESCAPE = "\u001b";
/** What begins with it: what colours and moves, the words of a title or a link, and the rest. */
const SEQUENCE = /^(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_]\P{Cc}*\p{Cc}?|[ -/]*[0-Z\\^-~])/u;
/** A sequence whose end is still to come. */
const UNFINISHED = /^(?:\[[0-?]*[ -/]*|[\]PX^_]\P{Cc}*|[ -/]*)$/u;

/** `text` without what only colours or moves, and the beginning of such a sequence that it may end with. Pure. */
export function cleaned(text: string): { readonly clean: string; readonly unfinished: string } {
  const [first = "", ...others] = text.split(ESCAPE);
  const unfinished = others.length > 0 && UNFINISHED.test(others.at(-1) ?? "")
    ? `${ESCAPE}${others.pop()}`
    : "";
  return { clean: harmless(first + others.map((part) => part.replace(SEQUENCE, "")).join("")), unfinished };
}

/**
 * How far a program is by a clean text that holds `n/m`, else `n%`; undefined where it holds neither. The first counts, or
 * what follows it at once and is like it (`10% 20% 30%`). Where `before` was said in the same line, only what is of its
 * kind counts, a fraction of the same total or a percentage. Pure.
 */
export function progressIn(text: string, before?: SaidProgress): FoundProgress | undefined {
  const [first, ...others] = numbersOf(text, before);
  if (first === undefined) return undefined;
  let last = first;
  for (const next of others) {
    if (!areAlike(first.said, next.said) || !BETWEEN.test(text.slice(last.end, next.start))) break;
    last = next;
  }
  return {
    said: { ...last.said, current: wordsOf(text.slice(0, first.start), text.slice(last.end)) },
    end: last.end,
  };
}

function numbersOf(text: string, before: SaidProgress | undefined): readonly Match[] {
  const isLike = ({ said }: Match): boolean => before === undefined || areAlike(said, before);
  const fractions = [...text.matchAll(FRACTION)].flatMap(({ 0: all, 1: n, 2: m, index }): Match[] => {
    const [completed, total] = [Number(n), Number(m)];
    if (total === 0 || completed > total) return [];
    return [{ start: index, end: index + all.length, said: { completed, total, current: "" } }];
  }).filter(isLike);
  if (fractions.length > 0) return fractions;
  return [...text.matchAll(PERCENT)].flatMap(({ 0: all, 1: n, index }): Match[] => {
    const percentage = Number(n);
    if (percentage > 100) return [];
    return [{ start: index, end: index + all.length, said: { percentage, current: "" } }];
  }).filter(isLike);
}

function areAlike(one: SaidProgress, other: SaidProgress): boolean {
  return ("total" in one ? one.total : undefined) === ("total" in other ? other.total : undefined);
}

/** What is before and after a number without what held that; nothing where no letter is left. */
function wordsOf(before: string, after: string): string {
  const words = `${before.replace(/[[(|]\s*$/, "")} ${after.replace(/^\s*[\])|]/, "")}`
    .replaceAll(/\s+/g, " ").replaceAll(/^[ :;,|–-]+|[ :;,|–-]+$/g, "");
  return /\p{L}/u.test(words) ? words.slice(0, MAX_CURRENT) : "";
}
