/**
 * Replays of the pairings, in processes of their own, as many at once as there are cores. What each came to is kept until
 * something changes that it depends on: its files, its flags, or a compiled module. Other policies do not depend on `spillway`.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Semaphore } from "../../base/semaphore.ts";
import type { ReplayPolicyName } from "../../replay/peers/registry.ts";
import type { LimitedSummary } from "../../replay/limit/scenario-limit.ts";
import { KeptResults } from "./kept-results.ts";
import { moduleDigest } from "./module-digest.ts";
import type { OwnReplay, OwnRun } from "./own-run.ts";
import { type Pairing, resultsSeed, scenarioPath, tracePath } from "./pairings.ts";

export type PolicyResult = LimitedSummary & { readonly policy: ReplayPolicyName };

const compiled = new URL("../../", import.meta.url);
const priceSheets = new URL("../serverless/prices/", compiled);
const spillwayModule = "client/policies/spillway/spillway.js";
const mostOutputBytes = 2 ** 26;

/** A program that replays a pairing and prints JSON. */
interface Program {
  readonly pairing: Pairing;
  /** Paths of modules from the folder of all: that on which the result depends, and one of its imports that it does not use. */
  readonly module: string;
  readonly except?: string | undefined;
  /** The script, and what it is told beside the paths of files. */
  readonly args: readonly string[];
  readonly files: readonly string[];
}

export class Replays {
  readonly #kept = new KeptResults(new URL("../node_modules/.cache/spillway-results/", compiled));
  readonly #places = new Semaphore(availableParallelism());
  readonly #asked = new Map<string, Promise<unknown>>();
  readonly #digests = new Map<string, string>();
  #ended = 0;

  /** Another policy than `spillway`, with its best parameters where it has some. */
  async ofPeer(pairing: Pairing, policy: ReplayPolicyName): Promise<PolicyResult> {
    const compared = await this.#command(pairing, ["--compare", policy, "--tune"], spillwayModule);
    return (compared as [PolicyResult])[0];
  }

  /** `spillway`, and the best schedule that is found with hindsight for the share in SLO that it serves. */
  async withHindsight(pairing: Pairing): Promise<readonly [LimitedSummary, LimitedSummary]> {
    const compared = await this.#command(pairing, ["--compare", "spillway", "--hindsight"]);
    return compared as [LimitedSummary, LimitedSummary];
  }

  async ofSpillway(run: OwnRun): Promise<OwnReplay> {
    const module = "bench/replay-process.js";
    const args = [module, JSON.stringify(run)];
    return (await this.#run({ pairing: run.pairing, module, args, files: [] })) as OwnReplay;
  }

  /** What `spillway replay --json` prints for a pairing with these flags. */
  #command(pairing: Pairing, flags: readonly string[], except?: string): Promise<unknown> {
    const { scale, fromS, toS } = pairing;
    const span = Object.entries({ from: fromS, to: toS, scale, seed: resultsSeed });
    const spanFlags = span.flatMap(([name, value]) => [`--${name}`, String(value)]);
    const args = ["cli.js", "replay", "--json", ...spanFlags, ...flags];
    const files = ["--trace", tracePath(pairing), "--scenario", scenarioPath(pairing)];
    return this.#run({ pairing, module: "cli/replay.js", args, files, except });
  }

  /** What a program prints, as JSON. The same is run once. */
  #run(program: Program): Promise<unknown> {
    const key = JSON.stringify([program.pairing.name, program.args]);
    const asked = this.#asked.get(key) ?? this.#runOnce(program);
    this.#asked.set(key, asked);
    return asked;
  }

  async #runOnce({ pairing, module, args, files, except }: Program): Promise<unknown> {
    // Neither the place of the repository nor that of the data counts.
    const digests = [this.#digestOf(tracePath(pairing)), this.#digestOf(scenarioPath(pairing))];
    const dependsOn = [args, digests, this.#digestOfModules(module, except), this.#digestOfPrices()];
    const printed = await this.#places.run(() =>
      this.#kept.of(dependsOn, async () => {
        const [script = "", ...others] = args;
        const all = [fileURLToPath(new URL(script, compiled)), ...others, ...files];
        return (await promisify(execFile)(process.execPath, all, { maxBuffer: mostOutputBytes })).stdout;
      }),
    );
    this.#ended++;
    process.stderr.write(`${this.#ended} of ${this.#asked.size} replays: ${pairing.name}\n`);
    return JSON.parse(printed);
  }

  #digestOf(path: string): string {
    return this.#once(path, () => createHash("sha256").update(readFileSync(path)).digest("hex"));
  }

  #digestOfModules(module: string, except: string | undefined): string {
    return this.#once(`${module} ${except}`, () => moduleDigest(compiled, module, except));
  }

  #digestOfPrices(): string {
    const paths = readdirSync(priceSheets).map((name) => fileURLToPath(new URL(name, priceSheets)));
    const sheets = paths.filter((path) => path.endsWith(".json")).toSorted();
    return sheets.map((path) => this.#digestOf(path)).join();
  }

  #once(key: string, make: () => string): string {
    const known = this.#digests.get(key) ?? make();
    this.#digests.set(key, known);
    return known;
  }
}
