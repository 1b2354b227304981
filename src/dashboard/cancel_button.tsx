import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import type { Client } from "../client/client.ts";
import { why } from "./failure.ts";
import { say } from "./reader.ts";

/** The longest reason that may be given, in characters. */
const MAX_REASON = 1_000;

/** Asks a task to stop, once somebody has said so twice. */
export function CancelButton({ client, id }: { readonly client: Client; readonly id: string }): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const [reason, setReason] = useState("");
  const [outcome, setOutcome] = useState<{ readonly text: string; readonly isBad: boolean } | undefined>(
    undefined,
  );
  const [isAsking, setAsking] = useState(false);
  const cancel = async (): Promise<void> => {
    setAsking(true);
    try {
      const { seq } = await client.cancel(id, reason.trim() === "" ? undefined : reason.trim());
      setOutcome({ text: say("cancelAsked", { seq }), isBad: false });
    } catch (error) {
      setOutcome({ text: say("cancelFailed", { why: why(error) }), isBad: true });
    }
    setAsking(false);
    dialog.current?.close();
  };
  return (
    <div class="cancel">
      <button type="button" class="dangerous" onClick={() => dialog.current?.showModal()}>
        {say("cancel")}
      </button>
      {outcome === undefined ? null : <p role="status" class={outcome.isBad ? "bad" : ""}>{outcome.text}</p>}
      <dialog ref={dialog} aria-labelledby="cancel-title">
        <h2 id="cancel-title">{say("cancelTitle", { id })}</h2>
        <p>{say("cancelLead")}</p>
        <label>
          {say("cancelReason")}
          <input
            type="text"
            value={reason}
            maxLength={MAX_REASON}
            onInput={({ currentTarget }) => setReason(currentTarget.value)}
          />
        </label>
        <div class="choices">
          <button type="button" onClick={() => dialog.current?.close()}>{say("cancelNo")}</button>
          <button type="button" class="danger" disabled={isAsking} onClick={() => void cancel()}>
            {say("cancelYes")}
          </button>
        </div>
      </dialog>
    </div>
  );
}
