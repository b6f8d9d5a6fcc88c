import { expect, it } from "vitest";
import { folder, programText, sdk, start } from "../../test/support/function-host.ts";
import { tinyZip } from "../../test/support/tiny-zip.ts";
import { readFunctionProperties } from "./function-properties.ts";
import { installFunction } from "./install-function.ts";

const given = {
  functionName: "f",
  region: "cn-hangzhou",
  runtime: "custom.debian10",
  code: "./function.zip",
  cpu: 0.5,
  memorySize: 1024,
  timeout: 10,
  instanceConcurrency: 1,
  customRuntimeConfig: { command: ["node", "/code/program.mjs"], port: 9000 },
  environmentVariables: { FOLDER: folder },
};
const zip = tinyZip([{ name: "program.mjs", content: Buffer.from(programText) }]);
const trigger = (triggerName: string, methods: string[]): object => ({
  triggerName,
  triggerType: "http",
  triggerConfig: { authType: "anonymous", methods },
});

it("creates, changes and deletes triggers so that a function has those of s.yaml", async () => {
  const { endpoint, ours } = await start({ functions: [] });
  const key = { accessKeyId: "key", accessKeySecret: "secret" };
  const install = async (triggers?: object[]) =>
    installFunction(
      { endpoint, protocol: "http", ...key },
      readFunctionProperties({ ...given, ...(triggers && { triggers }) }),
      zip,
    );
  const url = `http://${endpoint}/trigger/f`;
  const status = async (method: string): Promise<number> => (await fetch(`${url}/x`, { method })).status;

  expect(await install([trigger("web", ["GET"])])).toEqual({ done: "created", urls: [url] });
  expect([await status("GET"), await status("POST")]).toEqual([200, 405]);
  const { body: first } = await ours.getTrigger("f", "web");
  expect(await install([trigger("web", ["POST"])])).toEqual({ done: "updated", urls: [url] });
  expect([await status("GET"), await status("POST")]).toEqual([405, 200]);
  expect((await ours.getTrigger("f", "web")).body?.triggerId).toBe(first?.triggerId);
  expect(await install([trigger("other", ["GET"])])).toEqual({ done: "updated", urls: [url] });
  expect([await status("GET"), await status("POST")]).toEqual([200, 405]);
  expect(await install()).toEqual({ done: "updated", urls: [] });
  expect(await status("GET")).toBe(404);
  const { body } = await ours.listTriggers("f", new sdk.ListTriggersRequest({}));
  expect(body?.triggers).toEqual([]);
});
