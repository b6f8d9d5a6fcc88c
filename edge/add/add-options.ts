/** The options of `spillway add`. */
import { z } from "zod";
import { optionalText, positive, text, whole } from "../../base/program/option-fields.ts";

export const addModelOptions = z.strictObject({
  source: text
    .describe("an ONNX file, a zip or a folder with one, or the https URL of a file or zip")
    .meta({ argument: "SOURCE" }),
  name: optionalText.describe("what the model is called (default: the name of the file or folder)"),
  models: text.default("models").describe("model repository that it is put into; made where there is none"),
  handler: z
    .enum(["auto", "none", "image-classification", "object-detection"])
    .default("auto")
    .describe(
      "what callers send: pictures for a handler that must fit, tensors with none; auto: the handler that surely fits",
    ),
  labels: optionalText.describe(
    "file that names the classes (default: one beside the model whose names are as many as its classes)",
  ),
  sha256: optionalText.describe("digest of the file, in hexadecimal or base64; a URL needs one"),
  modelHosts: z
    .string()
    .default("")
    .describe("hosts, with commas between, from which models may be taken although private or without TLS"),
  maxModelMib: positive(65_536).default(4_096).describe("largest model, in MiB, packed and unpacked"),
  threads: whole(1, 256).optional().describe("threads that one run uses (default: all cores)"),
  url: z.url().default("http://localhost:8000").describe("the server of the printed commands"),
});

export type AddModelOptions = z.output<typeof addModelOptions>;
