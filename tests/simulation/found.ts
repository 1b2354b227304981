import type { Fault, Plan } from "./faults.ts";

type Happened = readonly [atMs: number, fault: Fault, who: number];

type About = Omit<Plan, "happenings" | "staleMs" | "reapMs">;

function plan(about: About, happened: readonly Happened[]): Plan {
  return {
    ...about,
    staleMs: 30_000,
    reapMs: 0,
    happenings: happened.map(([atMs, fault, who]) => ({ atMs, fault, who })),
  };
}

/** Plans that failed once, and what they found. */
export const FOUND: readonly Plan[] = [
  // A gateway stood still: it asked itself without end for a page of a stream that had just become another one.
  plan({ seed: 968, gateways: 2, clients: 2, workers: 2, tasks: 4, tokenMs: undefined, tailEvents: 40 }, [
    [0, "work", 0],
    [5, "work", 1],
    [1621, "work", 6],
    [2421, "lose answers", 6],
    [5406, "read again", 9],
    [5861, "fidget", 11],
    [7097, "start the stream", 6],
    [7139, "link a worker", 1],
    [8588, "lose acknowledgements", 1],
    [8852, "make the stream anew", 8],
    [9171, "cut all links", 8],
    [9355, "work", 4],
    [13025, "work", 3],
    [15659, "cut all links", 1],
    [16696, "work", 9],
    [19217, "ask", 4],
    [20711, "work", 1],
    [21753, "cut a link", 3],
    [21900, "cut a link", 8],
    [22740, "ask", 10],
    [23554, "cut a link", 3],
    [24495, "work", 8],
    [26074, "kill a worker", 9],
  ]),
  // A client was not told that the stream is another one, as its topics were just being asked for anew.
  plan({ seed: 982, gateways: 2, clients: 1, workers: 1, tasks: 4, tokenMs: 24000, tailEvents: 40 }, [
    [0, "work", 0],
    [15283, "work", 3],
    [22238, "drain a gateway", 8],
    [22895, "stall a reader", 7],
    [22913, "ask", 1],
    [23416, "ask", 2],
    [26177, "fidget", 11],
    [26573, "make the stream anew", 8],
    [33087, "work", 7],
  ]),
  // A gateway stood still: a page that was read when the log was empty was kept, and handed out ever after.
  plan({ seed: 207800183, gateways: 3, clients: 1, workers: 1, tasks: 4, tokenMs: 53000, tailEvents: 40 }, [
    [0, "work", 0],
    [5, "work", 1],
    [801, "read again", 7],
    [1097, "slow the log", 8],
    [1214, "slow the log", 7],
    [1246, "work", 11],
    [1408, "ask", 10],
    [1765, "kill a gateway", 7],
    [2589, "start the stream", 6],
    [3839, "link a gateway", 11],
    [4050, "work", 1],
    [4314, "read again", 4],
    [5418, "lose answers", 0],
    [5594, "cut a link", 3],
    [6517, "ask", 9],
    [8772, "cut a link", 1],
    [9440, "cut all links", 1],
    [10286, "ask", 9],
    [10498, "unlink a worker", 10],
    [11961, "ask", 10],
    [14617, "ask", 9],
    [14943, "link a gateway", 2],
    [15266, "link a gateway", 5],
    [15566, "start the stream", 7],
    [18030, "fidget", 1],
    [18563, "lose acknowledgements", 3],
    [18820, "link a gateway", 7],
    [19551, "work", 7],
    [21129, "kill a gateway", 0],
    [23268, "start the stream", 8],
    [24291, "link a worker", 9],
    [25584, "work", 2],
    [28278, "work", 9],
    [28720, "cut a link", 6],
    [30508, "fidget", 6],
    [30859, "make the stream anew", 8],
    [32067, "work", 8],
    [32469, "work", 2],
    [32779, "heal the log", 1],
    [34333, "work", 2],
    [36454, "work", 6],
    [36855, "heal the log", 10],
    [37056, "unlink a gateway", 4],
    [38499, "link a gateway", 9],
  ]),
];
