import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import {
  eventually,
  folder,
  functionNamed,
  newGate,
  programText,
  sdk,
  start,
} from "../../../test/support/function-host.ts";
import { tinyZip } from "../../../test/support/tiny-zip.ts";

const zipOf = (text: string, name = "program.mjs"): string =>
  tinyZip([{ name, content: Buffer.from(text), mode: 0o100755 }]).toString("base64");
const program = zipOf(programText);

type Input = ConstructorParameters<typeof sdk.CreateFunctionInput>[0];
const input = (change: Input = {}): Input => ({
  functionName: "deployed",
  runtime: "custom.debian10",
  handler: "index.handler",
  cpu: 0.5,
  memorySize: 1024,
  timeout: 10,
  customRuntimeConfig: new sdk.CustomRuntimeConfig({ command: ["node"], args: ["/code/program.mjs"] }),
  environmentVariables: { FOLDER: folder },
  code: new sdk.InputCodeLocation({ zipFile: program }),
  ...change,
});

async function startDeploying() {
  const host = await start({ functions: [] });
  const create = async (change?: Input) =>
    host.ours.createFunction(
      new sdk.CreateFunctionRequest({ body: new sdk.CreateFunctionInput(input(change)) }),
    );
  const update = async (body: ConstructorParameters<typeof sdk.UpdateFunctionInput>[0]) =>
    host.ours.updateFunction(
      "deployed",
      new sdk.UpdateFunctionRequest({ body: new sdk.UpdateFunctionInput(body) }),
    );
  const get = async (name = "deployed") => host.ours.getFunction(name, new sdk.GetFunctionRequest({}));
  return { ...host, create, update, get };
}

it("creates, shows and runs a function through the official SDK", async () => {
  const { create, get, invoke } = await startDeploying();
  const initializer = new sdk.LifecycleHook({ handler: "index.initialize", timeout: 30 });
  const { body: created, statusCode } = await create({
    layers: ["acs:fc:local:official:layers/Nodejs20/versions/1"],
    instanceLifecycleConfig: new sdk.InstanceLifecycleConfig({ initializer }),
  });
  expect(statusCode).toBe(200);
  expect(created?.layers?.map(({ arn }) => arn)).toEqual([
    "acs:fc:local:official:layers/Nodejs20/versions/1",
  ]);
  expect(created).toMatchObject({
    functionName: "deployed",
    runtime: "custom.debian10",
    cpu: 0.5,
    memorySize: 1024,
    diskSize: 512,
    instanceConcurrency: 1,
    codeSize: Buffer.from(program, "base64").length,
    state: "Active",
    environmentVariables: { FOLDER: folder },
  });
  expect(created?.codeChecksum).toMatch(/^\d+$/);
  expect((await get()).body).toEqual(created);
  const { env } = JSON.parse((await invoke("!tell", { name: "deployed" })).body.toString());
  expect(env).toMatchObject({
    FC_FUNCTION_NAME: "deployed",
    FC_FUNCTION_MEMORY_SIZE: "1024",
    FC_TIMEOUT: "10",
  });
  expect(existsSync(join(env.FC_FUNC_CODE_PATH, "program.mjs"))).toBe(true);
});

it("finds programs and paths in the code's folder, by /code and relative, and starts bootstrap by itself", async () => {
  const { create, invoke } = await startDeploying();
  const code = new sdk.InputCodeLocation({
    zipFile: tinyZip([
      { name: "bootstrap", content: Buffer.from(`#!/bin/sh\nexec node "$MAIN"\n`), mode: 0o100755 },
      { name: "lib/program.mjs", content: Buffer.from(programText) },
    ]).toString("base64"),
  });
  const environmentVariables = { FOLDER: folder, MAIN: "/code/lib/program.mjs" };
  await create({ functionName: "plain", code, environmentVariables, customRuntimeConfig: undefined });
  const relative = new sdk.CustomRuntimeConfig({ command: ["./bootstrap"] });
  await create({ functionName: "relative", code, environmentVariables, customRuntimeConfig: relative });
  for (const name of ["plain", "relative"]) expect((await invoke("hi", { name })).body.toString()).toBe("hi");
});

it("ends running calls on the old instances when a function is updated, and removes the old code", async () => {
  const { create, update, invoke, busy, bill } = await startDeploying();
  await create();
  const gate = newGate();
  const folderOf = async (): Promise<string> =>
    JSON.parse((await invoke("!tell", { name: "deployed" })).body.toString()).env.FC_FUNC_CODE_PATH;
  const old = await folderOf();
  const held = invoke(gate.order, { name: "deployed" });
  await busy(1);
  const changed = await update({
    cpu: 1,
    environmentVariables: { FOLDER: folder, VERSION: "2" },
    code: new sdk.InputCodeLocation({ zipFile: zipOf(`// 2\n${programText}`) }),
  });
  expect(changed.body).toMatchObject({ functionName: "deployed", cpu: 1, memorySize: 1024, timeout: 10 });
  const answer = JSON.parse((await invoke("!tell", { name: "deployed" })).body.toString());
  expect(answer.env).toMatchObject({ VERSION: "2" });
  expect(answer.env.FC_FUNC_CODE_PATH).not.toBe(old);
  expect(existsSync(old)).toBe(true);
  gate.open();
  expect((await held).body.toString()).toBe("released");
  await eventually(() => expect(existsSync(old)).toBe(false));
  expect((await bill()).functions["deployed"]?.calls).toBe(3);
});

it("lists functions by name, in pages, and forgets those that are deleted", async () => {
  const { create, ours, invoke, list, bill } = await startDeploying();
  for (const functionName of ["b2", "a", "b1", "b3"]) await create({ functionName });
  await invoke("x", { name: "b2" });
  const page = async (nextToken?: string) => {
    const request = { prefix: "b", limit: 2, ...(nextToken === undefined ? {} : { nextToken }) };
    const { body } = await ours.listFunctions(new sdk.ListFunctionsRequest(request));
    return { names: body?.functions?.map(({ functionName }) => functionName), next: body?.nextToken };
  };
  const first = await page();
  expect(first.names).toEqual(["b1", "b2"]);
  expect(await page(first.next)).toEqual({ names: ["b3"], next: undefined });
  expect((await ours.deleteFunction("b2")).statusCode).toBe(204);
  expect((await page()).names).toEqual(["b1", "b3"]);
  const gone = { statusCode: 404, code: "FunctionNotFound" };
  await expect(ours.deleteFunction("b2")).rejects.toMatchObject(gone);
  await expect(ours.getFunction("b2", new sdk.GetFunctionRequest({}))).rejects.toMatchObject(gone);
  await expect(invoke("x", { name: "b2" })).rejects.toMatchObject(gone);
  await eventually(async () => expect(await list()).toEqual([]));
  const { functions, deleted, total } = await bill();
  expect([Object.keys(functions).sort(), deleted.calls, total.calls]).toEqual([["a", "b1", "b3"], 1, 1]);
});

it("refuses what is out of range with field, value and range, and a name that is taken", async () => {
  const { create, update, get } = await startDeploying();
  await create();
  for (const [change, text] of [
    [{ functionName: "1st" }, "functionName"],
    [{ cpu: 0.07 }, "cpu is 0.07; allowed: 0.05 to 16 in steps of 0.05"],
    [{ cpu: 17 }, "cpu is 17"],
    [{ memorySize: 100 }, "memorySize is 100; allowed: 128 to 32768 in steps of 64"],
    [{ cpu: 0.5, memorySize: 4096 }, "8.00 GB for a vCPU; allowed: 1 to 4"],
    [{ timeout: 0 }, "timeout is 0; allowed: 1 to 86400"],
    [{ instanceConcurrency: 201 }, "instanceConcurrency is 201; allowed: 1 to 200"],
    [{ runtime: "nodejs20" }, 'runtime is "nodejs20"; allowed: custom, custom.debian10'],
    [{ diskSize: 1000 }, "diskSize is 1000; allowed: 512 or 10240"],
    [{ environmentVariables: { A: "x".repeat(4096) } }, "environmentVariables"],
    [{ code: new sdk.InputCodeLocation({ ossBucketName: "b" }) }, "code.zipFile is missing"],
    [{ code: new sdk.InputCodeLocation({ zipFile: "aGVsbG8=" }) }, "code.zipFile cannot be unpacked"],
    [{ code: new sdk.InputCodeLocation({ zipFile: zipOf("x", "../x") }) }, "../x"],
    [{ code: new sdk.InputCodeLocation({ zipFile: program, checksum: "1" }) }, "code.checksum is 1"],
  ] as const) {
    const refused = { statusCode: 400, code: "InvalidArgument", message: expect.stringContaining(text) };
    await expect(create({ functionName: "other", ...change })).rejects.toMatchObject(refused);
  }
  await expect(update({ cpu: 0.05 })).rejects.toMatchObject({ statusCode: 400, code: "InvalidArgument" });
  await expect(create()).rejects.toMatchObject({ statusCode: 409, code: "FunctionAlreadyExists" });
  await expect(get("other")).rejects.toMatchObject({ statusCode: 404, code: "FunctionNotFound" });
});

it("leaves nothing behind on the disk", async () => {
  const folders = (): string[] =>
    readdirSync(tmpdir()).filter((name) => name.startsWith("spillway-functions-"));
  const before = folders();
  const { create, host } = await startDeploying();
  await create();
  const own = folders().find((name) => !before.includes(name));
  expect(own).toBeDefined();
  await host.close();
  expect(folders()).not.toContain(own);
});

it("does not remove the folder of a function that the host was started with", async () => {
  const own = join(folder, "own");
  mkdirSync(own);
  writeFileSync(join(own, "precious"), "");
  const { ours, host } = await start({
    functions: [functionNamed("updated", { folder: own }), functionNamed("deleted", { folder: own })],
  });
  const code = new sdk.InputCodeLocation({ zipFile: program });
  const body = new sdk.UpdateFunctionInput({ code, memorySize: 1024 });
  await ours.updateFunction("updated", new sdk.UpdateFunctionRequest({ body }));
  await ours.deleteFunction("deleted");
  await host.close();
  expect(readdirSync(own)).toEqual(["precious"]);
});

it("tells the variables of functions to programs on this machine only", async () => {
  const { create, ours } = await startDeploying();
  await create();
  const runtime = {} as Parameters<typeof ours.getFunctionWithOptions>[3];
  const seen = async (headers: Record<string, string>) => {
    const get = new sdk.GetFunctionRequest({});
    const { body } = await ours.getFunctionWithOptions("deployed", get, headers, runtime);
    const all = await ours.listFunctionsWithOptions(new sdk.ListFunctionsRequest({}), headers, runtime);
    return [body, all.body?.functions?.[0]].map((each) => [each?.cpu, each?.environmentVariables]);
  };
  const variables = { FOLDER: folder };
  expect(await seen({})).toEqual([
    [0.5, variables],
    [0.5, variables],
  ]);
  expect(await seen({ "x-forwarded-for": "192.0.2.1" })).toEqual([
    [0.5, undefined],
    [0.5, undefined],
  ]);
});

it("takes code from this machine only", async () => {
  const { host } = await startDeploying();
  const path = "/2023-03-30/functions";
  for (const [method, at] of [
    ["POST", path],
    ["PUT", `${path}/f`],
    ["DELETE", `${path}/f`],
    ["POST", `${path}/f/triggers`],
    ["PUT", `${path}/f/async-invoke-config`],
  ] as const) {
    const answer = await host.app.request(at, { method, headers: { host: "rebound.example:9000" } });
    expect([answer.status, await answer.json()]).toMatchObject([403, { Code: "AccessDenied" }]);
  }
});

it("takes code, and other changes, from holders of a key that not everybody knows", async () => {
  const accessKeys = { local: "local", admin: "the admin token" };
  const { client } = await start({ functions: [], accessKeys, publicKeys: ["local"] });
  const create = (by: ReturnType<typeof client>) =>
    by.createFunction(new sdk.CreateFunctionRequest({ body: new sdk.CreateFunctionInput(input()) }));
  const [anybody, admin] = [client("local", "local"), client("admin", "the admin token")];
  await expect(create(anybody)).rejects.toMatchObject({ statusCode: 403, code: "AccessDenied" });
  await expect(create(client("admin", "local"))).rejects.toMatchObject({ code: "SignatureNotMatch" });
  expect((await create(admin)).statusCode).toBe(200);
  await expect(anybody.deleteFunction("deployed")).rejects.toMatchObject({ code: "AccessDenied" });
  expect((await anybody.getFunction("deployed", new sdk.GetFunctionRequest({}))).statusCode).toBe(200);
});

it("lets no page of another site call a function or set a fault", async () => {
  const { endpoint, list } = await start({ functions: [functionNamed("f", { triggerAuth: "anonymous" })] });
  for (const path of ["/trigger/f/", "/admin/faults"]) {
    for (const headers of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }]) {
      const answer = await fetch(`http://${endpoint}${path}`, { method: "POST", headers, body: "{}" });
      expect([path, answer.status]).toEqual([path, 403]);
    }
  }
  expect(await list()).toEqual([]);
});
