/** What an invocation of a function may ask beside inference. */
import { pino } from "pino";
import { expect, it } from "vitest";
import type { ModelRunner } from "../../edge/models/model-runner.ts";
import { packCall, unpackReply } from "../../protocol/envelope.ts";
import { createFunctionApp } from "./function-app.ts";

const metadata = {
  name: "m",
  platform: "test",
  inputs: [{ name: "x", datatype: "FP32" as const, shape: [-1, 2] }],
  outputs: [],
};
const runner = {
  model: { name: "m", version: "1", path: "" },
  replicas: 1,
  metadata,
} as unknown as ModelRunner;

/** The V2 answer to an invocation with these bytes. */
async function invoked(payload: Uint8Array): Promise<{ status: number; json: unknown }> {
  const app = createFunctionApp([runner], pino({ level: "silent" }));
  const reply = await app.request("/invoke", { method: "POST", body: payload as Uint8Array<ArrayBuffer> });
  expect(reply.status).toBe(200);
  const { status, wire } = unpackReply(new Uint8Array(await reply.arrayBuffer()));
  return { status, json: JSON.parse(new TextDecoder().decode(wire.body)) };
}

const question = (get: string): Uint8Array => packCall({ model: "m", get, wire: { body: new Uint8Array() } });

it("tells in an invocation which models it has, what one takes, and that it lacks one", async () => {
  expect(await invoked(question("/v2/models"))).toEqual({ status: 200, json: { models: ["m"] } });
  expect(await invoked(question("/v2/models/m"))).toMatchObject({
    status: 200,
    json: { inputs: metadata.inputs },
  });
  expect(await invoked(question("/v2/models/n"))).toMatchObject({ status: 404 });
});

it("takes no other path than those of V2", async () => {
  const app = createFunctionApp([runner], pino({ level: "silent" }));
  const body = packCall({ model: "m", get: "/pre-stop", wire: { body: new Uint8Array() } });
  const reply = await app.request("/invoke", { method: "POST", body: body as Uint8Array<ArrayBuffer> });
  expect([reply.status, await reply.json()]).toEqual([
    404,
    { error: 'call head.get is "/pre-stop"; allowed: a path such as /v2/models/NAME' },
  ]);
});
