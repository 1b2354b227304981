import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Client } from "../client/client.ts";
import { ChannelPage } from "./channel_page.tsx";
import { ChannelsPage } from "./channels_page.tsx";
import { ConnectionBadge } from "./connection_badge.tsx";
import { useLatest, useStore } from "./hooks.ts";
import { keyAction } from "./keys.ts";
import { ListPage } from "./list_page.tsx";
import { liveStore } from "./live.ts";
import { OperatorPage } from "./operator_page.tsx";
import { pressedOn } from "./pressed_on.ts";
import { say } from "./reader.ts";
import { type ListFilter, parseRoute, printRoute, type Route } from "./route.ts";
import type { Session } from "./session.ts";
import { TaskPage } from "./task_page.tsx";
import { TrafficLines } from "./traffic_lines.tsx";

type ListRoute = Extract<Route, { page: "list" }>;

/** The whole dashboard: what the address names, below how the connection does. */
export function App(
  { client, session }: { readonly client: Client; readonly session: Session },
): JSX.Element {
  const [route, show] = useRoute();
  const store = useMemo(() => liveStore(client), [client]);
  const live = useStore(store);
  const [chosen, choose] = useState<string | undefined>(undefined);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const list = useLastList(route);
  useEffect(() => client.tasks().subscribe(() => {}), [client]); // so that the list is there when it is come back to
  useEffect(() => {
    if (route.page === "task") choose(route.id);
    const name = nameOf(route);
    document.title = name === undefined ? "taskwire" : `${name} · taskwire`;
  }, [nameOf(route) ?? route.page]);
  useKeys(route, list, show, () => choose(undefined));

  const at = route.page === "list" || route.page === "task" ? route.at : undefined;
  const move = (at: number | undefined, isDone: boolean): void => {
    if (route.page !== "list" && route.page !== "task") return;
    const { at: _was, ...rest } = route;
    show(at === undefined ? rest : { ...rest, at }, isDone ? "replaced" : "unwritten");
  };
  const filter = (filter: ListFilter): void => {
    choose(undefined);
    show({ page: "list", filter, ...(at === undefined ? {} : { at }) }, "replaced");
  };
  return (
    <>
      <a class="skip" href="#main" onClick={focusMain}>{say("skip")}</a>
      <header class="top">
        <a class="name" href="#/">taskwire</a>
        <nav aria-label="taskwire">
          <a href={printRoute(list)} aria-current={route.page === "list" ? "page" : undefined}>
            {say("tasks")}
          </a>
          <a
            href="#/channels"
            aria-current={route.page === "channels" || route.page === "channel" ? "page" : undefined}
          >
            {say("channels")}
          </a>
          <a href="#/operator" aria-current={route.page === "operator" ? "page" : undefined}>
            {say("operator")}
          </a>
          {session.token === undefined
            ? null
            : (
              <button type="button" class="sign-out" onClick={() => session.forget()}>
                {say("signOut")}
              </button>
            )}
        </nav>
        {route.page === "operator" ? null : <TrafficLines seconds={live.seconds} />}
        <ConnectionBadge live={live} />
      </header>
      <main id="main" tabIndex={-1} data-page={route.page}>
        {route.page === "operator"
          ? <OperatorPage live={live} token={session.token} />
          : route.page === "channels"
          ? <ChannelsPage token={session.token} />
          : route.page === "channel"
          ? <ChannelPage key={route.topic} client={client} topic={route.topic} />
          : route.page === "task"
          ? (
            <TaskPage
              key={route.id}
              client={client}
              live={live}
              id={route.id}
              at={at}
              listHref={printRoute(list)}
              onMove={move}
            />
          )
          : (
            <ListPage
              client={client}
              live={live}
              filter={route.filter}
              at={at}
              chosen={chosen}
              onChoose={choose}
              open={open}
              onOpen={setOpen}
              onFilter={filter}
              onMove={move}
            />
          )}
      </main>
    </>
  );
}

/** What a page is about, where it is about one thing. */
function nameOf(route: Route): string | undefined {
  if (route.page === "task") return route.id;
  return route.page === "channel" ? route.topic : undefined;
}

/** The hash names pages, so that a link into this one must not change it. */
function focusMain(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

/** How a page is come to: as one to go back from, in place of the one before, or in passing. */
type How = "pushed" | "replaced" | "unwritten";

function useRoute(): readonly [Route, (route: Route, how: How) => void] {
  const [route, set] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const change = (): void => set(parseRoute(location.hash));
    addEventListener("hashchange", change);
    return () => removeEventListener("hashchange", change);
  }, []);
  const show = (next: Route, how: How): void => {
    set(next);
    const hash = printRoute(next);
    if (how === "pushed") location.hash = hash;
    if (how === "replaced" && location.hash !== hash) history.replaceState(null, "", hash);
  };
  return [route, show];
}

/** The list as it was last looked at, to come back to. */
function useLastList(route: Route): ListRoute {
  const last = useRef<ListRoute>({ page: "list", filter: {} });
  if (route.page === "list") last.current = route;
  return last.current;
}

/** Escape goes back step by step, and `/` to the search. The rows are moved through by their table. */
function useKeys(
  route: Route,
  list: ListRoute,
  show: (route: Route, how: How) => void,
  forget: () => void,
): void {
  const latest = useLatest({ route, list, show, forget });
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      const { route, list, show, forget } = latest.current;
      const on = pressedOn(event.target);
      const action = keyAction(event, on);
      if (action === "search") {
        event.preventDefault();
        if (route.page !== "list") show(list, "pushed");
        setTimeout(() => document.getElementById("search")?.focus());
      } else if (action === "back" && document.querySelector("dialog[open]") === null) {
        if (on === "field" && event.target instanceof HTMLElement) event.target.blur();
        else if (route.page !== "list") show(list, "pushed");
        else if (route.at !== undefined) show({ page: "list", filter: route.filter }, "replaced");
        else forget();
      }
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
}
