/** The lanes of a daemon: as people write them, and which one a request goes to. */
import { z } from "zod";
import { keyName } from "../../base/access/api-keys.ts";
import { showValue } from "../../base/error-text.ts";
import { positive, whole } from "../../base/program/option-fields.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { type InferRequest, priorityOf } from "../../protocol/message.ts";
import type { LaneOptions } from "../queue/lanes/lanes.ts";

/** How long the requests of a lane without an SLO wait for what others leave. */
const bestEffortS = 3_600;

/** No lane starves, however much there is of others. */
const defaultShare = 0.05;

const laneName = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_-]{0,31}$/,
    "a name has up to 32 letters, digits, - and _, and begins with a letter",
  );

const laneEntry = z.strictObject({
  name: laneName,
  /** Seconds. Left out: best effort. */
  slo: positive(86_400).optional(),
  maxRows: whole(1).optional(),
  maxMib: positive().optional(),
  /** Part of the edges' rows that it gets at least while its rows wait, and at most while others wait. */
  leastShare: z.number().min(0).max(1).default(defaultShare),
  mostShare: z.number().positive().max(1).default(1),
  /** Requests of so many rows or more go here. */
  fromRows: whole(2).optional(),
  /** Requests of these V2 priorities go here. */
  priorities: z.array(whole(1)).min(1).optional(),
  /** Requests with the API keys of these names go here. */
  keys: z.array(keyName).min(1).optional(),
});

/** One lane as the user wrote it. */
export type LaneEntry = z.output<typeof laneEntry>;

/** `NAME=SECONDS` or `NAME`. */
function entriesOf(text: string): unknown[] {
  return text.split(",").map((part) => {
    const [name = "", slo] = part.trim().split("=");
    return slo === undefined ? { name } : { name, slo: Number(slo) };
  });
}

/** `realtime=0.3,bulk`, or a list of lanes with their settings. */
export const laneList = z
  .union([z.string(), z.array(z.unknown())])
  .transform((given, context): readonly LaneEntry[] => {
    const listed = z.array(laneEntry).safeParse(typeof given === "string" ? entriesOf(given) : given);
    if (!listed.success) {
      const [{ path, message } = { path: [], message: "" }] = listed.error.issues;
      const field = path[1] === undefined ? "" : `, ${path.slice(1).join(".")}`;
      context.addIssue(`lane ${Number(path[0] ?? 0) + 1}${field}: ${message}; expected NAME=SECONDS,...`);
      return z.NEVER;
    }
    const names = listed.data.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) < index);
    const kept = listed.data.reduce((sum, { leastShare }) => sum + leastShare, 0);
    const few = listed.data.find(({ leastShare, mostShare }) => leastShare > mostShare);
    if (twice !== undefined) context.addIssue(`two lanes are called "${twice}"`);
    else if (kept > 1) context.addIssue(`the lanes' leastShare come to ${kept}; allowed: 1 in all`);
    else if (few !== undefined) context.addIssue(`lane "${few.name}": leastShare is above mostShare`);
    else return listed.data;
    return z.NEVER;
  });

function pairsIn(text: string): [string, string?][] {
  return text.split(",").map((part) => part.trim().split("=") as [string, string?]);
}

/** `realtime=2`, or an object of lanes with replicas. */
export const reservedReplicas = z
  .union([z.string(), z.record(z.string(), z.unknown())])
  .default({})
  .transform((given, context): Readonly<Record<string, number>> => {
    const listed = typeof given === "string" ? pairsIn(given) : Object.entries(given);
    const reserved = listed.map(([lane, replicas]): [string, number] => [lane, Number(replicas)]);
    if (reserved.every(([, replicas]) => Number.isInteger(replicas) && replicas >= 1))
      return Object.fromEntries(reserved);
    context.addIssue("LANE=REPLICAS,... with 1 replica or more, such as realtime=2");
    return z.NEVER;
  });

/** What a caller says beside the request. */
export interface LaneHints {
  /** Value of the header `Spillway-Lane`. */
  readonly lane?: string | undefined;
  /** Value of the header `Spillway-Tenant`. */
  readonly tenant?: string | undefined;
  /** Name of the caller's API key. */
  readonly key?: string | undefined;
}

/** The names of the header fields, in lower case. */
export const laneHeader = "spillway-lane";
export const tenantHeader = "spillway-tenant";

const mostTenantChars = 128;

export class DaemonLanes {
  readonly #lanes: readonly LaneEntry[];

  constructor(lanes: readonly LaneEntry[]) {
    this.#lanes = lanes;
  }

  get names(): readonly string[] {
    return this.#lanes.map(({ name }) => name);
  }

  /** For the queue. */
  options(): Readonly<Record<string, LaneOptions>> {
    return Object.fromEntries(
      this.#lanes.map(({ name, slo = bestEffortS, maxRows, maxMib, leastShare, mostShare }) => {
        const maxBytes = maxMib === undefined ? undefined : maxMib * 2 ** 20;
        return [name, { sloMs: slo * 1_000, maxRows, maxBytes, leastShare, mostShare }];
      }),
    );
  }

  /** Time from arrival to deadline in a lane, in milliseconds; undefined without a lane. */
  sloMsOf(lane: string | undefined): number | undefined {
    const entry = this.#lanes.find(({ name }) => name === lane);
    return entry && (entry.slo ?? bestEffortS) * 1_000;
  }

  /**
   * The lane of a request: the one that the header or the parameter `spillway_lane` names, else that of its API key, of its
   * priority, or of its rows; undefined for none.
   *
   * @throws ProtocolError when it names a lane that is not there
   */
  laneOf(request: InferRequest, { lane, key }: LaneHints): string | undefined {
    const named = lane ?? request.parameters["spillway_lane"];
    if (named !== undefined && named !== "") return this.#named(named);
    const priority = priorityOf(request);
    const rows = request.inputs[0]?.shape[0] ?? 1;
    const chosen =
      this.#lanes.find(({ keys }) => key !== undefined && keys?.includes(key)) ??
      this.#lanes.find(({ priorities }) => priorities?.includes(priority)) ??
      this.#lanes.find(({ fromRows = Infinity }) => rows >= fromRows);
    return chosen?.name;
  }

  #named(named: unknown): string {
    const known = this.#lanes.find(({ name }) => name === named);
    if (known !== undefined) return known.name;
    const allowed = this.#lanes.length === 0 ? "none; --lanes sets some" : this.names.join(", ");
    throw new ProtocolError(`spillway_lane is ${showValue(named)}; allowed: ${allowed}`);
  }
}

/**
 * On whose behalf a request is made: the name of its API key, else what the header or the parameter `spillway_tenant` says;
 * undefined for nobody's in particular.
 *
 * @throws ProtocolError when the name is no text, or too long
 */
export function tenantOf(request: InferRequest, { tenant, key }: LaneHints): string | undefined {
  const named = key ?? tenant ?? request.parameters["spillway_tenant"];
  if (named === undefined || named === "") return undefined;
  if (typeof named === "string" && named.length <= mostTenantChars) return named;
  throw new ProtocolError(
    `spillway_tenant is ${showValue(named)}; allowed: a text of at most ${mostTenantChars} characters`,
  );
}
