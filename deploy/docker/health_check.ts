/** Ends with 0 where the gateway of this container lives, else with 1. Its image has nothing else that could ask. */
const port = Deno.env.get("PORT") || "8000";
const lives = await fetch(`http://127.0.0.1:${port}/healthz`).then(({ ok }) => ok, () => false);
Deno.exit(lives ? 0 : 1);
