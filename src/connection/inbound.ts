import * as v from "valibot";
import { decodeCbor } from "../protocol/cbor.ts";
import { brokenRule, ClientEnvelope, type ClientFrame, FrameId } from "../protocol/client_frames.ts";

/** A frame, or the rule that the text breaks and the id it was sent under, where that much could be read. */
export type Read =
  | { readonly frame: ClientFrame }
  | { readonly invalid: string; readonly id: string | undefined };

/** Understands one text message. Never throws. */
export function readFrame(text: string): Read {
  return readAs("JSON", () => JSON.parse(text));
}

/** Understands one binary message. Never throws. */
export function readBinaryFrame(bytes: Uint8Array): Read {
  return readAs("CBOR", () => decodeCbor(bytes));
}

function readAs(format: "JSON" | "CBOR", parse: () => unknown): Read {
  let value: unknown;
  try {
    value = parse();
  } catch {
    return { invalid: `message: must be ${format}`, id: undefined };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { invalid: `message: must be a ${format} object`, id: undefined };
  }
  const result = v.safeParse(ClientEnvelope, value, { abortEarly: true });
  if (result.success) return { frame: result.output };
  const id = v.safeParse(v.object({ id: FrameId }), value);
  return { invalid: brokenRule(result.issues), id: id.success ? id.output.id : undefined };
}
