import {
  type Attributes,
  type Span,
  type SpanOptions,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import { errorText } from "./logger.ts";
import { parseTraceparent, printTraceparent } from "./traceparent.ts";

/** What a span starts with. `links` are `traceparent` headers; what is none is left out, and all beyond 128 are. */
export type SpanStart = { readonly attributes?: Attributes; readonly links?: Iterable<string> };

/** A piece of work under way, to say more about. */
export interface Work {
  /** Adds what is known by now. */
  set(attributes: Attributes): void;
  /** Notes that something happened in it. */
  event(name: string, attributes?: Attributes): void;
}

/** What lives longer than any call: a connection. It is a trace of its own. */
export interface Life extends Work {
  /** Ends it; with `error`, as failed. */
  end(error?: unknown): void;
}

/** Spans of what we do, where somebody traces it; where nobody does they cost next to nothing. */
export interface Spans {
  /** Does `work` in a span and returns what it returns. What it throws or rejects with is on the span. */
  span<T>(name: string, start: SpanStart, work: (span: Work) => T): T;
  /** Starts the span of a life. */
  life(name: string, start: SpanStart): Life;
  /** The `traceparent` header of the work under way; undefined where nobody traces it. */
  traceparent(): string | undefined;
}

/** OpenTelemetry's default limit of links on a span. */
const MAX_LINKS = 128;

const UNTRACED: Life = { set: () => {}, event: () => {}, end: () => {} };

/** Spans of nothing. */
export const untraced: Spans = {
  span: (_name, _start, work) => work(UNTRACED),
  life: () => UNTRACED,
  traceparent: () => undefined,
};

/** Spans made by `tracer`. */
export function tracedBy(tracer: Tracer): Spans {
  return {
    span: (name, start, work) => tracer.startActiveSpan(name, optionsOf(start), (span) => workIn(span, work)),
    life(name, start) {
      const span = tracer.startSpan(name, { ...optionsOf(start), root: true });
      return {
        ...aboutOf(span),
        end(error) {
          if (error !== undefined) fail(span, error);
          span.end();
        },
      };
    },
    traceparent() {
      const context = trace.getActiveSpan()?.spanContext();
      return context !== undefined && trace.isSpanContextValid(context)
        ? printTraceparent(context)
        : undefined;
    },
  };
}

function optionsOf({ attributes = {}, links = [] }: SpanStart): SpanOptions {
  const contexts = [];
  for (const header of links) {
    const context = parseTraceparent(header);
    if (context !== undefined) contexts.push({ context });
    if (contexts.length === MAX_LINKS) break;
  }
  return { attributes, links: contexts };
}

function workIn<T>(span: Span, work: (span: Work) => T): T {
  let result: T;
  try {
    result = work(aboutOf(span));
  } catch (error) {
    fail(span, error);
    span.end();
    throw error;
  }
  if (!(result instanceof Promise)) {
    span.end();
    return result;
  }
  // Only looked at here: whoever gets the promise handles its rejection.
  result.then(() => span.end(), (error: unknown) => {
    fail(span, error);
    span.end();
  });
  return result;
}

function aboutOf(span: Span): Work {
  return {
    set: (attributes) => void span.setAttributes(attributes),
    event: (name, attributes) => void span.addEvent(name, attributes),
  };
}

function fail(span: Span, error: unknown): void {
  span.recordException(error instanceof Error ? error : String(error));
  span.setStatus({ code: SpanStatusCode.ERROR, message: errorText(error) });
}
