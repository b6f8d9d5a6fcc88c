import { Buffer } from "node:buffer";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { bytesOfElements, elementsOfBytes } from "../../protocol/bytes-elements.ts";
import { type Tensor, tensorFromNumbers } from "../../protocol/tensor.ts";
import { withOpset, withStrings } from "../../test/support/odd-onnx.ts";
import { type TinyNode, type TinyTensor, tinyOnnx } from "../../test/support/tiny-onnx.ts";
import { openSession, type Session } from "./session.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-exact-"));

async function openBytes(model: Buffer): Promise<Session> {
  const path = join(mkdtempSync(join(folder, "m")), "model.onnx");
  writeFileSync(path, model);
  return openSession({ name: "m", version: "1", path }, 1);
}

/** A model that gives the strings at the indices it is given, beside the indices doubled. */
function table(strings: readonly Uint8Array[], opset: number): Buffer {
  const nodes: TinyNode[] = [
    { op: "Gather", inputs: ["table", "i"], output: "text" },
    { op: "Add", inputs: ["i", "i"], output: "double" },
  ];
  const tensor = (name: string, datatype: TinyTensor["datatype"]): TinyTensor => ({
    name,
    datatype,
    shape: [-1, -1],
  });
  const outputs = [tensor("text", "BYTES"), tensor("double", "INT64")];
  return withOpset(withStrings(tinyOnnx([tensor("i", "INT64")], nodes, outputs), "table", strings), opset);
}

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");
const indices = (shape: number[], values: number[]): Tensor => tensorFromNumbers("i", "INT64", shape, values);

async function stringsAt(session: Session, shape: number[], values: number[]): Promise<Tensor[]> {
  const { outputs } = await session.run([indices(shape, values)], [shape[0] as number]);
  return [...outputs];
}

const odd = [
  "ab\0cd",
  "\xff\xfe",
  "",
  "\xff",
  "a\xff",
  "\xffa",
  "\xff\xff\xff",
  "\x80\xbf\xc0",
  "caf\xc3\xa9",
  "\xef\xbf\xbd",
].map(latin1);

it.each([17, 20, 21])("gives the bytes of strings as they are, at opset %d", async (opset) => {
  const session = await openBytes(table(odd, opset));
  const all = odd.map((_, index) => index);
  const [text, double] = await stringsAt(session, [2, 5], all);
  expect(text).toEqual({ name: "text", datatype: "BYTES", shape: [2, 5], data: bytesOfElements(odd) });
  expect(double).toMatchObject({ datatype: "INT64", shape: [2, 5] });
  const [one] = await stringsAt(session, [1, 1], [1]);
  expect(one?.data).toEqual(bytesOfElements([latin1("\xff\xfe")]));
  const [plain] = await stringsAt(session, [1, 2], [0, 8]);
  expect(plain?.data).toEqual(bytesOfElements([latin1("ab\0cd"), latin1("caf\xc3\xa9")]));
  const [none] = await stringsAt(session, [0, 3], []);
  expect(none).toMatchObject({ shape: [0, 3], data: new Uint8Array(0) });
});

it("gives any bytes as they are", async () => {
  const element = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ unit: "binary" }).map((text) => new Uint8Array(Buffer.from(text))),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(element, { minLength: 1, maxLength: 50 }), async (strings) => {
      const session = await openBytes(table(strings, 20));
      const [text] = await stringsAt(
        session,
        [1, strings.length],
        strings.map((_, index) => index),
      );
      const elements = elementsOfBytes(text?.data ?? new Uint8Array(0), strings.length, "text");
      expect(elements.map((bytes) => Buffer.from(bytes))).toEqual(strings.map((bytes) => Buffer.from(bytes)));
    }),
    { numRuns: 10 },
  );
});

it("says which element may be wrong when the model cannot be asked for its bytes", async () => {
  // Opset 20 no longer has Scatter, and opset 10 cannot split strings.
  const inputs: TinyTensor[] = [
    { name: "i", datatype: "INT64", shape: [-1] },
    { name: "x", datatype: "FP32", shape: [-1] },
  ];
  const nodes: TinyNode[] = [
    { op: "Gather", inputs: ["table", "i"], output: "text" },
    { op: "Scatter", inputs: ["x", "i", "x"], output: "y" },
  ];
  const outputs: TinyTensor[] = [
    { name: "text", datatype: "BYTES", shape: [-1] },
    { name: "y", datatype: "FP32", shape: [-1] },
  ];
  const model = withStrings(tinyOnnx(inputs, nodes, outputs), "table", odd);
  const session = await openBytes(withOpset(model, 10));
  const x = tensorFromNumbers("x", "FP32", [2], [5, 6]);
  await expect(session.run([indices([2], [0, 1]), x], [2])).rejects.toMatchObject({
    status: 500,
    message: expect.stringMatching(
      /^model m failed: output "text": element 1 may have bytes that are not UTF-8, which could not be read: .*Scatter/,
    ),
  });
});
