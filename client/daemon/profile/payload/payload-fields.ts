/** The options of what a model is measured or loaded with; the daemon, `profile` and `loadgen` have them. */
import { z } from "zod";
import { optionalText } from "../../../../base/program/option-fields.ts";

export const payloadFields = {
  payload: z
    .enum(["tensors", "text", "images"])
    .default("tensors")
    .describe(
      "tensors: zeros in the model's shapes; text: rendered lines for OCR; images: pictures from --images",
    ),
  images: optionalText.describe(
    "folder of JPEG, PNG and WebP files for --payload images; if it is empty, pictures are generated",
  ),
};

const fields = z.strictObject(payloadFields);
/** @see payloadFields; `seed` is that of generated texts and pictures */
export type ChosenPayload = z.output<typeof fields> & { readonly seed: number };
