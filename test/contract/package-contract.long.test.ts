/** The function's package as it is deployed, in each shape in which it can run, by the contract of a function. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe } from "vitest";
import { functionContract } from "./function-contract.ts";
import { hostedFunction, hostTriggeredFunction } from "./hosted-function.ts";
import { imitatedTriggerFunction, plainFunction } from "./started-function.ts";

const build = fileURLToPath(new URL("../../dist/serverless/package/build.js", import.meta.url));
const command = packageCommand();

const shapes = [hostedFunction, hostTriggeredFunction, plainFunction, imitatedTriggerFunction];
describe.skipIf(!existsSync(build)).each(shapes)("the package of a function $name", (shape) => {
  functionContract(shape, { command });
});

/** A new package, put where nothing else is. */
function packageCommand(): string[] {
  if (!existsSync(build)) return [];
  const out = mkdtempSync(join(tmpdir(), "spillway-contract-"));
  execFileSync(process.execPath, [build, "--out", out], { stdio: "pipe" });
  return [process.execPath, join(out, "code", "function.js")];
}
