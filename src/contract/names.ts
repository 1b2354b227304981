import type { Named } from "./json_schema.ts";
import { At, Cursor } from "../protocol/client_frames.ts";
import {
  AsOfSchema,
  ChannelDataSchema,
  ErrorBodySchema,
  ProgressDataSchema,
  TaskStatusDataSchema,
} from "../protocol/server_schemas.ts";

/** What both documents name, since much refers to it. */
export const COMMON: Named = {
  Cursor,
  At,
  AsOf: AsOfSchema,
  Progress: ProgressDataSchema,
  Task: TaskStatusDataSchema,
  ChannelData: ChannelDataSchema,
  Error: ErrorBodySchema,
};
