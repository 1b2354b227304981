import { assertEquals } from "@std/assert";
import {
  elapsedMs,
  formatCount,
  formatPercentage,
  formatRate,
  formatSpan,
  formatTime,
} from "../../src/dashboard/formats.ts";

Deno.test("a time span is told in its two greatest units", () => {
  const told: readonly (readonly [number, string])[] = [
    [-5, "0 ms"],
    [0, "0 ms"],
    [999, "999 ms"],
    [1_000, "1.0 s"],
    [9_949, "9.9 s"],
    [9_960, "10 s"],
    [59_400, "59 s"],
    [59_600, "1 min"],
    [125_000, "2 min 5 s"],
    [3_600_000, "1 h"],
    [3_599_600, "1 h"],
    [5_400_000, "1 h 30 min"],
    [86_400_000, "1 d"],
    [100_000_000, "1 d 3 h"],
  ];
  for (const [ms, text] of told) assertEquals(formatSpan(ms, "en"), text, String(ms));
  assertEquals(formatSpan(125_000, "zh"), "2 分 5 秒");
});

Deno.test("a rate has three digits, whatever its size", () => {
  const told = [[0, "0/s"], [0.0421, "0.042/s"], [1.234, "1.23/s"], [99.96, "100/s"], [
    123.4,
    "123/s",
  ]] as const;
  for (const [rate, text] of told) assertEquals(formatRate(rate, "en"), text);
  assertEquals([formatRate(1_234, "en"), formatRate(56_789, "zh")], ["1.2k/s", "57k/秒"]);
});

Deno.test("nothing is 100% before it is", () => {
  const told = [[0, "0%"], [33.33, "33.3%"], [50, "50%"], [99.99, "99.9%"], [100, "100%"]] as const;
  for (const [percentage, text] of told) assertEquals(formatPercentage(percentage), text);
});

Deno.test("a number has its thousands set apart", () => {
  assertEquals([formatCount(1_234_567, "en"), formatCount(0.125, "en")], ["1,234,567", "0.13"]);
});

Deno.test("a moment of today is told without its day, and what is no time stays as it is", () => {
  const noon = new Date(2026, 0, 2, 12, 0, 0).getTime();
  assertEquals(formatTime(new Date(noon).toISOString(), noon, "en"), "12:00:00");
  assertEquals(formatTime(new Date(noon - 86_400_000).toISOString(), noon, "en"), "01/01/2026, 12:00:00");
  assertEquals(formatTime("soon", noon, "en"), "soon");
});

Deno.test("a task is at it until it ends, and one that never began is not", () => {
  const start = "2026-01-02T03:04:05.000Z";
  assertEquals(elapsedMs(start, null, Date.parse(start) + 1_500), 1_500);
  assertEquals(elapsedMs(start, "2026-01-02T03:05:05.000Z", 0), 60_000);
  assertEquals(elapsedMs(start, null, 0), 0, "a clock that is behind the gateway's");
  assertEquals(elapsedMs(null, null, 0), null);
  assertEquals(elapsedMs(start, null, undefined), null, "at a moment of the past that is not known");
});
