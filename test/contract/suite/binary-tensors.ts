/** The binary tensor data extension. */
import { expect, it } from "vitest";
import type { Datatype } from "../../../protocol/datatype.ts";
import { tensorFromNumbers, tensorFromStrings, tensorToStrings } from "../../../protocol/tensor.ts";
import { headerLength } from "../../../protocol/v2-http.ts";
import { onnxDatatypes } from "../conformance-models.ts";
import { type Call, inferBinary } from "../v2-caller.ts";
import { count, infer, simple } from "./simple-request.ts";

export function binaryInference(call: Call, url: () => string): void {
  const all = onnxDatatypes.map((datatype: Datatype) => {
    if (datatype === "BYTES") return tensorFromStrings("IN_BYTES", [2, 2], ["", "å", "two", "3"]);
    if (datatype === "FP16") {
      const data = new Uint8Array(Uint16Array.of(0x3c00, 0x7e00, 0xfc00, 0x0001).buffer);
      return { name: "IN_FP16", datatype, shape: [2, 2], data };
    }
    const isFloat = datatype === "FP32" || datatype === "FP64";
    const values = isFloat ? [Number.NaN, -Infinity, 1.5, -0] : [0, 1, 1, 0];
    return tensorFromNumbers(`IN_${datatype}`, datatype, [2, 2], values);
  });

  it("carries every datatype there and back, bit by bit", async () => {
    const answer = await inferBinary(url(), "types", { id: "b", parameters: {}, inputs: all });
    expect(answer.id).toBe("b");
    for (const tensor of all) {
      const output = answer.outputs.find(({ name }) => name === tensor.name.replace("IN", "OUT"));
      expect(output).toMatchObject({ datatype: tensor.datatype, shape: [2, 2] });
      expect(Array.from(output?.data ?? [])).toEqual(Array.from(tensor.data));
    }
  });

  it("gives each output in the form that is asked for it", async () => {
    const outputs = [{ name: "OUTPUT0", parameters: { binary_data: true } }, { name: "OUTPUT1" }];
    const response = await fetch(`${url()}${infer}`, {
      method: "POST",
      body: JSON.stringify({ ...simple, outputs }),
    });
    const length = Number(response.headers.get(headerLength));
    const body = new Uint8Array(await response.arrayBuffer());
    const json = JSON.parse(new TextDecoder().decode(body.subarray(0, length))) as { outputs: object[] };
    expect(json.outputs[0]).toMatchObject({ parameters: { binary_data_size: 64 } });
    expect(json.outputs[0]).not.toHaveProperty("data");
    expect(json.outputs[1]).toMatchObject({ data: count.map((value) => value - 1) });
    expect(body.length).toBe(length + 64);
  });

  it("lets an output overrule what the request asks for all", async () => {
    const outputs = [{ name: "OUTPUT0", parameters: { binary_data: false } }];
    const request = { ...simple, parameters: { binary_data_output: true }, outputs };
    expect((await call(infer, request)).json).toMatchObject({ outputs: [{ data: expect.any(Array) }] });
  });

  it("refuses FP16 in JSON, which cannot state it", async () => {
    const fp16 = { inputs: [{ name: "IN_FP16", datatype: "FP16", shape: [1, 2], data: [1, 2] }] };
    expect((await call("/v2/models/types/infer", fp16)).status).toBe(400);
  });

  it("refuses BF16 in JSON by its name", async () => {
    const bf16 = { inputs: [{ name: "IN_FP16", datatype: "BF16", shape: [1, 2], data: [1, 2] }] };
    expect(await call("/v2/models/types/infer", bf16)).toMatchObject({
      status: 400,
      json: {
        error: expect.stringContaining("BF16 has no form in JSON; use the binary tensor data extension"),
      },
    });
  });

  it("refuses bytes that are too few or too many", async () => {
    const header = JSON.stringify({
      inputs: [{ name: "IN_FP32", datatype: "FP32", shape: [1, 2], parameters: { binary_data_size: 8 } }],
    });
    for (const bytes of [0, 7, 9]) {
      const body = new Uint8Array([...new TextEncoder().encode(header), ...new Uint8Array(bytes)]);
      const headers = { [headerLength]: String(header.length) };
      expect((await call("/v2/models/identity/infer", body, { headers })).status).toBe(400);
    }
  });

  it("takes the bytes of the only input alone, as one row", async () => {
    const raw = (body: Uint8Array, model: string): Promise<Response> =>
      fetch(`${url()}/v2/models/${model}/infer`, {
        method: "POST",
        headers: { [headerLength]: "0" },
        body: body as Uint8Array<ArrayBuffer>,
      });
    const floats = new Uint8Array(Float32Array.of(1, 2, 3).buffer);
    const answer = await raw(floats, "identity");
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const length = Number(answer.headers.get(headerLength));
    expect(JSON.parse(new TextDecoder().decode(bytes.subarray(0, length)))).toMatchObject({
      outputs: [{ name: "OUT_FP32", shape: [1, 3], parameters: { binary_data_size: 12 } }],
    });
    expect(Array.from(bytes.subarray(length))).toEqual(Array.from(floats));
    expect((await raw(new TextEncoder().encode("a text"), "text")).status).toBe(200);
    expect((await raw(floats, "simple")).status).toBe(400);
    expect((await raw(floats.subarray(1), "identity")).status).toBe(400);
  });

  it("carries texts in JSON and back", async () => {
    const request = { inputs: [{ name: "IN_BYTES", datatype: "BYTES", shape: [2, 1], data: ["å", ""] }] };
    expect((await call("/v2/models/text/infer", request)).json).toMatchObject({
      outputs: [{ datatype: "BYTES", shape: [2, 1], data: ["å", ""] }],
    });
    const texts = tensorFromStrings("IN_BYTES", [1, 1], ["x"]);
    const { outputs } = await inferBinary(url(), "text", { parameters: {}, inputs: [texts] });
    expect(outputs.map(tensorToStrings)).toEqual([["x"]]);
  });
}
