/** The lanes of a daemon: as people write them, and which one a request goes to. */
import { z } from "zod";
import { keyName } from "../../base/access/api-keys.ts";
import { showValue } from "../../base/error-text.ts";
import { numberOrText } from "../../base/program/number-or-text.ts";
import { positive, whole } from "../../base/program/option-fields.ts";
import { schemaFaults } from "../../base/program/schema-fault.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { type InferRequest, priorityOf } from "../../protocol/message.ts";
import type { TraceContext } from "../../protocol/trace-context.ts";
import type { LaneOptions } from "../queue/lanes/lanes.ts";
import type { LaneGoal } from "./observe/lane-goals.ts";

/** How long the requests of a lane without an SLO wait for what others leave. */
const bestEffortS = 3_600;

/** No lane starves, however much there is of others. */
const defaultShare = 0.05;

const laneName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,31}$/, "up to 32 letters, digits, - and _, a letter first");

const laneEntry = z.strictObject({
  name: laneName,
  /** Seconds. Left out: best effort. */
  slo: positive(86_400).optional(),
  /** Share of its requests that must meet the SLO. Left out: that of all requests. */
  sloQuantile: z.number().min(0.5).max(0.9999).optional(),
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

/** `NAME=SECONDS@QUANTILE`, `NAME=SECONDS` or `NAME`. */
function entriesOf(text: string): unknown[] {
  return pairsIn(text).map(([name, goal]) => {
    if (goal === undefined) return { name };
    const end = goal.indexOf("@");
    if (end === -1) return { name, slo: numberOrText(goal) };
    return { name, slo: numberOrText(goal.slice(0, end)), sloQuantile: numberOrText(goal.slice(end + 1)) };
  });
}

/** Names with what follows their `=`, if there is one. */
function pairsIn(text: string): [string, string | undefined][] {
  return text.split(",").map((part) => {
    const pair = part.trim();
    const end = pair.indexOf("=");
    return end === -1 ? [pair, undefined] : [pair.slice(0, end).trim(), pair.slice(end + 1).trim()];
  });
}

const laneEntries = z.array(laneEntry);

/** `realtime=0.3@0.999,bulk`, or a list of lanes with their settings. */
export const laneList = z
  .union([z.string(), z.array(z.unknown())])
  .transform((given, context): readonly LaneEntry[] => {
    const entries = typeof given === "string" ? entriesOf(given) : given;
    const listed = laneEntries.safeParse(entries);
    if (!listed.success) {
      const faults = schemaFaults(laneEntries, entries, listed.error.issues);
      const texts = faults.map(
        ({ path: [index, ...field], text }) =>
          `lane ${Number(index) + 1}${field.length === 0 ? "" : `, ${field.join(".")}`} ${text}`,
      );
      context.addIssue(`NAME=SECONDS,...; ${texts.join("; ")}`);
      return z.NEVER;
    }
    const names = listed.data.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) < index);
    const kept = listed.data.reduce((sum, { leastShare }) => sum + leastShare, 0);
    const few = listed.data.find(({ leastShare, mostShare }) => leastShare > mostShare);
    const fault =
      twice !== undefined
        ? `two lanes are called "${twice}"`
        : kept > 1
          ? `the lanes' leastShare come to ${kept}; allowed: 1 in all`
          : few !== undefined
            ? `lane "${few.name}": leastShare is ${few.leastShare}; allowed: 0 to its mostShare of ${few.mostShare}`
            : undefined;
    if (fault === undefined) return listed.data;
    context.addIssue(`NAME=SECONDS,...; ${fault}`);
    return z.NEVER;
  });

const reservation = z.record(z.string(), whole(1));

/** `realtime=2`, or an object of lanes with replicas. */
export const reservedReplicas = z
  .union([z.string(), z.record(z.string(), z.unknown())])
  .default({})
  .transform((given, context): Readonly<Record<string, number>> => {
    const listed =
      typeof given === "string"
        ? Object.fromEntries(pairsIn(given).map(([lane, replicas = ""]) => [lane, numberOrText(replicas)]))
        : given;
    const reserved = reservation.safeParse(listed);
    if (reserved.success) return reserved.data;
    const texts = schemaFaults(reservation, listed, reserved.error.issues).map(
      ({ path, text }) => `the number for "${path.join(".")}" ${text}`,
    );
    context.addIssue(`LANE=REPLICAS,... such as realtime=2; ${texts.join("; ")}`);
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
  /** Of which trace the request is part. */
  readonly trace?: TraceContext | undefined;
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

  /** By name, the time from arrival to deadline in milliseconds. */
  get slosMs(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#lanes.map(({ name, slo = bestEffortS }) => [name, slo * 1_000]));
  }

  /** For the queue. */
  options(): Readonly<Record<string, LaneOptions>> {
    return Object.fromEntries(
      this.#lanes.map(({ name, slo = bestEffortS, sloQuantile, maxRows, maxMib, leastShare, mostShare }) => {
        const maxBytes = maxMib === undefined ? undefined : maxMib * 2 ** 20;
        return [name, { sloMs: slo * 1_000, sloQuantile, maxRows, maxBytes, leastShare, mostShare }];
      }),
    );
  }

  /** Time from arrival to deadline in a lane, in milliseconds; undefined without a lane. */
  sloMsOf(lane: string | undefined): number | undefined {
    const entry = this.#lanes.find(({ name }) => name === lane);
    return entry && (entry.slo ?? bestEffortS) * 1_000;
  }

  /**
   * What each lane promises, by name, with "" for requests without a lane.
   *
   * @param otherwise the promise of requests without a lane, and the quantile of lanes that name none
   */
  goals(otherwise: LaneGoal): Readonly<Record<string, LaneGoal>> {
    const ofLanes = this.#lanes.map(
      ({ name, slo = bestEffortS, sloQuantile = otherwise.sloQuantile }): [string, LaneGoal] => [
        name,
        { sloMs: slo * 1_000, sloQuantile },
      ],
    );
    return { "": otherwise, ...Object.fromEntries(ofLanes) };
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
