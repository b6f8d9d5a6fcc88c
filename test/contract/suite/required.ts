/** What every V2 server has: health, metadata, readiness, inference in JSON. */
import { expect, it } from "vitest";
import { type Call } from "../v2-caller.ts";
import { count, infer, input, ones, simple } from "./simple-request.ts";

export function serverEndpoints(call: Call): void {
  it("is live and ready", async () => {
    expect((await call("/v2/health/live")).status).toBe(200);
    expect((await call("/v2/health/ready")).status).toBe(200);
  });

  it.each(["/v2", "/v2/"])("says its name, version and extensions at %s", async (path) => {
    const { status, json } = await call(path);
    expect(status).toBe(200);
    expect(json).toEqual({
      name: expect.any(String),
      version: expect.any(String),
      extensions: expect.arrayContaining([]),
    });
  });

  it("answers 404 with an error where there is nothing, and 405 for a wrong method", async () => {
    expect(await call("/v2/nothing")).toMatchObject({ status: 404, json: { error: expect.any(String) } });
    const wrong: [string, string][] = [
      ["DELETE", "/v2/models/simple"],
      ["GET", infer],
      ["PUT", infer],
      ["POST", "/v2/health/live"],
      ["POST", "/v2"],
    ];
    for (const [method, path] of wrong) {
      const answer = await call(path, undefined, { method });
      expect([method, path, answer.status]).toEqual([method, path, 405]);
      expect(answer.json).toEqual({ error: expect.any(String) });
    }
  });
}

export function modelEndpoints(call: Call): void {
  it.each(["/v2/models/simple", "/v2/models/simple/versions/3", "/v2/models/%73imple"])(
    "describes the model at %s",
    async (path) => {
      const { status, json } = await call(path);
      const tensor = (name: string): object => ({ name, datatype: "INT32", shape: [-1, 16] });
      expect(status).toBe(200);
      expect(json).toMatchObject({
        name: "simple",
        versions: ["3"],
        platform: "onnx_onnxv1",
        inputs: [tensor("INPUT0"), tensor("INPUT1")],
        outputs: [tensor("OUTPUT0"), tensor("OUTPUT1")],
      });
    },
  );

  it("says that the model is ready, with and without its version", async () => {
    for (const path of ["/v2/models/simple/ready", "/v2/models/simple/versions/3/ready"]) {
      expect(await call(path)).toMatchObject({ status: 200, json: { name: "simple", ready: true } });
    }
  });

  it("does not know other models and versions", async () => {
    for (const model of ["nope", "simple/versions/9", "..%2f..%2fetc", "%00", "simple%20"]) {
      for (const what of ["", "/ready", "/infer"]) {
        const answer = await call(`/v2/models/${model}${what}`, what === "/infer" ? simple : undefined);
        expect([400, 404]).toContain(answer.status);
        expect(answer.json).toEqual({ error: expect.any(String) });
      }
    }
  });
}

export function jsonInference(call: Call): void {
  const answer = {
    id: "42",
    model_name: "simple",
    model_version: "3",
    outputs: [
      { name: "OUTPUT0", datatype: "INT32", shape: [1, 16], data: count.map((value) => value + 1) },
      { name: "OUTPUT1", datatype: "INT32", shape: [1, 16], data: count.map((value) => value - 1) },
    ],
  };

  it.each([infer, "/v2/models/simple/versions/3/infer"])(
    "answers at %s with the request's id",
    async (path) => {
      expect(await call(path, simple)).toMatchObject({ status: 200, json: answer });
    },
  );

  it("takes nested data as well as flat", async () => {
    const nested = { ...simple, inputs: [input("INPUT0", [count]), input("INPUT1", [ones])] };
    expect((await call(infer, nested)).json).toMatchObject(answer);
  });

  it("has no id where the request has none", async () => {
    expect((await call(infer, { inputs: simple.inputs })).json).not.toHaveProperty("id");
  });

  it("gives the outputs that are asked for, in that order", async () => {
    const request = { ...simple, outputs: [{ name: "OUTPUT1" }] };
    expect((await call(infer, request)).json).toMatchObject({ outputs: [answer.outputs[1]] });
  });

  it("takes several rows, and a body in chunks", async () => {
    const rows = {
      inputs: [input("INPUT0", [...count, ...ones], [2, 16]), input("INPUT1", [...ones, ...ones], [2, 16])],
    };
    const bytes = new TextEncoder().encode(JSON.stringify(rows));
    const body = new ReadableStream({
      start(controller) {
        for (let at = 0; at < bytes.length; at += 7) controller.enqueue(bytes.slice(at, at + 7));
        controller.close();
      },
    });
    const { json } = await call(infer, body, { duplex: "half" });
    expect(json).toMatchObject({ outputs: [{ shape: [2, 16] }, { shape: [2, 16] }] });
  });

  it("takes custom parameters, and a null for what is optional", async () => {
    const request = { ...simple, parameters: { colour: "red", size: 4, wide: true }, outputs: null };
    expect((await call(infer, request)).status).toBe(200);
  });
}
