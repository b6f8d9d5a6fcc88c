/**
 * Two models for the messages of a press, and rules that use them: a handler that is one pure function of the message, and
 * an ONNX file in a zip.
 */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tinyOnnx } from "./tiny-onnx.ts";
import { tinyZip } from "./tiny-zip.ts";

/** A message in the form that plants send. */
export const pressMessage = {
  deviceInfo: {
    deviceName: "压机7",
    edgeDeviceName: "press-7",
    topic: "plant/1/press-7",
    edgeCalculation: false,
    encryption: false,
    compression: false,
  },
  telemetry: { ts: 1_790_000_000_000, dispPeak: 84.5, 温度: 61, 湿度: "86", 通电: true },
  model_data: { P1: "1.5", P2: "2.5" },
};

const wearHandler = `
export const inputs = [{ name: "message", datatype: "BYTES", shape: [1] }];
export const outputs = [{ name: "wear", datatype: "FP32", shape: [1] }];
export function preprocess([message], { texts, numberTensor }) {
  const { telemetry } = JSON.parse(texts(message)[0]);
  return { inputs: [numberTensor("wear", "FP32", [1], [telemetry.dispPeak / 128])] };
}
`;

/** Adds up temperature, humidity, whether it is switched on, and two more: y = x * w. */
function heatModel(): Buffer {
  const columns = 5;
  const [x, y] = [
    { name: "x", datatype: "FP32" as const, shape: ["n", columns] },
    { name: "y", datatype: "FP32" as const, shape: ["n", 1] },
  ];
  const w = { shape: [columns, 1], data: Float32Array.from({ length: columns }, () => 1) };
  return tinyOnnx([x], [{ op: "MatMul", inputs: ["x", "w"], output: "y" }], [y], { w });
}

/** What `heat` answers for `pressMessage`. */
export const heatOfPress = 61 + 86 + 1 + 1.5 + 2.5;

export interface PressModels {
  /** A repository with the model `wear`. */
  readonly repository: string;
  /** The model `heat`: a zip, and its MD5 in base64. */
  readonly zip: string;
  readonly md5: string;
}

export function writePressModels(): PressModels {
  const folder = mkdtempSync(join(tmpdir(), "spillway-press-"));
  const repository = join(folder, "models");
  mkdirSync(join(repository, "wear", "1"), { recursive: true });
  writeFileSync(join(repository, "wear", "1", "handler.mjs"), wearHandler);
  const content = tinyZip([{ name: "heat/1/model.onnx", content: heatModel() }]);
  const zip = join(folder, "heat.zip");
  writeFileSync(zip, content);
  return { repository, zip, md5: createHash("md5").update(content).digest("base64") };
}

/** @param from broker and topic of both rules */
export function pressRules({ zip, md5 }: PressModels, from: object): object[] {
  return [
    {
      name: "wear",
      from,
      when: 'data.deviceInfo.deviceName == "压机7" && "dispPeak" in data.telemetry',
      device: "data.deviceInfo.deviceName",
      model: "wear",
      inputs: [{ name: "message", datatype: "BYTES", json: "data" }],
      publish: { topic: "results/${device}/wear", payload: { id: "${id}", wear: "${outputs.wear[0]}" } },
    },
    {
      name: "heat",
      from,
      when: "data.telemetry.温度 > 50",
      device: "data.deviceInfo.edgeDeviceName",
      model: { name: "heat", zip, md5 },
      inputs: [
        {
          name: "x",
          values: [
            "data.telemetry.温度",
            { path: "data.telemetry.湿度", text: true },
            { path: "data.telemetry.通电", map: { true: 1, false: 0 } },
            { path: "data.model_data.P1", text: true },
            { path: "data.model_data.P2", text: true },
          ],
        },
      ],
      publish: { topic: "results/${device}/heat", payload: { id: "${id}", heat: "${outputs.y[0][0]}" } },
    },
  ];
}
