/** Starts the programs of a fleet one after another, each when the one before is ready; all of them or none. */
import type { FleetProgram, FleetState } from "./fleet-state.ts";
import { identityOf, type ProcessIdentity } from "./process-identity.ts";
import { type PlannedProgram, type StartOptions, startProgram } from "./start-program.ts";
import { stopProcess } from "./stop-process.ts";

export interface FleetOptions extends StartOptions {
  /** Path of the fleet file. */
  readonly file: string;
  readonly programs: readonly PlannedProgram[];
}

/** @throws Error that says which program did not start and why; then none of them runs */
export async function startFleet(options: FleetOptions): Promise<void> {
  const { folder, file, programs, stop, say } = options;
  const starting = identityOf(process.pid) as ProcessIdentity;
  const started: FleetProgram[] = [];
  const state = (): FleetState => ({ format: "spillway-fleet/1", file, starting, programs: started });
  folder.create(state());
  try {
    for (const planned of programs) {
      await startProgram(planned, options, (program) => {
        started.push(program);
        folder.write(state());
      });
    }
    folder.write({ ...state(), starting: null });
  } catch (error) {
    for (const program of started.toReversed()) say(`${program.name} ${await stopProcess(program)}`);
    folder.remove();
    throw stop.aborted
      ? new Error("interrupted; what was started is stopped again", { cause: error })
      : error;
  }
}
