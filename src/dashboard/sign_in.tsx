import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { say } from "./reader.ts";

/** Asks for a token; `refused`: the one before was no good. */
export function SignIn(
  { refused, onShown }: { readonly refused: boolean; readonly onShown: (token: string) => void },
): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), [refused]);
  const show = (event: Event): void => {
    event.preventDefault();
    const token = field.current?.value.trim() ?? "";
    if (token !== "") onShown(token);
  };
  return (
    <main class="sign-in" id="main">
      <h1>taskwire</h1>
      <form onSubmit={show}>
        <label for="token">{say("token")}</label>
        <input
          ref={field}
          id="token"
          type="password"
          autocomplete="current-password"
          spellcheck={false}
          required
          aria-describedby={refused ? "refused token-hint" : "token-hint"}
        />
        {refused ? <p id="refused" class="failure" role="alert">{say("tokenRefused")}</p> : null}
        <p id="token-hint" class="quiet">{say("tokenHint")}</p>
        <button type="submit">{say("signIn")}</button>
      </form>
    </main>
  );
}
