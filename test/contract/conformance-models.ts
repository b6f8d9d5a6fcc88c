/** The models that the conformance suite asks for, as a repository folder: any server that takes ONNX can serve it. */
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Datatype, datatypes } from "../../protocol/datatype.ts";
import { tinyOnnx } from "../support/tiny-onnx.ts";

/** Adds and subtracts, as the model of Triton's own examples does. */
export function simpleModel(): Buffer {
  const tensor = (name: string) => ({ name, datatype: "INT32" as const, shape: [-1, 16] });
  const inputs = ["INPUT0", "INPUT1"];
  const nodes = [
    { op: "Add", inputs, output: "OUTPUT0" },
    { op: "Sub", inputs, output: "OUTPUT1" },
  ];
  return tinyOnnx(inputs.map(tensor), nodes, ["OUTPUT0", "OUTPUT1"].map(tensor));
}

/** Gives back what it gets. */
export function identityModel(types: readonly Datatype[], row: readonly number[]): Buffer {
  const tensors = (prefix: string) =>
    types.map((datatype) => ({ name: `${prefix}_${datatype}`, datatype, shape: [-1, ...row] }));
  const nodes = types.map((type) => ({ op: "Identity", inputs: [`IN_${type}`], output: `OUT_${type}` }));
  return tinyOnnx(tensors("IN"), nodes, tensors("OUT"));
}

/** BF16 is of the protocol, but the binding of ONNX Runtime does not take it. */
export const onnxDatatypes = datatypes.filter((datatype) => datatype !== "BF16");

/** A new folder with `simple`, `types` (every datatype), `identity` (FP32), `text` (BYTES) and `off`, disabled. */
export function conformanceRepository(): string {
  const folder = mkdtempSync(join(tmpdir(), "spillway-conformance-"));
  putModel(folder, "simple", "3", simpleModel(), "maxBatchRows: 64\n");
  putModel(folder, "types", "1", identityModel(onnxDatatypes, [2]));
  putModel(folder, "identity", "1", identityModel(["FP32"], [-1]));
  putModel(folder, "text", "1", identityModel(["BYTES"], [1]));
  putModel(folder, "off", "1", simpleModel(), "disabled: true\n");
  return folder;
}

export function putModel(folder: string, name: string, version: string, onnx: Buffer, config?: string): void {
  mkdirSync(join(folder, name, version), { recursive: true });
  writeFileSync(join(folder, name, version, "model.onnx"), onnx);
  if (config !== undefined) writeFileSync(join(folder, name, "config.yaml"), config);
}
