import { expect, it } from "vitest";
import LocalComponent from "./local-component.ts";

it("refuses asynchronous calls, which the local host does not emulate", async () => {
  const props = {
    functionName: "f",
    region: "cn-hangzhou",
    runtime: "custom.debian10",
    code: "./function.zip",
    cpu: 0.5,
    memorySize: 1024,
    timeout: 10,
    instanceConcurrency: 1,
    customRuntimeConfig: { command: ["node", "/code/function.js"], port: 9000 },
    asyncInvokeConfig: { maxAsyncRetryAttempts: 1 },
  };
  const deployed = new LocalComponent().deploy({
    props,
    yaml: { path: "/s.yaml" },
    getCredential: () => Promise.reject(new Error("asked for the key")),
  });
  await expect(deployed).rejects.toThrow("props.asyncInvokeConfig: the local host does not emulate");
});
