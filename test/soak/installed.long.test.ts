/** What deploy/ installs, started as it would be: the steps of the images in a bare root, the units' programs confined. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const isRoot = process.platform === "linux" && process.getuid?.() === 0;
const isThere = (program: string): boolean =>
  ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].some((folder) => existsSync(`${folder}/${program}`));

function runScript(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: checkout, encoding: "utf8" });
  expect([status, status === 0 ? "" : `${stdout}${stderr}`]).toEqual([0, ""]);
  return stdout;
}

describe.skipIf(!isRoot)("as root", () => {
  it("edge and queue of the Containerfile serve on a read-only root and end by SIGTERM", ({ skip }) => {
    if (!isThere("debootstrap")) return skip("debootstrap is not installed");
    const said = runScript("deploy/container/try-in-bare-root.mjs");
    expect(said).toContain("queue answers inference: yes");
    expect(said).toContain("nothing that they started is left: yes");
  }, 1_200_000);

  it.each([
    ["edge", "SPILLWAY_PORT=0"],
    ["queue", "SPILLWAY_PORT=0", "SPILLWAY_SERVERLESS=false"],
    ["function-host", "SPILLWAY_PORT=0"],
  ])("the program of the unit for the %s starts under the unit's restrictions", (name, ...env) => {
    const said = runScript(
      "deploy/systemd/try-confined.mjs",
      `deploy/systemd/spillway-${name}.service`,
      ...env,
    );
    expect(said).toContain("SIGTERM ended it with 0");
  });
});
