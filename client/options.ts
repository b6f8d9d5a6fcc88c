/** The options of the virtual queue's daemon, each with its meaning, unit, range and default. */
import { z } from "zod";

export const vqueueOptions = z.strictObject({
  host: z
    .string()
    .default("127.0.0.1")
    .describe("address to listen on; 0.0.0.0 opens the daemon to the network"),
  port: z.number().int().min(0).max(65_535).default(8_080).describe("port to listen on; 0 takes a free one"),
  slo: z
    .number()
    .positive()
    .max(86_400)
    .default(1)
    .describe("service level objective: the longest time from a request's arrival to its answer, in seconds"),
  plan: z
    .enum(["fixed"])
    .default("fixed")
    .describe("fixed: batches of set sizes to the edge and to functions in turn"),
  timeout: z
    .number()
    .min(0)
    .max(86_400)
    .default(0.4)
    .describe("longest time that a request waits before its batch leaves, in seconds from its arrival"),
  edgeBatch: z.number().int().min(1).default(20).describe("rows that a batch for the edge aims at"),
  serverlessBatch: z.number().int().min(1).default(2).describe("rows that a batch for a function aims at"),
  edge: z.url().default("http://127.0.0.1:8000").describe("URL of the edge server (any V2 server)"),
  edgeCalls: z.number().int().min(1).default(16).describe("most batches under way to the edge at once"),
  serverless: z.boolean().default(true).describe("send batches to functions too; false: to the edge alone"),
  function: z.string().min(1).default("spillway").describe("name of the function in Function Compute"),
  fcEndpoint: z
    .string()
    .min(1)
    .default("http://127.0.0.1:9000")
    .describe("Function Compute: ACCOUNT.REGION.fc.aliyuncs.com, or the local function host"),
  functionUrl: z
    .url()
    .optional()
    .describe("reach the function as a V2 server at this URL (HTTP trigger, Knative, ...) instead"),
  serverlessCalls: z.number().int().min(1).default(100).describe("most calls of the function at once"),
  memory: z.number().int().min(128).max(32_768).default(1_024).describe("memory of the function, in MiB"),
  vcpu: z.number().min(0.05).max(16).default(0.5).describe("vCPU of the function"),
  prices: z
    .string()
    .default("alibaba-fc-cn-2026")
    .describe("price sheet: a name, or the path of a JSON file"),
  callTimeout: z
    .number()
    .positive()
    .max(3_600)
    .default(10)
    .describe("longest time that one batch may take at its target, in seconds from when it leaves"),
  maxRows: z.number().int().min(1).default(10_000).describe("most rows that wait; more are refused with 503"),
  maxMib: z
    .number()
    .positive()
    .default(1_024)
    .describe("most MiB of requests held; more are refused with 503"),
  maxBodyMib: z.number().positive().max(2_048).default(64).describe("largest request body taken, in MiB"),
  record: z
    .string()
    .optional()
    .describe("file to which every event and decision is written, as lines of JSON"),
});

export type VqueueOptions = z.output<typeof vqueueOptions>;
