/** The dashboard: what a gateway shows at `/`. */
import { render } from "preact";
import { Entrance } from "./entrance.tsx";
import { htmlLanguage } from "./reader.ts";
import { Session } from "./session.ts";

const place = document.getElementById("app");
if (place === null) throw new Error("index.html has no place for the dashboard");
document.documentElement.lang = htmlLanguage;
place.replaceChildren();
render(<Entrance session={new Session(document.baseURI)} />, place);
