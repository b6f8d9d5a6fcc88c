/** The process that runs the user's programs beside the models. It ends them when the server is gone, however that ended. */
import type { SupportProgram } from "./support-options.ts";
import { SupportRunner, type SupportStatus } from "./support-runner.ts";

/** Guard to server. */
export type SupportMessage =
  | { readonly kind: "status"; readonly status: SupportStatus }
  | {
      readonly kind: "line";
      readonly name: string;
      readonly stream: "stdout" | "stderr";
      readonly line: string;
    };

let runners: readonly SupportRunner[] = [];

function tell(message: SupportMessage): void {
  // A failed send means that the server is gone; then 'disconnect' ends this process.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

process.on("message", (programs: readonly SupportProgram[]) => {
  runners = programs.map(
    (program) =>
      new SupportRunner(program, {
        onChange: (status) => tell({ kind: "status", status }),
        onLine: (name, stream, line) => tell({ kind: "line", name, stream, line }),
      }),
  );
});

// The server decides when they stop, but Ctrl-C in a terminal reaches every process of the group.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("disconnect", () => {
  void Promise.all(runners.map((runner) => runner.stop())).finally(() => process.exit(0));
});
