import { formatCount, formatQuantity, formatRate, formatSpan, formatTime, type Language } from "./formats.ts";
import { fill, languageFor, type TextKey, TEXTS } from "./texts.ts";

/** The language of whoever reads: one for the life of the page. */
const language: Language = languageFor(globalThis.navigator?.languages ?? []);

/** The text of that name in the reader's language. */
export function say(key: TextKey, values?: Readonly<Record<string, string | number>>): string {
  return fill(TEXTS[language][key], values);
}

/** The reader's language as HTML names it. */
export const htmlLanguage = language === "en" ? "en" : "zh-CN";

/** Quantities as the reader writes them: see the functions of the same names. */
export const span = (ms: number): string => formatSpan(ms, language);
/** Items a second. */
export const perSecond = (rate: number): string => formatRate(rate, language);
/** A number. */
export const count = (number: number): string => formatCount(number, language);
/** What somebody measured. */
export const quantity = (value: number): string => formatQuantity(value, language);
/** A moment, RFC 3339. */
export const moment = (time: string): string => formatTime(time, Date.now(), language);
