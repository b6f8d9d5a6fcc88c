/** The lanes of a queue: which SLO their requests have, and how many rows and bytes each may hold. */
import { SpillwayError } from "../../../base/errors.ts";
import { type LaneShare, LaneShares } from "./lane-shares.ts";
import type { NewRequest } from "../request.ts";

export interface LaneOptions {
  /** Time from arrival to deadline, in milliseconds, above 0. Default: the queue's. */
  readonly sloMs?: number | undefined;
  /** Most rows of the lane's requests that have not ended; further ones are refused. Default: the queue's bound alone. */
  readonly maxRows?: number | undefined;
  /** Most bytes of the lane's requests that have not ended; further ones are refused. Default: the queue's bound alone. */
  readonly maxBytes?: number | undefined;
  /** Part of the rows that edges serve which the lane gets at least while its rows wait, 0 to 1. Default: 0. */
  readonly leastShare?: number | undefined;
  /** Part of them that it gets at most while rows of other lanes wait, above 0 to 1. Default: 1. */
  readonly mostShare?: number | undefined;
}

/** What the requests of a lane that have not ended hold. */
export interface LaneLoad {
  readonly requests: number;
  readonly rows: number;
  readonly bytes: number;
}

type Sized = Pick<NewRequest<unknown, unknown>, "lane" | "rows" | "bytes">;

/**
 * Why a request does not fit even where nothing else is; undefined when it does. To come back later would not help.
 *
 * @example
 * tooLargeFor("the queue", { rows: 9, bytes: 0 }, { maxRows: 8, maxBytes: 1 }); // "... 9 rows; allowed ...: 8 or fewer"
 */
export function tooLargeFor(
  where: string,
  { rows, bytes }: Pick<Sized, "rows" | "bytes">,
  { maxRows, maxBytes }: Readonly<Record<"maxRows" | "maxBytes", number>>,
): SpillwayError | undefined {
  if (rows <= maxRows && bytes <= maxBytes) return undefined;
  const [has, most] = rows > maxRows ? [`${rows} rows`, maxRows] : [`${bytes} bytes`, maxBytes];
  return new SpillwayError(
    "request_too_large",
    `the request has ${has}; allowed in ${where}: ${most} or fewer`,
  );
}

interface Lane {
  readonly sloMs: number;
  readonly maxRows: number;
  readonly maxBytes: number;
  requests: number;
  rows: number;
  bytes: number;
}

export class Lanes {
  readonly #lanes = new Map<string, Lane>();
  readonly #shares = new Map<string, LaneShare>();

  /**
   * @param sloMs of the lane "", and of those that name none
   * @throws RangeError when an option is outside its range, or the lanes keep more than there is
   */
  constructor(lanes: Readonly<Record<string, LaneOptions>>, sloMs: number) {
    const all: Readonly<Record<string, LaneOptions>> = { "": {}, ...lanes };
    for (const [name, options] of Object.entries(all)) {
      const { maxRows = Infinity, maxBytes = Infinity } = options;
      const lane = { sloMs: options.sloMs ?? sloMs, maxRows, maxBytes };
      for (const [option, value] of Object.entries(lane)) {
        if (!(value > 0)) throw new RangeError(`lanes.${name}.${option} is ${value}; allowed: above 0`);
      }
      this.#lanes.set(name, { ...lane, requests: 0, rows: 0, bytes: 0 });
      const { leastShare: least = 0, mostShare: most = 1 } = options;
      if (!(least >= 0 && most > 0 && least <= most && most <= 1))
        throw new RangeError(
          `lanes.${name} keeps ${least} to ${most} of the edges; allowed: 0 to 1, in order`,
        );
      if (least > 0 || most < 1) this.#shares.set(name, { least, most });
    }
    const kept = [...this.#shares.values()].reduce((sum, { least }) => sum + least, 0);
    if (kept > 1) throw new RangeError(`the lanes keep ${kept} of the edges; allowed: 1 in all`);
  }

  /** What lanes keep of the edges. */
  shares(): LaneShares {
    return new LaneShares(this.#shares);
  }

  /** @throws RangeError when there is no such lane */
  sloMs(lane: string): number {
    return this.#of(lane).sloMs;
  }

  /** Why a request can never enter its lane; undefined when it can. */
  tooLarge(request: Sized): SpillwayError | undefined {
    const lane = this.#of(request.lane);
    // Mostly it fits, and then no text is made.
    if (request.rows <= lane.maxRows && request.bytes <= lane.maxBytes) return undefined;
    return tooLargeFor(`the lane "${request.lane}"`, request, lane);
  }

  /** Why a request may not enter its lane now; undefined when it may. */
  refusal({ lane, rows, bytes }: Sized): SpillwayError | undefined {
    const load = this.#of(lane);
    if (load.rows + rows > load.maxRows)
      return new SpillwayError(
        "queue_full",
        `The lane "${lane}" holds ${load.rows} of ${load.maxRows} rows.`,
      );
    if (load.bytes + bytes > load.maxBytes)
      return new SpillwayError(
        "queue_full",
        `The lane "${lane}" holds ${load.bytes} of ${load.maxBytes} bytes.`,
      );
    return undefined;
  }

  entered({ lane, rows, bytes }: Sized): void {
    const load = this.#of(lane);
    load.requests++;
    load.rows += rows;
    load.bytes += bytes;
  }

  left({ lane, rows, bytes }: Sized): void {
    const load = this.#of(lane);
    load.requests--;
    load.rows -= rows;
    load.bytes -= bytes;
  }

  /** By name, with "" for requests without a lane. */
  loads(): Record<string, LaneLoad> {
    return Object.fromEntries(
      Array.from(this.#lanes, ([name, { requests, rows, bytes }]) => [name, { requests, rows, bytes }]),
    );
  }

  #of(name: string): Lane {
    const lane = this.#lanes.get(name);
    if (lane !== undefined) return lane;
    const names = [...this.#lanes.keys()].map((each) => `"${each}"`).join(", ");
    throw new RangeError(`lane is "${name}"; allowed: ${names}`);
  }
}
