/** By which the log knows a value again that is published twice under one `event_id`, whichever way it comes. */
export function publicationId(topic: string, eventId: string): string {
  return `${topic} ${eventId}`;
}
