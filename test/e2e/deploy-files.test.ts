// @module-tag slow
/** What deploy/ holds, judged by the tools of the field; `.ci/run` installs them. Each test shows that its judge refuses, too. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, type TestContext } from "vitest";
import { parse } from "yaml";
import { commands } from "../../cli/commands.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
const deploy = join(checkout, "deploy");
const scratch = mkdtempSync(join(tmpdir(), "spillway-deploy-files-"));

interface Judged {
  readonly status: number | null;
  readonly text: string;
}

/** What a tool says; the test is skipped where it is not installed. */
function judge({ skip }: TestContext, tool: string, args: readonly string[], cwd = deploy): Judged {
  const { status, stdout, stderr, error } = spawnSync(tool, args, { cwd, encoding: "utf8" });
  if (error !== undefined && "code" in error && error.code === "ENOENT") skip(`${tool} is not installed`);
  return { status, text: `${stdout}${stderr}` };
}

/** A copy of a file with one text in place of another, which must be in it. */
function changed(path: string, from: string, to: string, name: string): string {
  const text = readFileSync(path, "utf8");
  expect(text).toContain(from);
  const copy = join(scratch, name);
  writeFileSync(copy, text.replace(from, to));
  return copy;
}

describe("the Containerfile", () => {
  const file = join(deploy, "container", "Containerfile");

  it("satisfies hadolint", (context) => {
    expect(judge(context, "hadolint", [file])).toEqual({ status: 0, text: "" });
    const worse = changed(file, "node:24.21.0-bookworm-slim AS base", "node AS base", "Containerfile");
    expect(judge(context, "hadolint", [worse]).text).toContain("DL3006");
  });

  it("starts commands that there are, as a user without rights", () => {
    const text = readFileSync(file, "utf8");
    const started = [...text.matchAll(/^CMD \["([^"]+)"\]$/gm)].map(([, name]) => name);
    expect(started).toEqual(["vqueue", "edge", "function-host"]);
    const names = new Set(commands.map(({ name }) => name));
    expect(started.every((name) => names.has(name as string))).toBe(true);
    expect(text).toMatch(/^USER 10001:10001$/m);
  });
});

describe("the units of systemd", () => {
  const units = readdirSync(join(deploy, "systemd")).filter((name) => name.endsWith(".service"));
  // Written for releases from 254 on; older ones say that they leave them out.
  const newer = /Unknown key '(RestartSteps|RestartMaxDelaySec)'/;
  const faultsIn = ({ text }: Judged): string[] =>
    text.split("\n").filter((line) => line !== "" && !newer.test(line));

  it.for(units)("%s satisfies systemd-analyze", (unit, context) => {
    const path = join(deploy, "systemd", unit);
    const judged = judge(context, "systemd-analyze", ["verify", path]);
    expect([judged.status, faultsIn(judged)]).toEqual([0, []]);
    const worse = changed(path, "DynamicUser=yes", "DynamicUsers=yes", unit);
    expect(faultsIn(judge(context, "systemd-analyze", ["verify", worse])).join()).toContain("DynamicUsers");
  });

  it.for(units)("%s leaves the program little that it could do", (unit, context) => {
    const args = ["security", "--offline=true", "--threshold=20", join(deploy, "systemd", unit)];
    expect(judge(context, "systemd-analyze", args).status).toBe(0);
  });

  it.each(units)("%s starts a command that there is, and stops it by its own signal", (unit) => {
    const text = readFileSync(join(deploy, "systemd", unit), "utf8");
    const [, command] = /^ExecStart=\/usr\/bin\/env node \S+\/dist\/cli\.js (\S+)$/m.exec(text) ?? [];
    expect(commands.map(({ name }) => name)).toContain(command);
    expect(text).toMatch(/^Type=exec$/m);
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(text)?.[1])).toBeGreaterThan(30);
  });
});

describe("the compose file", () => {
  const file = join(deploy, "compose", "compose.yaml");

  it("satisfies the reference implementation of the Compose specification", (context) => {
    expect(judge(context, "compose-go", [file])).toMatchObject({ status: 0 });
    const worse = changed(file, "read_only: true", "read_onyl: true", "compose.yaml");
    expect(judge(context, "compose-go", [worse]).text).toContain("read_onyl");
  });

  it("has the queue, the edge and what is around them, and mounts files that are there", () => {
    const { services } = parse(readFileSync(file, "utf8"), { merge: true }) as {
      services: Record<string, { volumes?: string[]; read_only?: boolean; build?: { dockerfile: string } }>;
    };
    expect(Object.keys(services).sort()).toEqual(
      ["edge", "function-host", "grafana", "mosquitto", "nats", "prometheus", "queue"].sort(),
    );
    const mounted = Object.values(services)
      .flatMap(({ volumes = [] }) => volumes)
      .map((volume) => volume.split(":")[0] as string)
      .filter((place) => place.startsWith("."));
    expect(mounted.length).toBeGreaterThan(4);
    for (const place of mounted)
      expect(readFileSync(join(deploy, "compose", place)).length).toBeGreaterThan(0);
    for (const { build, read_only } of Object.values(services)) if (build) expect(read_only).toBe(true);
  });

  it("gives Prometheus a configuration that it takes", (context) => {
    const folder = join(scratch, "prometheus");
    mkdirSync(folder);
    copyFileSync(join(deploy, "compose", "prometheus.yml"), join(folder, "prometheus.yml"));
    copyFileSync(join(deploy, "prometheus", "alerts.yml"), join(folder, "alerts.yml"));
    expect(judge(context, "promtool", ["check", "config", join(folder, "prometheus.yml")])).toMatchObject({
      status: 0,
    });
  });
});

describe("the manifests of Kubernetes", () => {
  const overlays = ["base", "kubeedge"];
  const built = (context: TestContext, overlay: string): string => {
    const { status, text } = judge(context, "kustomize", ["build", join(deploy, "kubernetes", overlay)]);
    expect([status, status === 0 ? "" : text]).toEqual([0, ""]);
    const path = join(scratch, `${overlay}.yaml`);
    writeFileSync(path, text);
    return path;
  };

  it.for(overlays)("are built by kustomize and satisfy the schemas of Kubernetes: %s", (overlay, context) => {
    const path = built(context, overlay);
    expect(judge(context, "kubernetes-validate", ["--strict", path])).toMatchObject({ status: 0 });
    const worse = changed(path, "readOnlyRootFilesystem", "readOnlyRootFilesytem", `worse-${overlay}.yaml`);
    const refused = judge(context, "kubernetes-validate", ["--strict", worse]);
    expect([refused.status === 0, refused.text]).toEqual([
      false,
      expect.stringContaining("readOnlyRootFilesytem"),
    ]);
  });

  it("scale by KEDA a workload that there is, by a metric that the queue has", () => {
    const read = (path: string): string => readFileSync(join(checkout, path), "utf8");
    const { spec } = parse(read("deploy/kubernetes/keda/scaled-object.yaml")) as {
      readonly spec: {
        readonly scaleTargetRef: { readonly name: string };
        readonly triggers: readonly { readonly metadata: { readonly query: string } }[];
      };
    };
    expect(read("deploy/kubernetes/base/edge.yaml")).toContain(`\n  name: ${spec.scaleTargetRef.name}\n`);
    const names = spec.triggers.flatMap(({ metadata }) => metadata.query.match(/spillway_\w+/g) ?? []);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(read("docs/reference/metrics.md")).toContain(`\`${name}\``);
  });

  it("keep the edge on its node in the overlay: node, network, folder of models", (context) => {
    const path = built(context, "kubeedge");
    const documents = readFileSync(path, "utf8")
      .split(/^---$/m)
      .map((text) => parse(text) as Manifest);
    const pod = documents.find(
      ({ kind, metadata }) => kind === "Deployment" && metadata.name === "spillway-edge",
    )?.spec.template.spec;
    expect(pod).toMatchObject({
      hostNetwork: true,
      dnsPolicy: "ClusterFirstWithHostNet",
      nodeSelector: { "node-role.kubernetes.io/edge": "" },
      volumes: expect.arrayContaining([
        { name: "models", hostPath: { path: "/var/lib/spillway/models", type: "Directory" } },
      ]),
    });
    expect(documents.filter(({ kind }) => kind === "NetworkPolicy")).toEqual([]);
  });

  it.each(overlays)("have a file of options that the programs take: %s", (overlay) => {
    const file = join(deploy, "kubernetes", overlay, "spillway.yaml");
    const args = [join(checkout, "dist", "cli.js"), "config", "check", "--no-reach", "--config", file];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect([status, status === 0 ? "" : `${stdout}${stderr}`]).toEqual([0, ""]);
  });
});

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly template: { readonly spec: object } };
}
