/** Runs the real command line of Serverless Devs, offline and beside any `~/.s` of whoever runs the tests. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const template = fileURLToPath(new URL("../../serverless/s.yaml", import.meta.url));
const command = createRequire(import.meta.url).resolve("@serverless-devs/s/bin/s");
const component = fileURLToPath(new URL("../../dist/serverless/deploy/local-component.js", import.meta.url));

const home = mkdtempSync(join(tmpdir(), "spillway-s-"));
mkdirSync(join(home, ".s"));
writeFileSync(join(home, ".s", "set-config.yml"), "analysis: disable\n");

export interface Ended {
  readonly status: number;
  readonly stdout: string;
  /** All that was printed. */
  readonly output: string;
}

/** @param key of the function host that is deployed to; it must not be a word that `s` prints, as it hides it */
export function s(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd = tmpdir(),
): Promise<Ended> {
  const ours = {
    ...process.env,
    serverless_devs_config_home: home,
    // It starts nothing in the background then.
    CI: "true",
    AccountID: "0",
    AccessKeyID: "key",
    AccessKeySecret: "secret",
    SPILLWAY_FC_COMPONENT: component,
    ...env,
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...args], { env: ours, cwd }, (error, stdout, stderr) => {
      resolve({ status: Number(error?.code ?? 0), stdout, output: stdout + stderr });
    });
  });
}
