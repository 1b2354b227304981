import * as v from "valibot";

const TASK_ID = /^[A-Za-z0-9_-]{1,128}$/;

/** A task's id: 1–128 of `A-Za-z0-9_-`, so that it is exactly one NATS subject token and can never be a wildcard. */
export const TaskId = v.pipe(
  v.string(),
  v.regex(TASK_ID, "must be 1–128 characters of A-Za-z0-9_-"),
  v.brand("TaskId"),
);
/** See {@link TaskId}. */
export type TaskId = v.InferOutput<typeof TaskId>;

/** A tag: 1–64 letters, digits or `._@/+=-` of any script; no colon or comma, which separate topics. */
export const Tag = v.pipe(
  v.string(),
  v.regex(/^[\p{L}\p{N}._@/+=-]{1,64}$/u, "must be 1–64 letters, digits or ._@/+=-"),
  v.brand("Tag"),
);
/** See {@link Tag}. */
export type Tag = v.InferOutput<typeof Tag>;

const NAMESPACE = /^[a-z][a-z0-9_]{0,31}$/;
/** What the name of a channel looks like. */
export const CHANNEL_NAME: RegExp = /^[A-Za-z0-9._-]{1,128}$/;
const CHANNEL_KEY = /^[^\s\p{Cc}]{1,128}$/u;

/** Whether `text` may name a namespace of topics: 1–32 of `a-z0-9_`, a letter first. */
export function isNamespace(text: string): boolean {
  return NAMESPACE.test(text);
}

/** Whether `text` may name a channel: 1–128 of `A-Za-z0-9._-`. */
export function isChannelName(text: string): boolean {
  return CHANNEL_NAME.test(text);
}

/** Whether `text` may be the key of a value of a channel: 1–128 characters, none of which is white space or a control. */
export function isChannelKey(text: string): boolean {
  return CHANNEL_KEY.test(text) && text.isWellFormed();
}

/** A client's name across reconnects: 1–128 of `A-Za-z0-9._:-`. */
export const ClientId = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9._:-]{1,128}$/, "must be 1–128 characters of A-Za-z0-9._:-"),
  v.brand("ClientId"),
);
/** See {@link ClientId}. */
export type ClientId = v.InferOutput<typeof ClientId>;

/** Whether `text` may name a client. */
export function isClientId(text: string): text is ClientId {
  return v.is(ClientId, text);
}

/** Whether `text` is a well-formed task id. */
export function isTaskId(text: string): text is TaskId {
  return TASK_ID.test(text);
}

/** Whether `text` is a well-formed tag. */
export function isTag(text: string): text is Tag {
  return v.is(Tag, text);
}
