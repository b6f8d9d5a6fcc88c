/** What the options choose together: the policy, the functions that are used, and the edges with their names. */
import { hubName } from "./ingress/jetstream/hub/hub-target.ts";
import { awaitedEdges } from "./targets/awaited-edges.ts";
import { hostname, networkInterfaces } from "node:os";
import type { Logger } from "pino";
import type { ReservedReplicas } from "../policies/policy-inputs.ts";
import { UsageError } from "../../base/usage-error.ts";
import type { FunctionVariant } from "../../serverless/prices/function-menu.ts";
import { isGrpcAddress } from "../../base/program/server-address.ts";
import { namedEdges } from "./edge-address.ts";
import type { DaemonOptions } from "./options.ts";

export type ChosenPolicy =
  | {
      readonly name: "fixed";
      readonly edgeRows: number;
      readonly functionRows: number;
      readonly timeoutMs: number;
    }
  | {
      readonly name: "spillway";
      readonly sloQuantile: number;
      readonly maxWaitMs?: number;
      readonly laneQuantiles?: Readonly<Record<string, number>>;
      readonly reserved?: ReservedReplicas;
      readonly spendAllowanceMs?: number;
    };

/** An edge server, and the name of its target. */
export interface EdgeAddress {
  readonly name: string;
  readonly url: string;
}

const fixedRows = { edge: 20, functions: 2 };
const fixedTimeoutS = 0.4;

/** Of lanes whose quantile differs from that of all. */
function quantilesOf({
  lanes,
}: DaemonOptions): Pick<ChosenPolicy & { readonly name: "spillway" }, "laneQuantiles"> {
  const own = lanes.flatMap(({ name, sloQuantile }) =>
    sloQuantile === undefined ? [] : [[name, sloQuantile] as const],
  );
  return own.length === 0 ? {} : { laneQuantiles: Object.fromEntries(own) };
}

/** @throws UsageError when an option does not go with the policy */
export function chosenPolicy(options: DaemonOptions): ChosenPolicy {
  const { edgeBatch, serverlessBatch, timeout, profile, saveProfile, sloQuantile, spendAllowance } = options;
  if (options.policy === "fixed") {
    refuseGiven("spillway", {
      profile,
      "save-profile": saveProfile,
      reserve: given(options.reserve),
      "spend-allowance": spendAllowance,
    });
    return {
      name: "fixed",
      edgeRows: edgeBatch ?? fixedRows.edge,
      functionRows: serverlessBatch ?? fixedRows.functions,
      timeoutMs: (timeout ?? fixedTimeoutS) * 1_000,
    };
  }
  refuseGiven("fixed", { "edge-batch": edgeBatch, "serverless-batch": serverlessBatch });
  if (profile !== undefined && saveProfile !== undefined)
    throw new UsageError("--save-profile writes what is measured at start; with --profile nothing is");
  checkReserved(options);
  return {
    name: "spillway",
    sloQuantile,
    ...(timeout !== undefined && { maxWaitMs: timeout * 1_000 }),
    ...quantilesOf(options),
    ...(given(options.reserve) && { reserved: options.reserve }),
    ...(spendAllowance !== undefined && { spendAllowanceMs: spendAllowance * 1_000 }),
  };
}

function given(reserved: ReservedReplicas): ReservedReplicas | undefined {
  return Object.keys(reserved).length === 0 ? undefined : reserved;
}

/** @throws UsageError when replicas are kept for a lane that is not there */
function checkReserved({ reserve, lanes }: DaemonOptions): void {
  const names = lanes.map(({ name }) => name);
  const unknown = Object.keys(reserve).find((lane) => !names.includes(lane));
  if (unknown === undefined) return;
  const allowed = names.length === 0 ? "a lane of --lanes" : names.join(", ");
  throw new UsageError(`--reserve names the lane "${unknown}"; allowed: ${allowed}`);
}

function refuseGiven(policy: string, flags: Readonly<Record<string, unknown>>): void {
  for (const [flag, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    throw new UsageError(`--${flag} is ${JSON.stringify(value)}; it is allowed with --policy ${policy} only`);
  }
}

/** @throws UsageError when daemons that joined are to share what this one, which has not joined, keeps to itself */
export function refuseAlone({ join, joinHub, joinOwners, joinSpend }: DaemonOptions): void {
  if (join.length > 0) return;
  if (joinSpend)
    throw new UsageError(
      "--join-spend is given without --join; the limits are shared with those that joined",
    );
  if (joinHub !== undefined)
    throw new UsageError(
      "--join-hub is given without --join; a hub is reached over the NATS server of the site",
    );
  if (joinOwners.length > 0)
    throw new UsageError("--join-owners is given without --join; models are shared with those that joined");
}

/** The functions that batches are sent to. The policy fixed uses one only. */
export function usedFunctions(
  options: DaemonOptions,
  policy: ChosenPolicy,
  log: Logger,
): readonly FunctionVariant[] {
  const { functions: chosen, serverless, edge, join } = options;
  if (edge.length === 0 && join.length === 0 && (!serverless || chosen.length === 0))
    throw new UsageError(
      "--no-edge and --no-serverless leave no target; allowed: at least one edge or function, or --join, where edges join",
    );
  if (!serverless) return [];
  if (policy.name === "spillway" || chosen.length === 1) return chosen;
  log.warn({ function: chosen[0]?.name }, "--policy fixed uses the first function only");
  return chosen.slice(0, 1);
}

/**
 * The edges by name.
 *
 * @throws UsageError when two targets have one name
 */
export function chosenEdges(
  { edge: given, joinHub }: Pick<DaemonOptions, "edge" | "joinHub">,
  functions: readonly FunctionVariant[],
): readonly EdgeAddress[] {
  // Edges come by themselves later.
  const edges = given.length + functions.length === 0 ? [awaitedEdges] : namedEdges(given);
  const hubs = joinHub === undefined ? [] : [{ name: hubName }];
  const names = [...edges, ...functions, ...hubs].map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice === undefined) return edges;
  throw new UsageError(`--edge: two targets are called "${twice}"; allowed: a name of its own for each`);
}

/**
 * A queue that sends to itself would answer nothing, and its connections would never end.
 *
 * @throws UsageError when the address of an edge or a function is the one that the daemon listens on
 */
export function refuseOwnAddress(
  listensOn: Pick<DaemonOptions, "host" | "port" | "grpcPort">,
  edges: readonly EdgeAddress[],
  functions: readonly FunctionVariant[],
): void {
  const isOwn = (url: string): boolean => isOwnAddress(listensOn, url);
  const edge = edges.find(({ url }) => isOwn(url));
  if (edge !== undefined)
    throw new UsageError(`--edge is the queue itself: ${edge.url}; allowed: the address of a model server`);
  const own = functions.find(({ url }) => url !== undefined && isOwn(url));
  if (own !== undefined)
    throw new UsageError(
      `--functions: ${own.name} is the queue itself: ${own.url}; allowed: a function's URL`,
    );
}

/** Whether an address leads to what listens there; port 0 is not known yet. */
export function isOwnAddress(
  { host, port, grpcPort = 0 }: Pick<DaemonOptions, "host" | "port" | "grpcPort">,
  url: string,
): boolean {
  const own = isGrpcAddress(url) ? grpcPort : port;
  return own !== 0 && portOf(url) === own && isOwnHost(hostOf(url), host);
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}

function hostOf(url: string): string {
  return bareHost(new URL(url).hostname);
}

function bareHost(host: string): string {
  return host.toLowerCase().replace(/^\[|\]$|\.$/g, "");
}

const everyAddress = new Set(["0.0.0.0", "::"]);

/** Whether a connection to `host` reaches what listens on `listening`, as far as that can be told without a name server. */
function isOwnHost(host: string, listening: string): boolean {
  const own = bareHost(listening);
  if (host === own) return true;
  const isLocal = isLoopback(host) || everyAddress.has(host);
  if (isLocal && (isLoopback(own) || everyAddress.has(own))) return true;
  if (!everyAddress.has(own)) return false;
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return host === hostname().toLowerCase() || addresses.some(({ address }) => address === host);
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.") || host.startsWith("::ffff:7f");
}
