/**
 * The receiving side of the load, as a process: told what to do by lines of JSON on standard input, it answers each
 * with one. One loop around epoll, so that it costs next to nothing beside the kernel's own work.
 */
import process from "node:process";
import {
  close,
  connectFailed,
  connecting,
  type Fd,
  monotonicMs,
  Poll,
  read,
  READABLE,
  WRITABLE,
} from "./libc.ts";
import { answer, LineReader } from "./line_commands.ts";
import { type Left, LoadConnection } from "./load_connection.ts";
import type { GroupReport, Opening, ReceiverCommand } from "./receiver.ts";

const STANDARD_INPUT: Fd = 0;
const CONNECT_MS = 60_000;
const WAIT_MS = 20;
/** Connections from one address: it has no more ports. */
const PER_ADDRESS = 20_000;
const AT_ONCE = 64;

type Group = { readonly opening: Opening; readonly connections: LoadConnection[] };
/** What a command waits for: called after each turn of the loop, it answers when it is done. */
type Pending = () => boolean;

const poll = new Poll();
const groups = new Map<string, Group>();
const byFd = new Map<Fd, LoadConnection>();
const asking = new Set<Fd>();
/** What the connections of groups that have ended leave to those that come back. */
const left = new Map<string, readonly Left[]>();
const commands: string[] = [];
const lines = new LineReader();
const input = new Uint8Array(65_536);
let startedAtMs = monotonicMs();
let cpuAtStart = process.cpuUsage();
let opened = 0;
let pending: Pending | undefined;
let over = false;

function ready(fd: Fd): void {
  if (fd === STANDARD_INPUT) return readCommands();
  const connection = byFd.get(fd);
  if (connection === undefined) return;
  if (asking.delete(fd)) {
    if (connectFailed(fd)) connection.ended = "nobody listens";
    else connection.ask();
    poll.change(fd, READABLE);
  } else {
    connection.readable();
  }
  if (connection.ended !== undefined) poll.remove(fd);
}

function readCommands(): void {
  const length = read(STANDARD_INPUT, input);
  if (length <= 0) over = true;
  else commands.push(...lines.lines(input.subarray(0, length)));
}

function open(group: Group): LoadConnection {
  const { opening } = group;
  const { receiveBufferBytes } = opening;
  const from = 1 + Math.floor(opened++ / PER_ADDRESS);
  const fd = connecting(opening.port, {
    from,
    ...(receiveBufferBytes === undefined ? {} : { receiveBufferBytes }),
  });
  const index = group.connections.length;
  const before = left.get(opening.comesBackAs ?? "")?.[index];
  const connection = new LoadConnection(fd, opening, {
    index,
    now: monotonicMs,
    ...(before === undefined ? {} : { before }),
  });
  group.connections.push(connection);
  byFd.set(fd, connection);
  asking.add(fd);
  poll.add(fd, WRITABLE);
  return connection;
}

function connect(name: string, opening: Opening): Pending {
  const group: Group = { opening, connections: [] };
  groups.set(name, group);
  const beganMs = monotonicMs();
  const under = new Set<LoadConnection>();
  return () => {
    for (const each of under) if (each.isOpen || each.ended !== undefined) under.delete(each);
    const more = Math.min((opening.atOnce ?? AT_ONCE) - under.size, opening.count - group.connections.length);
    for (let i = 0; i < more; i++) under.add(open(group));
    const ms = monotonicMs() - beganMs;
    if (under.size > 0 && ms < CONNECT_MS) return false;
    answer({ ms, open: group.connections.filter((each) => each.isOpen).length, ended: endsOf(group) });
    return true;
  };
}

function reached(name: string, withinMs: number): Pending {
  const deadlineMs = monotonicMs() + withinMs;
  return () => {
    const connections = groups.get(name)?.connections ?? [];
    const times = connections.flatMap(({ reachedAtMs }) => reachedAtMs ?? []);
    const all = times.length === connections.length;
    if (!all && monotonicMs() < deadlineMs) return false;
    answer({
      all,
      count: times.length,
      atMs: times.length === 0 ? null : times.reduce((a, b) => Math.max(a, b)),
    });
    return true;
  };
}

function obey(command: ReceiverCommand): Pending | undefined {
  switch (command.do) {
    case "connect":
      return connect(command.group, command.opening);
    case "reached":
      return reached(command.group, command.withinMs);
    case "start":
      for (const connection of byFd.values()) connection.start();
      startedAtMs = monotonicMs();
      cpuAtStart = process.cpuUsage();
      answer({});
      return undefined;
    case "report":
      answer(report());
      return undefined;
    case "reading":
      for (const { fd, ended } of groups.get(command.group)?.connections ?? []) {
        if (ended === undefined) poll.change(fd, command.on ? READABLE : 0);
      }
      answer({});
      return undefined;
    case "close":
      left.set(command.group, groups.get(command.group)?.connections.map((each) => each.left) ?? []);
      for (const connection of groups.get(command.group)?.connections ?? []) {
        byFd.delete(connection.fd);
        connection.close();
      }
      groups.delete(command.group);
      answer({});
      return undefined;
  }
}

function report(): unknown {
  const elapsedMs = monotonicMs() - startedAtMs;
  const cpu = process.cpuUsage();
  const usedMs = (cpu.user + cpu.system - cpuAtStart.user - cpuAtStart.system) / 1_000;
  const reports = [...groups].map(([name, group]) => [name, reportOf(group)]);
  return { elapsedMs, cpu: usedMs / elapsedMs, groups: Object.fromEntries(reports) };
}

function reportOf(group: Group): GroupReport {
  const { connections } = group;
  const sum = (of: (connection: LoadConnection) => number) =>
    connections.reduce((all, each) => all + of(each), 0);
  const least = (of: (connection: LoadConnection) => number) =>
    connections.reduce((all, each) => Math.min(all, of(each)), Infinity);
  return {
    connections: connections.length,
    ended: endsOf(group),
    frames: sum(({ frames }) => frames),
    bytes: sum(({ bytes }) => bytes),
    fewest: least(({ frames }) => frames),
    most: -least(({ frames }) => -frames),
    statuses: {
      total: sum(({ statuses }) => statuses),
      fewest: least(({ statuses }) => statuses),
      doubles: sum(({ order }) => order.doubles),
      holes: sum(({ order }) => order.holes),
    },
    frameBytes: connections[0]?.latestBytes ?? 0,
    first: connections[0]?.first ?? null,
    samples: connections.filter(({ read }) => read === "positions")
      .map(({ positions, timesMs }) => ({ positions, timesMs })),
  };
}

function endsOf(group: Group): string[] {
  return group.connections.flatMap(({ ended }) => ended ?? []).slice(0, 5);
}

poll.add(STANDARD_INPUT, READABLE);
while (!over) {
  poll.wait(pending === undefined ? -1 : WAIT_MS, ready);
  if (pending?.()) pending = undefined;
  while (pending === undefined) {
    const line = commands.shift();
    if (line === undefined) break;
    // The one who writes these lines is the other side of the same file.
    const waits = obey(JSON.parse(line) as ReceiverCommand);
    if (waits !== undefined && !waits()) pending = waits;
  }
}
for (const fd of byFd.keys()) close(fd);
