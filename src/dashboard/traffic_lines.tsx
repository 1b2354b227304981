import type { JSX } from "preact";
import { recentLagMs } from "./live.ts";
import { perSecond, say, span } from "./reader.ts";
import { Sparkline } from "./sparkline.tsx";
import type { Second } from "./traffic.ts";

/** How much came in the last minute, and how late. */
export function TrafficLines({ seconds }: { readonly seconds: readonly Second[] }): JSX.Element {
  return (
    <div class="traffic">
      <Sparkline
        label={say("throughput")}
        values={seconds.map(({ events }) => events)}
        write={perSecond}
        now={seconds.at(-1)?.events ?? 0}
      />
      <Sparkline
        label={say("lag")}
        values={seconds.map(({ lagMs }) => lagMs)}
        write={span}
        now={recentLagMs(seconds)}
        hint={say("lagMeaning")}
      />
    </div>
  );
}
