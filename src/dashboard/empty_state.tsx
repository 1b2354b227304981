import type { JSX } from "preact";
import { CopiedText } from "./copied_text.tsx";
import { say } from "./reader.ts";
import { snippets } from "./snippets.ts";

/** What is shown while there is no task at all: how to report one. */
export function EmptyState(): JSX.Element {
  return (
    <section class="empty" aria-labelledby="empty-title">
      <h2 id="empty-title">{say("emptyTitle")}</h2>
      <p>{say("emptyLead")}</p>
      {snippets(new URL(".", document.baseURI).href).map(({ title, code }) => (
        <article key={title}>
          <h3>{say(title)}</h3>
          <CopiedText text={code} label={say(title)} />
        </article>
      ))}
    </section>
  );
}
