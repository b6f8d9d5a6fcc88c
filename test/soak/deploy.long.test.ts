/** The whole way of a deploy on one machine: the real `s`, its build action, the package, the local host, a call. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { sdk, start } from "../support/function-host.ts";
import { checkout, linePayload, newFolder, outputShapes } from "../support/package-process.ts";
import { s, template } from "../support/serverless-devs.ts";

/** The HTTP trigger that s.yaml shows in a comment, for everybody. */
const [, shownTriggers = ""] = /^ +# +(triggers: .*)$/m.exec(readFileSync(template, "utf8")) ?? [];
const openTriggers = shownTriggers.replace("function", "anonymous");

/** A project whose s.yaml is ours, and whose build action makes our package without compiling again. */
function newProject(triggers = "triggers: []"): string {
  const folder = newFolder();
  mkdirSync(join(folder, "serverless"));
  const text = readFileSync(template, "utf8").replace("\n  triggers: []", `\n  ${triggers}`);
  writeFileSync(join(folder, "serverless", "s.yaml"), text);
  const build = `node ${checkout}dist/serverless/package/build.js --out serverless/build`;
  writeFileSync(join(folder, "package.json"), JSON.stringify({ scripts: { "build:function": build } }));
  return join(folder, "serverless");
}

it("s verify passes, s deploy builds and installs every size, and each answers an inference, by its URL too", async () => {
  const cwd = newProject(openTriggers);
  const { endpoint, ours, invoke, bill } = await start({ functions: [] });
  const env = { SPILLWAY_FC_ENDPOINT: `http://${endpoint}` };
  const verified = await s(["verify"], env, cwd);
  expect(verified.output).toContain("Format verification for [s.yaml] passed");
  expect(verified.status).toBe(0);

  const deployed = await s(["deploy", "-y"], env, cwd);
  expect(deployed.status, deployed.output).toBe(0);
  expect(deployed.output).toMatch(/zipped +\d+\.\d MiB/);
  for (const name of ["spillway-small", "spillway-medium", "spillway-large"]) {
    const answer = await invoke(Buffer.from(linePayload()), { name });
    expect(answer.status).toBe(200);
    expect(outputShapes(answer.body)).toEqual([[1, 2]]);
  }
  const url = `http://${endpoint}/trigger/spillway-small`;
  expect(deployed.output).toContain(url);
  const { functions } = await bill();
  expect(Object.values(functions).map(({ calls, coldStarts }) => [calls, coldStarts])).toEqual(
    Object.values(functions).map(() => [1, 1]),
  );

  // Once more, one size alone, with other settings: it is updated, and answers.
  const change = { ...env, SPILLWAY_FC_TIMEOUT: "20" };
  const again = await s(["small", "deploy", "-y", "--skip-actions"], change, cwd);
  expect(again.output).toMatch(/done: +updated/);
  const { body: listed } = await ours.listFunctions(new sdk.ListFunctionsRequest({}));
  expect(listed?.functions?.map(({ functionName, timeout }) => [functionName, timeout])).toEqual([
    ["spillway-large", 60],
    ["spillway-medium", 60],
    ["spillway-small", 20],
  ]);
  expect((await invoke(Buffer.from(linePayload()), { name: "spillway-small" })).status).toBe(200);
  const model = await fetch(`${url}/v2/models/ocr-cls`);
  expect([model.status, await model.json()]).toMatchObject([200, { name: "ocr-cls" }]);
  expect((await fetch(`${url}/v2/models/ocr-cls`, { method: "DELETE" })).status).toBe(405);
});

it("s deploy ends with a reason where a setting is not allowed, or a credential is refused", async () => {
  const cwd = newProject();
  const { endpoint, ours } = await start({ functions: [] });
  const env = { SPILLWAY_FC_ENDPOINT: `http://${endpoint}` };
  const wrong = await s(["deploy", "-y", "--skip-actions"], { ...env, SPILLWAY_FC_CONCURRENCY: "500" }, cwd);
  expect(wrong.status).not.toBe(0);
  expect(wrong.output).toContain("props.instanceConcurrency: Too big");
  const unbuilt = await s(["deploy", "-y", "--skip-actions"], env, cwd);
  expect(unbuilt.status).not.toBe(0);
  expect(unbuilt.output).toMatch(/function\.zip.*build:function/);

  mkdirSync(join(cwd, "build"));
  writeFileSync(join(cwd, "build", "function.zip"), "any");
  const other = { ...env, AccessKeySecret: "another" };
  const refused = await s(["deploy", "-y", "--skip-actions"], other, cwd);
  expect(refused.status).not.toBe(0);
  expect(refused.output).toContain("SignatureNotMatch");

  writeFileSync(join(cwd, "..", "package.json"), JSON.stringify({ scripts: { "build:function": "exit 7" } }));
  const failed = await s(["deploy", "-y"], env, cwd);
  expect(failed.status).not.toBe(0);
  const { body } = await ours.listFunctions(new sdk.ListFunctionsRequest({}));
  expect(body?.functions).toEqual([]);
});
