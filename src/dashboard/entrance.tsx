import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { App } from "./app.tsx";
import { say } from "./reader.ts";
import type { Session, Visitor } from "./session.ts";
import { SignIn } from "./sign_in.tsx";

/** The dashboard, for whoever may see it; else what asks for a token. */
export function Entrance({ session }: { readonly session: Session }): JSX.Element {
  const [visitor, tell] = useState<Visitor>({ kind: "unknown" });
  useEffect(() => session.begin(tell), [session]);
  switch (visitor.kind) {
    case "unknown":
      return <p class="loading">{say("loading")}</p>;
    case "asked":
      return <SignIn refused={visitor.refused !== undefined} onShown={(token) => session.show(token)} />;
    case "known":
      return <App client={visitor.client} session={session} />;
  }
}
