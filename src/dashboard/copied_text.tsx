import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { say } from "./reader.ts";

const SAID_MS = 2_000;

/** Text to take away, with a button that copies it where the browser lets a page do so. */
export function CopiedText({ text, label }: { readonly text: string; readonly label: string }): JSX.Element {
  const [isCopied, set] = useState(false);
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(() => {
      set(true);
      setTimeout(() => set(false), SAID_MS);
    }, () => {}); // it can be selected by hand
  };
  return (
    <div class="copied">
      <pre tabIndex={0} aria-label={label}>{text}</pre>
      {navigator.clipboard === undefined
        ? null
        : (
          <button type="button" onClick={copy} aria-label={`${say("copy")}: ${label}`}>
            {isCopied ? say("copied") : say("copy")}
          </button>
        )}
    </div>
  );
}
