/** Ends with 0 where the gateway of this container lives, else with 1. Its image has nothing else that could ask. */
const port = Deno.env.get("PORT") || "8000";
const isTls = (Deno.env.get("TLS_CERT") ?? "").trim() !== "";
// Its certificate is for another name than this: whom we ask is no question within a container, so Deno is told to trust it.
const url = `http${isTls ? "s" : ""}://127.0.0.1:${port}/healthz`;
const lives = await fetch(url).then(({ ok }) => ok, () => false);
Deno.exit(lives ? 0 : 1);
