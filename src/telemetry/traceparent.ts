import { type SpanContext, TraceFlags } from "@opentelemetry/api";

/** `version-traceid-parentid-flags`; a later version than ours may add more after a dash. W3C Trace Context, 3.2. */
const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;

/** The span that a `traceparent` header names, or undefined where it names none. */
export function parseTraceparent(header: string): SpanContext | undefined {
  if (header.length > 512) return undefined;
  const [, version = "ff", traceId = "", spanId = "", flags = "00", more] = TRACEPARENT.exec(header) ?? [];
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true };
}

/** The `traceparent` header that names a span. */
export function printTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${(traceFlags & TraceFlags.SAMPLED).toString(16).padStart(2, "0")}`;
}
