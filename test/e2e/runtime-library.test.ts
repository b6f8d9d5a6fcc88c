// @module-tag slow
/** Replicas on another build of ONNX Runtime: copies of the package's library in folders, right, wrong and too old. */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { libraryName, packagedLibrary } from "../../edge/runtime/runtime-library.ts";
import { identityModel, putModel } from "../contract/conformance-models.ts";
import { type RunningEdge, startEdge } from "../contract/running-edge.ts";
import { caller } from "../contract/v2-caller.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "spillway-runtime-")));
const models = join(folder, "models");
const onnx = identityModel(["FP32"], [2]);

/** A folder with a file in the place of the library. */
function library(name: string, put: (path: string) => void): string {
  mkdirSync(join(folder, name));
  put(join(folder, name, libraryName));
  return join(folder, name);
}

function served(name: string, settings: string): void {
  putModel(models, name, "1", onnx, `replicas: 1\n${settings}`);
}

const row = { inputs: [{ name: "IN_FP32", datatype: "FP32", shape: [1, 2], data: [1, 2] }] };

interface Listed {
  readonly name: string;
  readonly state: string;
  readonly session?: Readonly<Record<string, unknown>>;
  readonly replicas?: readonly { readonly pid: number }[];
}

describe.skipIf(process.platform !== "linux")("the library of a model's replicas", () => {
  let edge: RunningEdge;
  const call = caller(() => edge.url);
  const packaged = packagedLibrary();
  const older = packaged.release.replace(/^(\d+)\.\d/, "$1.0");
  const listed = async (name: string): Promise<Listed> => {
    const { models: all } = (await call("/admin/status")).json as { models: Listed[] };
    return all.find((each) => each.name === name) as Listed;
  };

  beforeAll(async () => {
    const copy = library("copy", (path) => copyFileSync(packaged.library, path));
    const both = library("both", (path) => copyFileSync(packaged.library, path));
    copyFileSync(packaged.binding, join(both, "onnxruntime_binding.node"));
    library("old", (path) => {
      const bytes = readFileSync(packaged.library);
      const [from, to] = [`VERS_${packaged.release}\0`, `VERS_${older}\0`];
      for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1))
        bytes.write(to, at, "latin1");
      writeFileSync(path, bytes);
    });
    library("other", (path) => copyFileSync(process.execPath, path));
    library("text", (path) => writeFileSync(path, "not a library\n".repeat(9)));
    mkdirSync(join(folder, "empty"));
    served("plain", "");
    served("copy", `runtimeLibrary: ${copy}\n`);
    served("both", `runtimeLibrary: ${both}\nenv: { LD_LIBRARY_PATH: /nowhere }\n`);
    for (const name of ["old", "other", "text", "empty", "absent"])
      served(name, `runtimeLibrary: ${join(folder, name)}\n`);
    served("relative", "runtimeLibrary: copy\n");
    edge = await startEdge("--models", models);
  });
  afterAll(async () => {
    expect(await edge.stop()).toBe(0);
    rmSync(folder, { recursive: true, force: true });
  });

  /** Files of ONNX Runtime in the memory of the model's replica. */
  const mapped = async (name: string): Promise<string[]> => {
    const { replicas } = await listed(name);
    const lines = readFileSync(`/proc/${replicas?.[0]?.pid}/maps`, "utf8").split("\n");
    const paths = lines
      .map((line) => line.slice(line.indexOf("/")))
      .filter((path) => /onnxruntime/.test(path));
    return [...new Set(paths)].sort();
  };

  it("is that of the package unless the settings say otherwise", async () => {
    expect(await mapped("plain")).toEqual(
      [packaged.library, packaged.binding].map((path) => realpathSync(path)).sort(),
    );
    expect((await listed("plain")).session).toEqual({ execution_providers: "cpu" });
  });

  it("is the one in the folder that they name, which answers and is in the status", async () => {
    const own = join(folder, "copy", libraryName);
    expect(await mapped("copy")).toEqual([own, realpathSync(packaged.binding)].sort());
    expect((await listed("copy")).session).toEqual({
      execution_providers: "cpu",
      runtime_library: own,
      runtime_release: packaged.release,
    });
    expect((await call("/v2/models/copy/infer", row)).status).toBe(200);
  });

  it("is used by the binding that lies beside it", async () => {
    const own = join(folder, "both");
    expect(await mapped("both")).toEqual([join(own, libraryName), join(own, "onnxruntime_binding.node")]);
    expect((await call("/v2/models/both/infer", row)).status).toBe(200);
  });

  it.each([
    ["old", `is ONNX Runtime ${older}; allowed: ${packaged.release}`],
    ["other", "is not ONNX Runtime: it defines no symbol version such as VERS_1.30.0"],
    ["text", "is no shared library (ELF)"],
    ["empty", `allowed: a folder with ${libraryName}: there is none in it`],
    ["absent", `allowed: a folder with ${libraryName}: there is no such folder`],
    ["relative", 'runtimeLibrary is "copy"; allowed: an absolute path of a folder'],
  ])("is refused before a process is started when it is %s", async (name, why) => {
    const { status, json } = await call(`/v2/models/${name}/ready`);
    expect([status, (json as { reason: string }).reason]).toEqual([503, expect.stringContaining(why)]);
    expect((await listed(name)).replicas ?? []).toEqual([]);
  });

  it("may go while a replica runs: one that ends then is tried again, and the server lives", async () => {
    rmSync(join(folder, "copy"), { recursive: true });
    process.kill((await listed("copy")).replicas?.[0]?.pid as number, "SIGKILL");
    await expect.poll(async () => JSON.stringify(await listed("copy"))).toContain("there is no such folder");
    expect((await call("/v2/models/plain/infer", row)).status).toBe(200);
    library("copy", (path) => copyFileSync(packaged.library, path));
    await expect.poll(async () => (await call("/v2/models/copy/infer", row)).status).toBe(200);
  });
});
