/**
 * What tabs say to each other: a kind, who says it, to whom, and a text.
 *
 * - `ask`: who leads? `lead`: it is me; the text is the JSON of {@link Leader}.
 * - `open`: a link to the leader begins. `say`: a frame from a link, as to a gateway; an empty one only acknowledges.
 * - `hear`: frames to links, as from a gateway. `end`: a link is over; the text is {@link HowEnded}.
 */
export type TabMessage = readonly [
  kind: "ask" | "lead" | "open" | "say" | "hear" | "end",
  from: string,
  to: string,
  text: string,
];

/** What a link that is over does next: comes again at once, after a while, or gets a connection of its own. */
export type HowEnded = "again" | "later" | "alone";

/** A message; undefined where it is none: anything of this origin may write on a channel. */
export function tabMessage(data: unknown): TabMessage | undefined {
  const isOurs = Array.isArray(data) && data.length === 4 && data.every((part) => typeof part === "string");
  // Of a kind that is none nothing comes.
  return isOurs ? data as unknown as TabMessage : undefined;
}

/** An object from JSON; of anything else an empty one. */
export function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return { ...JSON.parse(text) };
  } catch {
    return {};
  }
}
