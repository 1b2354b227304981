/** The dashboard: what a gateway shows at `/`. */
import { render } from "preact";
import { connect } from "../client/client.ts";
import { shareTabs } from "../client/tab_share.ts";
import { App } from "./app.tsx";
import { htmlLanguage } from "./reader.ts";

const place = document.getElementById("app");
if (place === null) throw new Error("index.html has no place for the dashboard");
document.documentElement.lang = htmlLanguage;
const client = connect(new URL("ws", document.baseURI), { tabs: shareTabs() });
place.replaceChildren();
render(<App client={client} />, place);
