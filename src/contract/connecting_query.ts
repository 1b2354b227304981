import * as v from "valibot";
import { ReplayMode } from "../protocol/client_frames.ts";
import { ClientId } from "../protocol/names.ts";

/** A parameter of the query, what it must be, and what it says. */
export type QueryParameter = {
  readonly name: string;
  readonly schema: v.GenericSchema;
  readonly description: string;
  readonly required?: boolean;
};

/** How a list of topics is written in a query. */
const TOPICS: QueryParameter = {
  name: "topics",
  schema: v.string(),
  description: "Topics, separated by commas: as if a subscribe frame came right after welcome.",
};

const OTHERS: readonly QueryParameter[] = [
  {
    name: "client_id",
    schema: ClientId,
    description: "Names the client across its connections; connections are counted by it.",
  },
  {
    name: "since",
    schema: v.pipe(v.string(), v.regex(/^[\s\S]{1,64}:\d{1,15}$/)),
    description: "<epoch>:<seq>: the topics go on from this cursor.",
  },
  {
    name: "replay",
    schema: ReplayMode,
    description: "What the topics start with: latest unless given. since wins over it.",
  },
  {
    name: "max_rate_hz",
    schema: v.pipe(v.number(), v.minValue(0.1), v.maxValue(50)),
    description: "How often a second progress and values of channels may come.",
  },
];

const FORMS: readonly QueryParameter[] = [
  {
    name: "batch",
    schema: v.string(),
    description: "1: several frames may come in one batch frame. Anything else is passed over.",
  },
  {
    name: "delta",
    schema: v.string(),
    description: "1: progress may come as progress_delta. Anything else is passed over.",
  },
];

/** The parameters with which a stream over HTTP is opened, but for its token. */
export const STREAM_QUERY: readonly QueryParameter[] = [{ ...TOPICS, required: true }, ...OTHERS];

/** Those of a WebSocket. */
export const WEBSOCKET_QUERY: readonly QueryParameter[] = [TOPICS, ...OTHERS, ...FORMS];
