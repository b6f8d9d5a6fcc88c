/** A command line that the build runs in this process: quicker than a program of its own, for what ends by itself. */
import { vi } from "vitest";

const built = new URL("../../dist/cli/command-line.js", import.meta.url).href;
const { runCommandLine } = (await import(built)) as typeof import("../../cli/command-line.ts");

export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runInProcess(...args: string[]): Promise<Ended> {
  const written = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((stream) =>
    vi.spyOn(process[stream], "write").mockImplementation((text) => {
      written[stream] += typeof text === "string" ? text : Buffer.from(text).toString();
      return true;
    }),
  );
  try {
    const status = await runCommandLine(args);
    return { status, ...written };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
