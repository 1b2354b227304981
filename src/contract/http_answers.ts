import * as v from "valibot";
import { Seq } from "../protocol/client_frames.ts";
import { ErrorBodySchema } from "../protocol/server_schemas.ts";

const Whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Where each event of a request lies, and whether its id had been stored before. */
export const AppendedAnswer = v.strictObject({
  results: v.array(v.strictObject({ seq: Seq, duplicate: v.boolean() })),
});

/** Where a value of a channel lies. */
export const PublishedAnswer = v.strictObject({ topic: v.string(), seq: Seq });

/** The channels that may be followed, the one that changed last first. */
export const ChannelsAnswer = v.strictObject({
  channels: v.array(v.strictObject({
    topic: v.string(),
    keys: Whole,
    seq: Seq,
    time: v.pipe(v.string(), v.isoTimestamp()),
  })),
  total: Whole,
});

/** A ticket, and when it ends, in ms since the epoch. */
export const TicketAnswer = v.strictObject({
  ticket: v.pipe(v.string(), v.regex(/^twt_[A-Za-z0-9_-]{54}$/)),
  expires_at: v.pipe(v.number(), v.safeInteger()),
});

/** Records of the log that could not be understood, the newest first. */
export const RejectedAnswer = v.strictObject({
  total: Whole,
  items: v.array(v.strictObject({
    seq: Seq,
    time: v.pipe(v.string(), v.isoTimestamp()),
    subject: v.string(),
    reason: v.string(),
    bytes: Whole,
    preview: v.string(),
  })),
});

/** How each plug-in is. */
export const PluginsAnswer = v.strictObject({
  plugins: v.array(v.strictObject({
    name: v.string(),
    built_in: v.boolean(),
    enabled: v.boolean(),
    why: v.nullable(v.string()),
    messages: v.array(v.string()),
    namespaces: v.array(v.string()),
    calls: Whole,
    failed: Whole,
    overdue: Whole,
    missed: Whole,
  })),
});

/** That the process is alive. */
export const HealthAnswer = v.strictObject({ status: v.literal("ok") });

/** Whether the gateway can serve, and where not, why. */
export const ReadinessAnswer = v.strictObject({ ready: v.boolean(), reasons: v.array(v.string()) });

const { code, details } = ErrorBodySchema.entries;

/** A problem document, RFC 9457: `code` and `details` are those of the error frame that the socket would send. */
export const Problem = v.strictObject({
  type: v.literal("about:blank"),
  title: v.string(),
  status: v.pipe(v.number(), v.integer(), v.minValue(400), v.maxValue(599)),
  detail: v.string(),
  code,
  details,
});
