/** Builds a function's package, and starts it as the platform does: nothing around it, and an empty HOME. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { packCall, unpackReply } from "../../protocol/envelope.ts";
import { decodeInferResponse } from "../../protocol/decode.ts";
import { encodeInferRequest } from "../../protocol/encode.ts";
import { tensorFromNumbers } from "../../protocol/tensor.ts";
import { eventually } from "./built.ts";
import { freePorts } from "./free-ports.ts";

/** Of a checkout that is built. */
const script = "dist/serverless/package/build.js";
export const checkout = fileURLToPath(new URL("../..", import.meta.url));

/** Gone when the test is over: packages are large. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "spillway-package-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Returns what the build printed; throws an Error with its messages when it fails. */
export function buildPackage(out: string, models?: string, root = checkout): string {
  const flags = [join(root, script), "--out", out, ...(models === undefined ? [] : ["--models", models])];
  return execFileSync(process.execPath, flags, { encoding: "utf8", stdio: "pipe" });
}

/** Runs until the test is over. */
export async function startPackage(folder: string): Promise<{ readonly url: string }> {
  const [port] = await freePorts(1);
  const env = {
    HOME: newFolder(),
    FC_SERVER_PORT: String(port),
    SPILLWAY_HOST: "127.0.0.1",
    SPILLWAY_LOG_LEVEL: "warn",
  };
  const child = spawn(process.execPath, ["function.js"], {
    cwd: folder,
    env,
    stdio: ["ignore", "ignore", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  await eventually(
    () =>
      new Promise<void>((resolve, reject) => {
        const socket = connect(port as number, "127.0.0.1", () => resolve(void socket.destroy()));
        socket.once("error", reject);
      }),
  );
  return { url: `http://127.0.0.1:${port}` };
}

/** The payload of an invocation of `ocr-cls` with a line of text. */
export function linePayload(): Uint8Array {
  const pixels = new Float32Array(3 * 48 * 96).fill(0.5);
  const inputs = [tensorFromNumbers("x", "FP32", [1, 3, 48, 96], pixels)];
  return packCall({
    model: "ocr-cls",
    wire: encodeInferRequest({ parameters: {}, inputs }, { binary: true }),
  });
}

/** Shapes of the outputs in the answer to an invocation. */
export function outputShapes(answer: Uint8Array): readonly (readonly number[])[] {
  const { status, wire } = unpackReply(answer);
  if (status !== 200) throw new Error(`status ${status}: ${new TextDecoder().decode(wire.body)}`);
  return decodeInferResponse(wire.body, wire.headerBytes).outputs.map(({ shape }) => shape);
}
