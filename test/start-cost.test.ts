/** What each program loads before it does anything: packages take most of the time of a start, and much memory. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const importOf = /^(?:import|export)\s(?!type\s)(?:[^"';]*?\sfrom\s)?"(?<name>[^"]+)";$/gm;

/** Packages that are imported at the start of a module, directly or by another one. */
function packagesOf(entry: string): string[] {
  const seen = new Set([entry]);
  const packages = new Set<string>();
  for (const file of seen)
    for (const { groups } of readFileSync(join(root, file), "utf8").matchAll(importOf)) {
      const name = groups?.["name"] ?? "";
      if (name.startsWith(".")) seen.add(join(dirname(file), name));
      else if (!name.startsWith("node:")) packages.add(name);
    }
  return [...packages].sort();
}

it("follows imports from file to file", () => {
  expect(existsSync(join(root, "cli.ts"))).toBe(true);
  expect(packagesOf("base/program/metric-registry.ts")).toContain("prom-client/lib/registry.js");
  expect(packagesOf("cli/vqueue.ts")).toEqual(expect.arrayContaining(["hono", "pino", "zod"]));
});

it("lists commands and tells the version without schemas", () => {
  expect(packagesOf("cli.ts")).toEqual(["commander"]);
});

it.each([
  "edge/replicas/replica-process.ts",
  "protocol/server/codec-thread.ts",
  "edge/support/support-guard.ts",
])("loads no package before %s knows what it is for", (entry) => expect(packagesOf(entry)).toEqual([]));

it.each(["cli/edge.ts", "cli/vqueue.ts", "cli/function-host.ts", "serverless/function/function-main.ts"])(
  "loads nothing for %s that only some users of it need",
  (entry) => {
    const packages = packagesOf(entry).join(" ");
    expect(packages).not.toMatch(/pino-pretty|prom-client( |$)|opentelemetry|nats|mqtt|grpc|protobufjs/);
    expect(packages).not.toMatch(/onnxruntime|sharp|alicloud|aedes|cel-js|echarts|esbuild/);
  },
);

it("loads the whole of undici for no server that only forwards", () => {
  expect(packagesOf("cli/edge.ts")).not.toContain("undici");
  expect(packagesOf("cli/vqueue.ts")).not.toContain("undici");
});
