/** The page of the bench: tables of medians, and where our edge is behind. */
import { medianOf } from "../../base/quantile.ts";
import { figure, percent } from "../../base/figures.ts";
import type { PeerMeasurement } from "./cells.ts";

export interface PeerOnPage {
  readonly name: string;
  /** Such as `mosec 0.9.8`. */
  readonly versions: readonly string[];
  readonly settings: string;
  /** Measurements of each round, by the name of the cell. */
  readonly rounds: Readonly<Record<string, readonly PeerMeasurement[]>>;
}

export interface PeersPageFacts {
  readonly peers: readonly PeerOnPage[];
  /** What could not be measured, and why. */
  readonly skipped: readonly { readonly name: string; readonly why: string }[];
  /** The processor, cores, memory, system; the load when the run began. */
  readonly machine: string;
  /** Versions of this repository, Node and Go, and the day. */
  readonly made: string;
  readonly rounds: number;
  readonly seconds: number;
}

interface Column {
  readonly head: string;
  readonly cell: string;
  readonly field: keyof PeerMeasurement;
  readonly better?: "more" | "less";
}

interface Table {
  readonly title: string;
  readonly text: string;
  readonly columns: readonly Column[];
}

const perS = (cell: string, head: string): Column => ({ head, cell, field: "perS", better: "more" });
const p50 = (cell: string, head: string): Column => ({ head, cell, field: "p50Ms", better: "less" });
const p99 = (cell: string, head: string): Column => ({ head, cell, field: "p99Ms", better: "less" });
const inTime = (cell: string, head: string): Column => ({ head, cell, field: "inTime", better: "more" });
const refused = (cell: string, head: string): Column => ({ head, cell, field: "refused" });
const cpu = (cell: string, head: string): Column => ({ head, cell, field: "cpuMs", better: "less" });
const pss = (cell: string, head: string): Column => ({ head, cell, field: "pssMib", better: "less" });

const open = (model: string): readonly Column[] => [
  inTime(`${model}-open-0.8`, "0.8: within 100 ms"),
  p99(`${model}-open-0.8`, "0.8: p99, ms"),
  inTime(`${model}-open-1.3`, "1.3: within 100 ms"),
  refused(`${model}-open-1.3`, "1.3: refused"),
  inTime(`${model}-open-1.3-told`, "1.3, told: within 100 ms"),
  refused(`${model}-open-1.3-told`, "1.3, told: refused"),
];
const one = (model: string): readonly Column[] => [
  p50(`${model}-1`, "1 in flight: p50, ms"),
  perS(`${model}-64`, "64 in flight: requests/s"),
  cpu(`${model}-64`, "CPU ms a request"),
  pss(`${model}-64`, "memory, MiB"),
];

const tables: readonly Table[] = [
  {
    title: "A model that does nothing",
    text: "1 KiB in, the same out: what is measured is the server.",
    columns: one("no-op"),
  },
  {
    title: "Many connections",
    text: "The same model; requests a second with so many connections, each of which asks again as soon as it has its answer.",
    columns: [16, 64, 128, 256, 512, 1_024].map((count) => perS(`no-op-${count}`, `${count}`)),
  },
  {
    title: "At a constant rate",
    text: "The same model; requests come at 0.5 and 0.8 of what the server itself answered with 64 in flight, over 1,024 connections.",
    columns: [0.5, 0.8].flatMap((load) => [
      inTime(`no-op-open-${load}`, `${load}: within 100 ms`),
      p50(`no-op-open-${load}`, `${load}: p50, ms`),
      p99(`no-op-open-${load}`, `${load}: p99, ms`),
    ]),
  },
  {
    title: "A classifier of lines of text",
    text: "`ocr-cls`, the classifier of PP-OCR, 108 KiB in; memory includes ONNX Runtime.",
    columns: one("ocr-cls"),
  },
  {
    title: "The classifier in overload",
    text: "At 0.8 and 1.3 of the server's own capacity; told: each request says that its caller waits 100 ms, which of these only V2 with `timeout` can. At 1.3 at most 77 % can be answered.",
    columns: open("ocr-cls"),
  },
  {
    title: "A model of 20 ms and 1 ms a row",
    text: "It sleeps, so its time is the clock's: what is measured is how the server forms batches. 615 requests/s are possible.",
    columns: one("timed"),
  },
  {
    title: "That model in overload",
    text: "As above.",
    columns: open("timed"),
  },
];

/** Figures that differ by less are alike on a machine that does other work meanwhile. */
const alike = 0.05;

export function peersPage(facts: PeersPageFacts): string {
  const { peers, skipped, machine, made, rounds, seconds } = facts;
  const checked = peers.map((peer) => ({ name: peer.name, ...checksOf(peer) }));
  return `# Beside other servers

What a user would pick instead of our edge, on one machine in one run. Made by \`npm run bench:peers\`, ${made}, on
${machine}. Each figure is ${rounds === 1 ? "of one round" : `the median of ${rounds} rounds`} of ${seconds} s; within a round the servers take turns, one runs
at a time, and the generator of the load has the same cores. Wall times say as much about the machine as about
the servers, so compare them within a table; the processor time of a request depends on the machine less.

Each server has one worker, one thread for the model, batches of 32 rows at most, and the shortest wait for a batch that
it can be set to. The load is a program in Go on raw sockets (\`bench/peers/load\`). In a closed loop a connection asks again
when it has its answer; at a constant rate times count from when a request was due. Memory is the proportional set size of
all processes halfway through the cell. Beside the load a slow client with rows that all differ compares each
tensor with what the model gives.

## Servers

${table(
  ["server", "versions", "settings", "answers compared", "wrong"],
  peers.map(({ name, versions, settings }, index) => [
    name,
    versions.join(", "),
    settings,
    String(checked[index]?.checked ?? 0),
    String(checked[index]?.wrong ?? 0),
  ]),
  3,
)}
${skipped.map(({ name, why }) => `- **${name}** was not measured: ${why}\n`).join("")}
${tables
  .map((each) => section(each, peers))
  .filter((text) => text !== "")
  .join("\n")}
## Where our edge is behind

By more than ${percent(alike)} of the figure, in the tables above:

${behind(peers)}`;
}

function section({ title, text, columns }: Table, peers: readonly PeerOnPage[]): string {
  const measured = columns.filter(({ cell }) => peers.some((peer) => peer.rounds[cell] !== undefined));
  if (measured.length === 0) return "";
  const rows = peers.map((peer) => [peer.name, ...measured.map((column) => shownIn(column, peer))]);
  return `## ${title}\n\n${text}\n\n${table(["server", ...measured.map(({ head }) => head)], rows)}`;
}

/** The median of its rounds; undefined where it was not measured. */
export function medianIn(peer: PeerOnPage, cell: string, field: keyof PeerMeasurement): number | undefined {
  const rounds = peer.rounds[cell];
  return rounds === undefined || rounds.length === 0
    ? undefined
    : medianOf(rounds.map((round) => round[field]));
}

function shownIn({ cell, field }: Column, peer: PeerOnPage): string {
  const median = medianIn(peer, cell, field);
  if (median === undefined) return "–";
  return field === "inTime" || field === "refused" ? percent(median) : figure(median);
}

function behind(peers: readonly PeerOnPage[]): string {
  const [edge, ...others] = peers;
  if (edge?.name !== "edge") return "The edge was not measured.\n";
  const lines = tables.flatMap(({ title, columns }) =>
    columns.flatMap((column) => {
      const { cell, field, better, head } = column;
      const own = medianIn(edge, cell, field);
      if (own === undefined || better === undefined) return [];
      const ahead = others.filter((other) => {
        const theirs = medianIn(other, cell, field);
        if (theirs === undefined || Number.isNaN(theirs)) return false;
        return better === "more" ? theirs > own * (1 + alike) : theirs < own * (1 - alike);
      });
      if (ahead.length === 0) return [];
      const figures = ahead.map((other) => `${other.name} ${shownIn(column, other)}`).join(", ");
      return [`- ${title}, ${head}: ${shownIn(column, edge)}; ${figures}\n`];
    }),
  );
  return lines.length === 0 ? "Nowhere.\n" : lines.join("");
}

function checksOf({ rounds }: PeerOnPage): { checked: number; wrong: number } {
  const all = Object.values(rounds).flat();
  const sum = (field: "checked" | "wrong"): number => all.reduce((total, each) => total + each[field], 0);
  return { checked: sum("checked"), wrong: sum("wrong") };
}

/** @param words columns from the left that hold words and not figures */
function table(head: readonly string[], rows: readonly (readonly string[])[], words = 1): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  return line(head) + line(head.map((_, index) => (index < words ? "---" : "--:"))) + rows.map(line).join("");
}
