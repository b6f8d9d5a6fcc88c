/** A program of ours as a process, on a port of its own choice. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface StartedProgram {
  readonly url: string;
  /** Where it speaks gRPC, when it was asked to. */
  readonly grpcUrl?: string | undefined;
  readonly pid: number | undefined;
  /** Resolves when it has ended. */
  stop(): Promise<void>;
}

/** Resolves when the program takes requests. */
export async function startProgram(args: readonly string[]): Promise<StartedProgram> {
  const cli = fileURLToPath(new URL("../../cli.js", import.meta.url));
  const child = spawn(process.execPath, [cli, ...args, "--log-format", "json"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(child, "exit");
  const { url, grpcUrl } = await new Promise<Pick<StartedProgram, "url" | "grpcUrl">>((resolve, reject) => {
    let last = "";
    createInterface({ input: child.stderr }).on("line", (line) => {
      last = line;
      if (!line.includes("listening")) return;
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
      if (found !== undefined) resolve({ url: found, grpcUrl: /grpc:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0] });
    });
    child.once("exit", () => reject(new Error(`${args[0]} has ended: ${last}`)));
  });
  for (;;) {
    const answer = await fetch(`${url}/v2/health/ready`).catch(() => undefined);
    if (answer?.status === 200) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    url,
    grpcUrl,
    pid: child.pid,
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
