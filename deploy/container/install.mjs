/**
 * Installs the packed package, and of the optional packages those that are named, each in the version of the lock file:
 *
 *     node deploy/container/install.mjs FOLDER_OF_THE_TARBALL TARGET [PACKAGE...]
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const [packed, target, ...names] = process.argv.slice(2);
const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
const tarball = readdirSync(packed).find((name) => /^spillway-.*\.tgz$/.test(name));
if (tarball === undefined) throw new Error(`${packed}: holds no spillway-VERSION.tgz`);
const versions = names.map((name) => {
  const found = packages[`node_modules/${name}`]?.version;
  if (found === undefined) throw new Error(`package-lock.json: has no package ${name}`);
  return `${name}@${found}`;
});
mkdirSync(target, { recursive: true });
writeFileSync(join(target, "package.json"), '{ "private": true }\n');
execFileSync(
  "npm",
  ["install", "--omit=dev", "--no-audit", "--no-fund", "--no-save", resolve(packed, tarball), ...versions],
  // The script of onnxruntime-node would fetch libraries of CUDA, from elsewhere than the registry.
  { cwd: target, stdio: "inherit", env: { ...process.env, npm_config_onnxruntime_node_install: "skip" } },
);
