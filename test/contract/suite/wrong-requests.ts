/** The ways in which clients get requests wrong, each of which is the client's fault: a 4xx with an error. */
import { expect, it } from "vitest";
import { headerLength } from "../../../protocol/v2-http.ts";
import { type Call } from "../v2-caller.ts";
import { count, infer, input, ones, simple } from "./simple-request.ts";

export function wrongRequests(call: Call): void {
  const deep = "[".repeat(100_000);
  const inputs = simple.inputs;
  it.each<[string, unknown]>([
    ["an empty body", ""],
    ["what is no JSON", "{"],
    ["no object", "[]"],
    ["JSON that is nested deeply", `{"inputs":${deep}`],
    ["no inputs", {}],
    ["an empty list of inputs", { inputs: [] }],
    ["an input that is missing", { inputs: inputs.slice(1) }],
    ["an input of another name", { inputs: [...inputs, input("INPUT2", ones)] }],
    ["the same input twice", { inputs: [inputs[0], inputs[0], inputs[1]] }],
    ["another datatype", { inputs: [{ ...inputs[0], datatype: "FP32" }, inputs[1]] }],
    ["an unknown datatype", { inputs: [{ ...inputs[0], datatype: "INT33" }, inputs[1]] }],
    ["no shape", { inputs: [{ ...inputs[0], shape: undefined }, inputs[1]] }],
    ["a negative size", { inputs: [input("INPUT0", count, [-1, -16]), inputs[1]] }],
    ["another rank", { inputs: [input("INPUT0", count, [16]), inputs[1]] }],
    ["another size", { inputs: [input("INPUT0", [1, 2], [1, 2]), inputs[1]] }],
    ["sizes whose product overflows", { inputs: [input("INPUT0", count, [2 ** 33, 2 ** 33]), inputs[1]] }],
    ["too few elements", { inputs: [input("INPUT0", [1]), inputs[1]] }],
    ["too many elements", { inputs: [input("INPUT0", [...count, 1]), inputs[1]] }],
    ["an element of another kind", { inputs: [input("INPUT0", count.map(String)), inputs[1]] }],
    [
      "an element beyond its datatype",
      {
        inputs: [
          input(
            "INPUT0",
            count.map(() => 2 ** 31),
          ),
          inputs[1],
        ],
      },
    ],
    ["rows that differ", { inputs: [input("INPUT0", [...count, ...count], [2, 16]), inputs[1]] }],
    ["an unknown output", { inputs, outputs: [{ name: "OUTPUT9" }] }],
    ["an output twice", { inputs, outputs: [{ name: "OUTPUT0" }, { name: "OUTPUT0" }] }],
    ["an id that is no text", { inputs, id: 42 }],
    [
      "binary data that is not there",
      { inputs: [{ ...inputs[0], data: undefined, parameters: { binary_data_size: 64 } }, inputs[1]] },
    ],
  ])("answers 400 to %s", async (_, body) => {
    const answer = await call(infer, body);
    expect(answer).toMatchObject({ status: 400, json: { error: expect.any(String) } });
  });

  it.each(["-1", "1e3", "99999999999999999999", "1000000", "x"])(
    "answers 400 to a header length of %s",
    async (length) => {
      const answer = await call(infer, simple, { headers: { [headerLength]: length } });
      expect(answer).toMatchObject({ status: 400, json: { error: expect.any(String) } });
    },
  );

  it.each(["9223372036854775808", "-9223372036854775809", "1e19", '"1"', "1.5"])(
    "answers 400 to %s, which is no INT64",
    async (value) => {
      const body = `{"inputs":[{"name":"IN_INT64","datatype":"INT64","shape":[1,2],"data":[${value},1]}]}`;
      const answer = await call("/v2/models/types/infer", body);
      expect(answer).toMatchObject({ status: 400, json: { error: expect.stringContaining("INT64 allows") } });
    },
  );

  it.each(["NaN", "Infinity", "-Infinity"])(
    "answers 400 to %s in JSON, and says what to do",
    async (value) => {
      const body = `{"inputs":[{"name":"IN_FP32","datatype":"FP32","shape":[1,2],"data":[${value},1]}]}`;
      expect(await call("/v2/models/types/infer", body)).toMatchObject({
        status: 400,
        json: { error: expect.stringMatching(/not valid JSON: (NaN|Infinity) at byte .*binary_data_size/) },
      });
    },
  );

  it.each([{ sequence_id: 7 }, { sequence_id: "a" }, { sequence_start: true }, { sequence_end: true }])(
    "answers 400 to the step of a sequence: %o",
    async (parameters) => {
      expect(await call(infer, { ...simple, parameters })).toMatchObject({
        status: 400,
        json: { error: expect.stringContaining("sequences are not supported") },
      });
    },
  );

  it("serves a request whose parameters say that it is of no sequence", async () => {
    const parameters = { sequence_id: 0, sequence_start: false, sequence_end: false, other: null };
    expect((await call(infer, { ...simple, parameters })).status).toBe(200);
  });

  it("answers 400 to a parameter that is a list, and names it", async () => {
    expect(await call(infer, { ...simple, parameters: { tags: ["a"] } })).toMatchObject({
      status: 400,
      json: { error: expect.stringContaining('parameters["tags"] is an array of 1') },
    });
  });

  it("answers more rows than the model takes with 400, or all of them", async () => {
    const data = Array.from({ length: 65 * 16 }, () => 1);
    const many = { inputs: [input("INPUT0", data, [65, 16]), input("INPUT1", data, [65, 16])] };
    const { status, json } = await call(infer, many);
    if (status === 400) return;
    expect(status).toBe(200);
    expect((json as { outputs: { shape: number[] }[] }).outputs.map(({ shape }) => shape)).toEqual([
      [65, 16],
      [65, 16],
    ]);
  });
}
