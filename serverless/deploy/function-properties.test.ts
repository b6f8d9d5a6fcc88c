import { expect, it } from "vitest";
import { readFunctionProperties } from "./function-properties.ts";

const given = {
  functionName: "spillway-small",
  region: "cn-hangzhou",
  runtime: "custom.debian10",
  code: "./function.zip",
  cpu: 0.5,
  memorySize: 1024,
  timeout: 60,
  instanceConcurrency: 1,
  customRuntimeConfig: { command: ["node", "/code/function.js"], port: 9000 },
};

it("takes every step of vCPU with the least and the most memory that goes with it", () => {
  for (let step = 1; step <= 320; step++) {
    const cpu = step / 20;
    const least = Math.max(128, Math.ceil((cpu * 1024) / 64) * 64);
    const most = Math.min(32_768, Math.floor((cpu * 4096) / 64) * 64);
    for (const memorySize of [least, most])
      expect(readFunctionProperties({ ...given, cpu, memorySize })).toMatchObject({ cpu, memorySize });
  }
});

it.each([
  [{ instanceConcurency: 2 }, 'props: Unrecognized key: "instanceConcurency"'],
  [{ customRuntimeConfig: { comand: [], command: ["node"], port: 9000 } }, '"comand"'],
  [{ functionName: "1st" }, "props.functionName"],
  [{ runtime: "custom" }, "props.runtime"],
  [{ cpu: 0.07 }, "props.cpu: must be a multiple of 0.05"],
  [{ cpu: 16.05 }, "props.cpu"],
  [
    { cpu: 16, memorySize: 128 },
    "props.memorySize: must be 16384 to 32768 with 16 vCPU (1 to 4 GB for each)",
  ],
  [{ memorySize: 1000 }, "props.memorySize: Invalid number: must be a multiple of 64"],
  [{ memorySize: 2112 }, "must be 512 to 2048 with 0.5 vCPU"],
  [{ timeout: "60" }, "props.timeout"],
  [{ timeout: 86_401 }, "props.timeout"],
  [{ instanceConcurrency: 201 }, "props.instanceConcurrency"],
  [{ instanceLifecycleConfig: { initializer: { handler: "i", timeout: 301 } } }, "initializer.timeout"],
  [{ environmentVariables: { A: "x".repeat(4_096) } }, "must have at most 4096 bytes of names and values"],
  [{ environmentVariables: { THREADS: 2 } }, "props.environmentVariables.THREADS"],
  [
    { triggers: [{ triggerName: "t", triggerType: "http", triggerConfig: { authType: "none" } }] },
    "authType",
  ],
  [
    {
      triggers: [
        { triggerName: "t", triggerType: "http", triggerConfig: { authType: "jwt", methods: ["GET"] } },
      ],
    },
    'props.triggers.0.triggerConfig.authType: Invalid option: expected one of "anonymous"|"function"',
  ],
])("refuses %j and says where and why", (change, text) => {
  expect(() => readFunctionProperties({ ...given, ...change })).toThrow(text);
});
