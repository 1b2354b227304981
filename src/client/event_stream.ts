/** An event of a stream; a comment is one of no type. */
export type StreamEvent = { readonly event: string; readonly id: string | undefined; readonly data: string };

/** The events of a response, as they come. It ends with the response, and throws where that is lost. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent, void, void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) yield eventOf(block);
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** As our gateway writes it: a field a line, a space after the colon. */
function eventOf(block: string): StreamEvent {
  const fields = new Map(
    block.split("\n").map((line) => {
      const colon = line.indexOf(": ");
      return [line.slice(0, Math.max(0, colon)), line.slice(colon + 2)] as const;
    }),
  );
  return { event: fields.get("event") ?? "", id: fields.get("id"), data: fields.get("data") ?? "" };
}
