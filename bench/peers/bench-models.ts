/** The models of the bench for our edge, and rows with their answers to ask all servers for. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../base/random.ts";
import { embeddedPath } from "../../edge/models/embedded-ocr.ts";
import { openSession } from "../../edge/models/session.ts";
import { type Tensor, tensorFromNumbers } from "../../protocol/tensor.ts";
import type { PeerModel } from "./cells.ts";
import type { CheckedRow } from "./checker.ts";

const handler = (predict: string): string => `
  const tensor = { datatype: "UINT8", shape: [-1, 1024] };
  export const inputs = [{ ...tensor, name: "x" }];
  export const outputs = [{ ...tensor, name: "y" }];
  export async function predict([x]) {${predict}
    return [{ ...x, name: "y" }];
  }
`;
const sleep = `
    await new Promise((resolve) => setTimeout(resolve, 20 + x.shape[0]));`;

export const onnxFile = embeddedPath("classifier");

/** Writes a repository of the three models. */
export function writeModels(folder: string): void {
  for (const [name, predict] of [
    ["no-op", ""],
    ["timed", sleep],
  ] as const) {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, "handler.js"), handler(predict));
    writeFileSync(join(folder, name, "config.yaml"), "joinRows: true\n");
  }
  mkdirSync(join(folder, "ocr-cls", "1"), { recursive: true });
  copyFileSync(onnxFile, join(folder, "ocr-cls", "1", "model.onnx"));
  writeFileSync(join(folder, "ocr-cls", "config.yaml"), "joinRows: true\n");
}

/** Eight rows, all different; 1 KiB each, or 108 KiB for `ocr-cls`. */
export async function samplesOf(model: PeerModel): Promise<CheckedRow[]> {
  const random = seededRandom(1);
  const rows = Array.from({ length: 8 }, () => row(model, random));
  if (model !== "ocr-cls") return rows.map((each) => ({ row: each, expected: each.data }));
  const session = await openSession({ name: model, version: "1", path: onnxFile }, 1);
  const samples: CheckedRow[] = [];
  for (const each of rows) {
    const { outputs } = await session.run([each], [1]);
    samples.push({ row: each, expected: (outputs[0] as Tensor).data });
  }
  return samples;
}

function row(model: PeerModel, random: () => number): Tensor {
  if (model === "ocr-cls") {
    const pixels = Float32Array.from({ length: 3 * 48 * 192 }, () => 2 * random() - 1);
    return tensorFromNumbers("x", "FP32", [1, 3, 48, 192], pixels);
  }
  const bytes = Uint8Array.from({ length: 1_024 }, () => Math.floor(256 * random()));
  return tensorFromNumbers("x", "UINT8", [1, 1_024], bytes);
}
