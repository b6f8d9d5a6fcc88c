/** The worlds of the outages page: what fails, how often requests come, and what they must be answered within. */
import { bestRowsPerMs } from "../replay/outages/goodput-limit.ts";
import type {
  OutageArrival,
  OutageTarget,
  OutageWorld,
  Spell,
  SpellKind,
} from "../replay/outages/outage-world.ts";

/** Serves 1 to 8 rows in 20 to 55 ms. */
export const edge: OutageTarget = {
  name: "edge",
  kind: "edge",
  places: 1,
  rttMs: 2,
  uploadRowMs: 0.1,
  firstRowMs: 20,
  nextRowMs: 5,
  maxBatch: 8,
  coldStartMs: 0,
  warm: 0,
  profileFactor: 1,
  isMeasured: true,
  spells: [],
};

/** Serves 1 to 8 rows in 40 to 75 ms; an instance starts in 800 ms, and two are warm. */
export const small: OutageTarget = {
  ...edge,
  name: "small",
  kind: "serverless",
  places: 100,
  rttMs: 10,
  firstRowMs: 40,
  coldStartMs: 800,
  warm: 2,
};

/** Likewise, in half the time. */
export const large: OutageTarget = { ...small, name: "large", firstRowMs: 20, nextRowMs: 2.5 };

/** An outage, and the targets while it lasts. */
export interface OutageKind {
  readonly name: string;
  readonly targetsDuring: (span: Span) => readonly OutageTarget[];
}

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

const of =
  (kind: SpellKind, factor = 1) =>
  ({ fromMs, toMs }: Span): Spell[] => [{ kind, fromMs, toMs, factor }];

function flapping({ fromMs, toMs }: Span): Spell[] {
  const spells: Spell[] = [];
  for (let atMs = fromMs; atMs < toMs; atMs += 2_000)
    spells.push({ kind: "gone", fromMs: atMs, toMs: atMs + 1_000, factor: 1 });
  return spells;
}

const atEdge = (
  name: string,
  spells: (span: Span) => readonly Spell[],
  change: Partial<OutageTarget> = {},
) => {
  return {
    name,
    targetsDuring: (span: Span) => [{ ...edge, ...change, spells: spells(span) }, small],
  };
};
const fromStart = ({ toMs }: Span): Span => ({ fromMs: 0, toMs });
const none = (): Spell[] => [];

export const edgeOutages: readonly OutageKind[] = [
  atEdge("none", none),
  atEdge("edge is killed, and comes back", of("gone")),
  atEdge("edge answers 503", of("unavailable")),
  atEdge("edge hangs", of("hanging")),
  atEdge("edge is ten times slower", of("slow", 10)),
  atEdge("edge comes and goes each second", flapping),
  atEdge("edge is not there at the start", (span) => of("gone")(fromStart(span))),
  atEdge("link to the edge is 50 times thinner", of("thin", 50)),
  atEdge("nothing; the edge was never measured", none, { profileFactor: 10, isMeasured: false }),
];

export const functionOutages: readonly OutageKind[] = [
  { name: "none", targetsDuring: () => [small, large] },
  {
    name: "all instances are cold",
    targetsDuring: () => [
      { ...small, warm: 0 },
      { ...large, warm: 0 },
    ],
  },
  {
    name: "small is gone",
    targetsDuring: (span) => [{ ...small, spells: of("denied")(span) }, large],
  },
  {
    name: "large hangs",
    targetsDuring: (span) => [small, { ...large, spells: of("hanging")(span) }],
  },
  {
    name: "large is ten times slower",
    targetsDuring: (span) => [small, { ...large, spells: of("slow", 10)(span) }],
  },
  {
    name: "both are throttled, and come back",
    targetsDuring: (span) => [small, large].map((each) => ({ ...each, spells: of("throttled")(span) })),
  },
];

export const rates = [0.1, 2, 20];
export const slos = [200, 1_000, 5_000];

/** The outage is in the middle half of the run, which has 60 requests at least. */
export function outageSpan(perS: number): Span & { readonly seconds: number } {
  const seconds = Math.max(60, 60 / perS);
  return { fromMs: 250 * seconds, toMs: 750 * seconds, seconds };
}

export function outageWorld({ targetsDuring }: OutageKind, perS: number, sloMs: number): OutageWorld {
  const span = outageSpan(perS);
  const arrivals = evenArrivals(perS, 100, 1_000 * span.seconds, sloMs);
  return { sloMs, targets: targetsDuring(span), arrivals, stalls: [] };
}

/** Overload from second 5 for a minute, with half the edge's rate before and after. */
export const overloadSpan: Span = { fromMs: 5_000, toMs: 65_000 };
export const overloadFactors = [1.3, 2, 5, 10];
export const overloadSloMs = 1_000;

export function overloadWorld(targets: readonly OutageTarget[], factor: number): OutageWorld {
  const perS = 1_000 * bestRowsPerMs(edge, overloadSloMs);
  const { fromMs, toMs } = overloadSpan;
  const arrivals = [
    ...evenArrivals(perS / 2, 100, fromMs, overloadSloMs),
    ...evenArrivals(factor * perS, fromMs, toMs, overloadSloMs),
    ...evenArrivals(perS / 2, toMs, toMs + 10_000, overloadSloMs),
  ];
  return { sloMs: overloadSloMs, targets, arrivals, stalls: [] };
}

function evenArrivals(perS: number, fromMs: number, toMs: number, sloMs: number): OutageArrival[] {
  const count = Math.floor(((toMs - fromMs) * perS) / 1_000);
  return Array.from({ length: count }, (_, id) => {
    return { atMs: fromMs + (id * 1_000) / perS, rows: 1, sloMs, key: "m []" };
  });
}
