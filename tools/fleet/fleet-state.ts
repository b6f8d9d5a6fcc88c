/** The file that says what `up` has started. It is written after every start, so it is right if `up` is interrupted. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { readIfThere } from "../../base/files.ts";
import { UsageError } from "../../base/usage-error.ts";

const identity = { pid: z.number().int().positive(), started: z.string() };

const fleetState = z.strictObject({
  format: z.literal("spillway-fleet/1"),
  /** Path of the fleet file. */
  file: z.string(),
  /** The `up` that is still starting programs; null when it is done. */
  starting: z.strictObject(identity).nullable(),
  /** In the order of their start. */
  programs: z.array(
    z.strictObject({
      ...identity,
      name: z.string(),
      command: z.string(),
      /** Moment of the start, as an ISO date-time. */
      at: z.iso.datetime(),
      url: z.string(),
      /** Answers 200 when the program is ready. */
      readyUrl: z.string(),
      log: z.string(),
    }),
  ),
});

export type FleetState = z.output<typeof fleetState>;
export type FleetProgram = FleetState["programs"][number];

/** A fleet's folder: its state, and the options and logs of its programs. */
export class FleetFolder {
  readonly path: string;
  readonly #file: string;

  constructor(path: string) {
    this.path = resolve(path);
    this.#file = join(this.path, "fleet.json");
  }

  /** Path of the options or the log of the program `name`. */
  fileOf(name: string, ending: "yaml" | "log"): string {
    return join(this.path, `${name}.${ending}`);
  }

  /**
   * The state; undefined when nothing was started from here, or all of it was stopped.
   *
   * @throws UsageError that names the file when `up` did not write it
   */
  read(): FleetState | undefined {
    const text = readIfThere(this.#file);
    if (text === undefined) return undefined;
    const result = fleetState.safeParse(jsonOf(text));
    if (result.success) return result.data;
    const [{ path, message } = { path: [], message: "" }] = result.error.issues;
    throw new UsageError(`${this.#file}: ${path.join(".")}: ${message}; spillway up did not write this`);
  }

  /**
   * Write the first state.
   *
   * @throws Error with code EEXIST when there is one already
   */
  create(state: FleetState): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    writeFileSync(this.#file, textOf(state), { flag: "wx" });
  }

  /** Replace the state in one step, so no reader sees half of it. */
  write(state: FleetState): void {
    writeFileSync(`${this.#file}.new`, textOf(state));
    renameSync(`${this.#file}.new`, this.#file);
  }

  remove(): void {
    rmSync(this.#file, { force: true });
  }
}

function textOf(state: FleetState): string {
  return `${JSON.stringify(state, undefined, 1)}\n`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
