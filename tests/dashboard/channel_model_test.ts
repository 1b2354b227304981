import { assertEquals } from "@std/assert";
import {
  candleIn,
  ChannelModel,
  type ChannelValue,
  columnsOf,
  fieldsOf,
  mainField,
  mainKey,
  MAX_POINTS,
  numberIn,
} from "../../src/dashboard/channel_model.ts";

function value(key: string, seq: number, payload: unknown): ChannelValue {
  return { key, seq, payload, atMs: seq };
}

function modelOf(...values: readonly ChannelValue[]): ChannelModel {
  const model = new ChannelModel();
  for (const one of values) model.take(one);
  return model;
}

Deno.test("of each key the newest value is held, and what came before it for the chart", () => {
  const model = modelOf(value("b", 1, 10), value("a", 2, 20), value("b", 4, 30), value("b", 3, 0));
  assertEquals(model.keys, ["a", "b"]);
  assertEquals([model.last("a")?.payload, model.last("b")?.payload, model.last("c")], [20, 30, undefined]);
  assertEquals(model.series("b").map(({ payload }) => payload), [10, 30]);
  assertEquals(model.taken, 3, "what is older than what is held changes nothing");
});

Deno.test("neither many keys nor many values grow it without bound", () => {
  const model = new ChannelModel();
  for (let seq = 1; seq <= 5_000; seq++) model.take(value("busy", seq, seq));
  const { length } = model.series("busy");
  assertEquals([length >= MAX_POINTS, length <= 2 * MAX_POINTS], [true, true]);
  assertEquals(model.series("busy").at(-1)?.payload, 5_000);
  for (let i = 0; i < 3_000; i++) model.take(value(`key${i}`, 6_000 + i, i));
  assertEquals(model.keys.length, 2_000);
  assertEquals(model.last("busy"), undefined, "the one that changed longest ago went");
  assertEquals(model.series("key2999").length, 1);
});

Deno.test("a chart finds the numbers by itself: equity and closes first, then whatever is a number", () => {
  assertEquals(fieldsOf({ time: "t", volume: 1, close: 2, ok: true, at: null }), ["volume", "close"]);
  assertEquals([fieldsOf(7), fieldsOf("7"), fieldsOf([1]), fieldsOf(null)], [[""], [], [], []]);
  assertEquals([mainField(["volume", "close"]), mainField(["a", "b"]), mainField([])], [
    "close",
    "a",
    undefined,
  ]);
  assertEquals([numberIn(3, ""), numberIn({ a: 1 }, "a"), numberIn({ a: "1" }, "a")], [3, 1, undefined]);
  const candle = { open: 1, high: 3, low: 0, close: 2 };
  assertEquals([candleIn({ ...candle, volume: 5 }), candleIn({ close: 2 })], [candle, undefined]);
  const strategy = modelOf(
    value("signal", 1, { quantity: 3 }),
    value("equity", 2, { equity: 10_000, fast: null }),
  );
  assertEquals([mainKey(strategy), mainKey(modelOf(value("a", 1, "text"))), mainKey(modelOf())], [
    "equity",
    undefined,
    undefined,
  ]);
});

Deno.test("what a strategy bought and sold is marked where its time is", () => {
  const model = modelOf(
    value("equity", 1, { time: "t1", equity: 1 }),
    value("signal", 2, { time: "t2", side: "buy" }),
    value("equity", 3, { time: "t2", equity: 2 }),
    value("signal", 4, { time: "t9", side: "sell" }),
    value("equity", 5, { time: "t3", equity: 3 }),
    value("signal", 6, { time: "t3", side: "hold" }),
  );
  assertEquals(model.marks(model.series("equity")), [{ index: 1, side: "buy" }]);
  assertEquals(modelOf(value("a", 1, { equity: 1 })).marks([value("a", 1, { equity: 1 })]), []);
});

Deno.test("payloads that are objects are columns, all others are text", () => {
  assertEquals(columnsOf([{ a: 1, b: 2 }, { b: 3, c: 4 }]), ["a", "b", "c"]);
  assertEquals([columnsOf([{ a: 1 }, 2]), columnsOf([[1]]), columnsOf([])], [
    undefined,
    undefined,
    undefined,
  ]);
  const wide = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`m${i}`, i]));
  assertEquals(columnsOf([wide]), undefined);
});
