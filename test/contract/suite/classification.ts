/** The classification extension: the best classes of an output in place of its numbers. */
import { expect, it } from "vitest";
import { type Call } from "../v2-caller.ts";
import { count, infer, input, ones, simple } from "./simple-request.ts";

export function classification(call: Call): void {
  const wanted = (classes: unknown) => [{ name: "OUTPUT0", parameters: { classification: classes } }];

  it("gives the best classes of each row, as many as are asked for", async () => {
    const both = [...count, ...count.toReversed()];
    const inputs = [input("INPUT0", both, [2, 16]), input("INPUT1", [...ones, ...ones], [2, 16])];
    const { status, json } = await call(infer, { inputs, outputs: wanted(2) });
    expect(status).toBe(200);
    expect((json as { outputs: unknown }).outputs).toEqual([
      { name: "OUTPUT0", datatype: "BYTES", shape: [2, 2], data: ["16:15", "15:14", "16:0", "15:1"] },
    ]);
  });

  it("gives all classes when more are asked for, and other outputs as they are", async () => {
    const outputs = [...wanted(99), { name: "OUTPUT1" }];
    const { json } = await call(infer, { ...simple, outputs });
    expect(json).toMatchObject({
      outputs: [
        { name: "OUTPUT0", shape: [1, 16] },
        { name: "OUTPUT1", datatype: "INT32", data: count.map((value) => value - 1) },
      ],
    });
  });

  it.each([0, -1, 1.5, "2", true])("answers 400 to a classification of %j", async (classes) => {
    const answer = await call(infer, { ...simple, outputs: wanted(classes) });
    expect(answer).toMatchObject({
      status: 400,
      json: { error: expect.stringContaining('classification of output "OUTPUT0" is') },
    });
  });

  it("answers 400 when the elements of the output are no numbers", async () => {
    const text = { name: "IN_BYTES", datatype: "BYTES", shape: [1, 1], data: ["a"] };
    const outputs = [{ name: "OUT_BYTES", parameters: { classification: 1 } }];
    const answer = await call("/v2/models/text/infer", { inputs: [text], outputs });
    expect(answer).toMatchObject({ status: 400, json: { error: expect.stringContaining("OUT_BYTES") } });
  });
}
