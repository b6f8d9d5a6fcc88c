/**
 * The world that a replay runs in: links, replicas, function sizes, faults. A scenario is a file in which
 * users write notes of their own, so unknown keys are ignored; a key that looks misspelt leads to a warning.
 */
import { z } from "zod";
import type { FunctionSize } from "../../serverless/prices/price.ts";
import { hasOwnText, schemaFaults } from "../../base/program/schema-fault.ts";
import { InputError } from "../../base/usage-error.ts";
import { misspeltKeys } from "./scenario-keys.ts";
import { MeasuredTimes } from "../../algorithms/latency/measured-times.ts";

export interface LinkSpec {
  readonly rttMs: number;
  readonly uplinkMbps: number;
}

export interface EdgeSpec {
  /** Unique among the edges and function sizes. */
  readonly name: string;
  readonly replicas: number;
  readonly link: LinkSpec;
  readonly service: MeasuredTimes;
}

export interface SizeSpec extends FunctionSize {
  readonly name: string;
  readonly service: MeasuredTimes;
}

export interface ServerlessSpec {
  readonly link: LinkSpec;
  /** Over all sizes. */
  readonly maxInstances: number;
  readonly idleMs: number;
  readonly coldStartMs: readonly number[];
  /** Name of the price sheet. */
  readonly prices: string;
  readonly sizes: readonly SizeSpec[];
}

/** The promise to the requests of a lane. */
export interface LaneSpec {
  readonly sloMs: number;
  /** Share of the lane's requests that must meet its SLO. */
  readonly sloQuantile: number;
}

export interface Scenario {
  readonly name: string;
  /** Of requests without a lane. */
  readonly sloMs: number;
  /** Share of the requests without a lane that must meet the SLO. */
  readonly sloQuantile: number;
  /** By name; empty where all requests are alike. */
  readonly lanes: Readonly<Record<string, LaneSpec>>;
  /** Bytes of one row. */
  readonly requestBytes: number;
  /** In a world without edges there is a size, and the other way round. */
  readonly edges: readonly EdgeSpec[];
  readonly serverless: ServerlessSpec;
  readonly faults: readonly Fault[];
}

const ms = z.number().min(0);
const link = z.object({ rttMs: ms, uplinkMbps: z.number().positive() });
const batches = z.object({
  maxBatch: z.number().int().min(1),
  serviceMs: z
    .record(z.string().regex(/^[1-9]\d*$/, "a batch size is an integer from 1"), z.array(ms).min(1))
    .refine((samples) => Object.keys(samples).length > 0, "no batch size is listed"),
});
const size = batches.extend({
  name: z.string().min(1),
  // Prices per GB-second do not need it.
  vcpu: z.number().min(0).default(0),
  memoryMib: z.number().positive(),
  gpu: z.object({ card: z.string().min(1), memoryGib: z.number().positive() }).optional(),
});
const edge = batches.extend({ replicas: z.number().int().min(1), link });
const edgeName = z.string().min(1);
/** In force in [fromMs, toMs) of replay time. */
const span = { fromMs: z.number(), toMs: z.number() };
/** A fault affects the named edge, or all edges. */
const atEdge = { edge: edgeName.optional() };
const factor = z.number().positive();
const fault = z
  .discriminatedUnion("kind", [
    // Service times at the edge are multiplied.
    z.object({ ...span, ...atEdge, kind: z.literal("edge-slow"), factor }),
    // Every batch at the edge gets an error.
    z.object({ ...span, ...atEdge, kind: z.literal("edge-down") }),
    // The uplink's rate is divided.
    z.object({
      ...span,
      ...atEdge,
      kind: z.literal("link-slow"),
      target: z.enum(["edge", "serverless"]),
      factor,
    }),
    // Every call of a function is refused.
    z.object({
      ...span,
      kind: z.literal("throttle"),
      edge: z.never("allowed on other faults only").optional(),
    }),
  ])
  .superRefine(({ fromMs, toMs }, context) => {
    if (toMs > fromMs) return;
    context.addIssue({
      code: "custom",
      path: ["toMs"],
      message: `${toMs} is not above fromMs, which is ${fromMs}`,
    });
  });
export type Fault = Readonly<z.output<typeof fault>>;

const scenario = z.object({
  name: z.string().min(1),
  sloMs: z.number().positive(),
  sloQuantile: z.number().positive().max(1).default(0.99),
  requestBytes: z.number().min(0),
  edge: edge.optional(),
  edges: z.array(edge.extend({ name: edgeName })).optional(),
  lanes: z
    .record(
      z.string().min(1, "a lane has a name"),
      z.object({ sloMs: z.number().positive(), sloQuantile: z.number().positive().max(1).default(0.99) }),
    )
    .default({}),
  serverless: z.object({
    link,
    maxInstances: z.number().int().min(0),
    idleMs: ms,
    coldStartMs: z.array(ms).min(1),
    prices: z.string().min(1),
    sizes: z
      .array(size)
      .refine(
        (sizes) => new Set(sizes.map(({ name }) => name)).size === sizes.length,
        "two sizes have one name",
      ),
  }),
  faults: z.array(fault).default([]),
});

const scenarioSchema = z.toJSONSchema(scenario, { io: "input" });

/**
 * Reads a scenario.
 *
 * @param file name of the scenario, for messages
 * @param warn called for each key that is probably misspelt, before anything is refused
 * @param mayLackEdges whether there may be functions alone
 * @throws InputError that names the file and the field, or the line when the text is not JSON
 */
export function parseScenario(
  text: string,
  file: string,
  warn: (message: string) => void = () => {},
  mayLackEdges = false,
): Scenario {
  const value = parseJson(text, file);
  refuseProfile(value, file);
  for (const { place, key, meant } of misspeltKeys(value, scenarioSchema)) {
    const at = place === "" ? file : `${file}:${place}`;
    warn(`${at}: "${key}" is not a known key and is left alone; did you mean "${meant}"?`);
  }
  const result = scenario.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues as [z.core.$ZodIssue];
    throw new InputError(file, issue.path.join("."), whyRefused(value, issue));
  }
  const { edge, edges, serverless, ...rest } = result.data;
  if ((edge === undefined) === (edges === undefined)) {
    const message = edge === undefined ? "neither is there" : "both are there";
    throw new InputError(file, "edge, edges", `${message}; allowed: one of them`);
  }
  // An empty list in a file is more likely a slip than a world of functions alone.
  if (edges?.length === 0 && (!mayLackEdges || serverless.sizes.length === 0))
    throw new InputError(file, "edges", "the list is empty; allowed: an edge at least");
  const named = edges ?? [{ ...(edge as NonNullable<typeof edge>), name: "edge" }];
  checkNames(named, serverless.sizes, rest.faults, file);
  return {
    ...rest,
    edges: named.map(({ name, replicas, link, ...times }, index) => {
      const at = edges === undefined ? "edge" : `edges.${index}`;
      return { name, replicas, link, service: serviceTimes(times, file, at) };
    }),
    serverless: {
      ...serverless,
      sizes: serverless.sizes.map((each, index) => sizeSpec(each, file, `serverless.sizes.${index}`)),
    },
  };
}

/** Both are files of times that people keep side by side. */
function refuseProfile(value: unknown, file: string): void {
  const { format } = (value ?? {}) as { format?: unknown };
  if (typeof format !== "string" || !format.startsWith("spillway-profile/")) return;
  const why =
    "this is a profile, which has no SLO and no prices; spillway profile --scenario makes a scenario";
  throw new InputError(file, "", why);
}

function whyRefused(value: unknown, issue: z.core.$ZodIssue): string {
  if (hasOwnText(issue)) return issue.message;
  const { path, message } = issue;
  if (message.endsWith("expected number, received undefined") && String(path.at(-1)).endsWith("Ms"))
    return "it is missing; allowed: a number of milliseconds";
  const [fault] = schemaFaults(scenario, value, [issue]);
  return `it ${fault?.text ?? message}`;
}

/** @throws InputError when two targets have one name, or a fault names an unknown edge */
function checkNames(
  edges: readonly { readonly name: string }[],
  sizes: readonly { readonly name: string }[],
  faults: readonly Fault[],
  file: string,
): void {
  const names = edges.map(({ name }) => name);
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) !== index)
      throw new InputError(file, `edges.${index}.name`, `two edges are "${name}"`);
  }
  for (const [index, { name }] of sizes.entries()) {
    if (!names.includes(name)) continue;
    throw new InputError(
      file,
      `serverless.sizes.${index}.name`,
      `no size may be called "${name}", as an edge is`,
    );
  }
  for (const [index, fault] of faults.entries()) {
    const named = "edge" in fault ? fault.edge : undefined;
    if (named === undefined) continue;
    const allowed = names.join(", ");
    if (fault.kind === "link-slow" && fault.target !== "edge")
      throw new InputError(file, `faults.${index}.edge`, 'allowed with the target "edge" only');
    if (!names.includes(named))
      throw new InputError(file, `faults.${index}.edge`, `"${named}" is no edge; allowed: ${allowed}`);
  }
}

function sizeSpec(
  { name, vcpu, memoryMib, gpu, ...times }: z.output<typeof size>,
  file: string,
  at: string,
): SizeSpec {
  const card = gpu === undefined ? {} : { gpu };
  return { name, vcpu, memoryMib, ...card, service: serviceTimes(times, file, at) };
}

function serviceTimes(
  { maxBatch, serviceMs }: z.output<typeof batches>,
  file: string,
  at: string,
): MeasuredTimes {
  const listed = Math.max(...Object.keys(serviceMs).map(Number));
  if (maxBatch > listed) {
    throw new InputError(
      file,
      `${at}.maxBatch`,
      `${maxBatch} is above ${listed}, the last size that has service times`,
    );
  }
  return new MeasuredTimes(serviceMs, maxBatch);
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    throw new InputError(file, placeIn(text, message), message);
  }
}

/** The parser's "position 123" as line and column; the end of the text when it ends too early. */
function placeIn(text: string, message: string): string {
  const position = /position (\d+)/.exec(message)?.[1];
  if (position === undefined && !message.includes("end of JSON")) return "";
  const before = text.slice(0, position === undefined ? text.length : Number(position)).split("\n");
  return `${before.length}:${(before.at(-1) as string).length + 1}`;
}
