/** Stops what `up` has started and nothing else: the last one first, because the earlier ones serve the later. */
import type { FleetFolder } from "./fleet-state.ts";
import { isRunning } from "./process-identity.ts";
import { stopProcess } from "./stop-process.ts";

/** Resolves with the number of programs that were running. */
export async function stopFleet(folder: FleetFolder, say: (text: string) => void): Promise<number> {
  let state = folder.read();
  if (state === undefined) return 0;
  if (state.starting !== null && isRunning(state.starting)) {
    say(`up is still starting programs (pid ${state.starting.pid}); it is stopped first`);
    const before = state.programs.filter(isRunning).length;
    await stopProcess(state.starting);
    // It has stopped its programs itself, unless it was killed.
    state = folder.read();
    if (state === undefined) return before;
  }
  let stopped = 0;
  for (const program of state.programs.toReversed()) {
    const how = await stopProcess(program);
    if (how === "stopped" || how === "killed") stopped++;
    say(
      how === "replaced"
        ? `${program.name} is gone; pid ${program.pid} is another process now and is left alone`
        : `${program.name} ${how}`,
    );
  }
  folder.remove();
  return stopped;
}
