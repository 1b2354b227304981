/** What numbers and times are written with. */
export type Language = "en" | "zh";

const UNITS = {
  en: { ms: " ms", s: " s", m: " min", h: " h", d: " d" },
  zh: { ms: " 毫秒", s: " 秒", m: " 分", h: " 小时", d: " 天" },
} as const;

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A time span in its two greatest units, such as `2 min 5 s`; whole seconds from 10 s on. */
export function formatSpan(ms: number, language: Language): string {
  const unit = UNITS[language];
  const span = Math.max(ms, 0);
  if (span < SECOND_MS) return `${Math.round(span)}${unit.ms}`;
  if (span < 9_950) return `${(span / SECOND_MS).toFixed(1)}${unit.s}`;
  const whole = Math.round(span / SECOND_MS) * SECOND_MS;
  if (whole < MINUTE_MS) return `${whole / SECOND_MS}${unit.s}`;
  const pairs = [[DAY_MS, unit.d, HOUR_MS, unit.h], [HOUR_MS, unit.h, MINUTE_MS, unit.m]] as const;
  for (const [bigMs, big, smallMs, small] of pairs) {
    if (whole >= bigMs) return twoUnits(whole, bigMs, big, smallMs, small);
  }
  return twoUnits(whole, MINUTE_MS, unit.m, SECOND_MS, unit.s);
}

function twoUnits(ms: number, bigMs: number, big: string, smallMs: number, small: string): string {
  const count = Math.floor(ms / bigMs);
  const rest = Math.floor((ms - count * bigMs) / smallMs);
  return rest === 0 ? `${count}${big}` : `${count}${big} ${rest}${small}`;
}

/** Items a second, three digits of it: `0.042/s`, `12.3/s`, `1.2k/s`. */
export function formatRate(rate: number, language: Language): string {
  const unit = language === "en" ? "/s" : "/秒";
  if (rate >= 10_000) return `${(rate / 1_000).toFixed(0)}k${unit}`;
  if (rate >= 1_000) return `${(rate / 1_000).toFixed(1)}k${unit}`;
  if (rate >= 100) return `${rate.toFixed(0)}${unit}`;
  return `${Number(rate.toPrecision(rate >= 1 ? 3 : 2))}${unit}`;
}

/** A number with its thousands set apart; at most two decimals. */
export function formatCount(count: number, language: Language): string {
  return count.toLocaleString(language === "en" ? "en-US" : "zh-CN", { maximumFractionDigits: 2 });
}

/** A quantity of any size as somebody measured it: with as many digits as count, eight at most. */
export function formatQuantity(value: number, language: Language): string {
  return value.toLocaleString(language === "en" ? "en-US" : "zh-CN", { maximumSignificantDigits: 8 });
}

/** A share of 100, with as many decimals as it has, two at most: never 100 before it is. */
export function formatPercentage(percentage: number): string {
  const floored = percentage < 100 ? Math.min(Math.floor(percentage * 10) / 10, 99.9) : 100;
  return `${floored % 1 === 0 ? floored.toFixed(0) : floored.toFixed(1)}%`;
}

/** A moment (RFC 3339) by the reader's clock; what is no time stays as it is. The day only where it is not today's. */
export function formatTime(time: string, nowMs: number, language: Language): string {
  const moment = new Date(time);
  if (Number.isNaN(moment.getTime())) return time;
  const isToday = moment.toDateString() === new Date(nowMs).toDateString();
  const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false } as const;
  return moment.toLocaleString(language === "en" ? "en-GB" : "zh-CN", {
    ...(isToday ? {} : { year: "numeric", month: "2-digit", day: "2-digit" }),
    ...clock,
  });
}

/**
 * How long a task has been at it, ms: until now while it runs; null where it never started, and where it ran still at a
 * moment of the past that is not known (`nowMs` undefined).
 */
export function elapsedMs(
  start: string | null,
  end: string | null,
  nowMs: number | undefined,
): number | null {
  const endMs = end === null ? nowMs : Date.parse(end);
  return start === null || endMs === undefined ? null : Math.max(endMs - Date.parse(start), 0);
}
