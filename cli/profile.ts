/** `spillway profile`: measures one model on one server by batch size, prints the result and writes files. */
import { calibrate } from "../client/daemon/profile/calibrate.ts";
import { lessLink, probeLink } from "../tools/profile/link-probe.ts";
import type { Measured } from "../client/daemon/profile/measure.ts";
import type { ExampleModel } from "../client/daemon/profile/example-input.ts";
import { namedEdges } from "../client/daemon/edge-address.ts";
import { SpillwayError } from "../base/errors.ts";
import type { ModelTimes, ProfiledTarget } from "../client/policies/profile.ts";
import { edgeAuth } from "../client/transports/http-auth.ts";
import type { HttpTransport } from "../client/transports/http-transport.ts";
import { serverTransport } from "../client/transports/server-transport.ts";
import { createProgress, progressBar, stopOnSignal } from "../base/program/progress.ts";
import { UsageError } from "../base/usage-error.ts";
import { exampleOf } from "../tools/load/payload.ts";
import { readPriceSheet } from "../serverless/prices/price-sheet-files.ts";
import { checkFolder } from "../base/output-file.ts";
import { writeJson } from "../client/daemon/profile/profile-file.ts";
import { profileWith, scenarioOf } from "../tools/profile/profile-files.ts";
import type { ProfileOptions } from "../tools/profile/options.ts";
import { formatProfile, type ProfileFigures, profileFigures } from "../tools/profile/profile-table.ts";

/** A server that is measured. */
interface Server {
  readonly url: string;
  /** Of the target in the profile. */
  readonly name: string;
}

/** Exit status 0 when at least one batch size of each server was measured, else 1. */
export async function runProfile(options: ProfileOptions): Promise<number> {
  const { model, quantile, save, scenario } = options;
  const servers = serversOf(options);
  checkFiles(options, servers);
  const stop = stopOnSignal("what was measured so far is printed");
  const targets: ProfiledTarget[] = [];
  const figures: (ProfileFigures & { readonly name: string })[] = [];
  for (const server of servers) {
    if (stop.aborted && targets.length > 0) break;
    const target = await measuredAt(server, options, stop);
    const found = profileFigures(target.models[model] as ModelTimes, target.link, quantile);
    targets.push(target);
    figures.push({ name: server.name, ...found });
    if (!options.json) {
      const head =
        options.edge === undefined
          ? ""
          : `${targets.length === 1 ? "" : "\n"}${server.name} at ${server.url}\n`;
      process.stdout.write(head + formatProfile(found));
    }
  }
  const { name: _, ...only } = figures[0] as (typeof figures)[number];
  if (options.json) process.stdout.write(`${JSON.stringify(options.edge === undefined ? only : figures)}\n`);
  const profile = profileWith(save, targets);
  if (save !== undefined) writeJson("--save", save, profile);
  if (scenario !== undefined) {
    const { functions = [], prices } = options;
    const sloMs = options.slo * 1_000;
    const request = { path: scenario, model, sloMs, sloQuantile: quantile, functions, prices };
    writeJson("--scenario", scenario, scenarioOf(profile, request));
  }
  return targets.length === servers.length ? 0 : 1;
}

/** @throws UsageError unless there is one server at --url, or edges that differ in name and address */
function serversOf({ url, edge, function: menu }: ProfileOptions): readonly Server[] {
  if (url === undefined && edge === undefined)
    throw new UsageError("--url is missing: the V2 server to measure; or give --edge for each of several");
  if (edge === undefined) return [{ url: url as string, name: "edge" }];
  if (url !== undefined)
    throw new UsageError("--url and --edge (or SPILLWAY_EDGE) are given; allowed: one of the two");
  if (menu !== undefined)
    throw new UsageError("--function and --edge are given; a function is measured with --url");
  const edges = namedEdges(edge);
  for (const what of ["name", "url"] as const) {
    const values = edges.map((each) => each[what]);
    const twice = values.find((value, index) => values.indexOf(value) < index);
    if (twice !== undefined) throw new UsageError(`--edge: ${twice} is there twice; allowed: each once`);
  }
  return edges;
}

/** @throws UsageError when the result could not be written in the end */
function checkFiles(options: ProfileOptions, servers: readonly Server[]): void {
  const { save, scenario, functions = [], prices } = options;
  checkFolder("--save", save);
  checkFolder("--scenario", scenario);
  const { targets } = profileWith(
    save,
    servers.map((server) => nothingOf(options, server)),
  );
  if (scenario === undefined) return;
  readPriceSheet(prices);
  if (targets.every(({ kind }) => kind !== "edge")) {
    throw new UsageError("--scenario: the profile has no edge; measure that with --save first");
  }
  if (functions.length === 0 && targets.every(({ kind }) => kind === "edge")) {
    throw new UsageError("--scenario needs a function: give --functions, such as small=1x1024");
  }
}

/** @throws UsageError when the server answers no batch */
async function measuredAt(
  server: Server,
  options: ProfileOptions,
  stop: AbortSignal,
): Promise<ProfiledTarget> {
  const { url } = server;
  const example = await exampleOf({ ...options, url });
  const auth = edgeAuth(options.auth, "--auth", process.env);
  const transport = serverTransport({ url, connections: 1, auth });
  try {
    return await measured(server, options, transport, example, stop);
  } finally {
    await transport.close();
  }
}

async function measured(
  server: Server,
  options: ProfileOptions,
  transport: HttpTransport,
  example: ExampleModel,
  stop: AbortSignal,
): Promise<ProfiledTarget> {
  const { url } = server;
  const { model, quantile, seconds } = options;
  const sizes = [...new Set(options.batches.split(",").map(Number))].sort((a, b) => a - b);
  // One sample lies beyond the quantile.
  const rounds = Math.ceil(1 / (1 - quantile) - 1e-9);
  let found: Measured | undefined;
  const hide = showTime(seconds * 1_000);
  const { targets } = await calibrate({
    profile: { format: "spillway-profile/1", targets: [nothingOf(options, server)] },
    transports: [transport],
    models: [example],
    budgetMs: seconds * 1_000,
    longestMs: Infinity,
    stop,
    sizes,
    rounds,
    onMeasured: (_, __, result) => (found = result),
  }).finally(hide);
  const target = targets[0] as ProfiledTarget;
  const times = target.models[model];
  if (times === undefined)
    throw new UsageError(`${url} does not answer for ${model}: ${found?.fault?.message}`);
  reportMissing(times, sizes, rounds, options, found?.fault);
  if (found !== undefined && found.uploads.length > 0) return target;
  const link = await probeLink(transport, example).catch((error: unknown) => {
    throw error instanceof SpillwayError ? new UsageError(`${url}: ${error.message}`) : error;
  });
  return { ...target, link, models: { [model]: lessLink(times, link) } };
}

/** The target without measurements. */
function nothingOf({ function: menu }: ProfileOptions, { name: edge }: Server): ProfiledTarget {
  const shared = { replicas: 1, link: { rttMs: 0, uplinkMbps: 1_000 }, coldStartMs: [], models: {} };
  if (menu === undefined) return { ...shared, name: edge, kind: "edge" };
  const [size, ...others] = menu;
  if (size === undefined || others.length > 0) {
    throw new UsageError(`--function names ${menu.length} functions; allowed: one`);
  }
  const { name, vcpu, memoryMib } = size;
  return { ...shared, name, kind: "serverless", vcpu, memoryMib };
}

function reportMissing(
  { serviceMs }: ModelTimes,
  sizes: readonly number[],
  rounds: number,
  { quantile, seconds }: ProfileOptions,
  fault: SpillwayError | undefined,
): void {
  const why = fault === undefined ? `--seconds is ${seconds}` : fault.message;
  const left = sizes.filter((rows) => serviceMs[String(rows)] === undefined);
  if (left.length > 0) process.stderr.write(`not measured: batches of ${left.join(", ")} (${why})\n`);
  const few = Object.values(serviceMs).filter((samples) => samples.length < rounds).length;
  if (few === 0) return;
  process.stderr.write(
    `${few} sizes have fewer than the ${rounds} samples that quantile ${quantile} needs (${why})\n`,
  );
}

/** Shows a bar of the time while measuring; returns a function that removes it. */
function showTime(durationMs: number): () => void {
  const progress = createProgress(process.stderr);
  const startedAtMs = performance.now();
  const showing = setInterval(() => {
    progress.show(
      () => `measuring ${progressBar((performance.now() - startedAtMs) / durationMs)} of the time`,
    );
  }, 100);
  return () => {
    clearInterval(showing);
    progress.end();
  };
}
