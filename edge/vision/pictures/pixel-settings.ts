/** The settings that all handlers of pictures share: from pixels to the model's numbers. */
import { z } from "zod";

const three = z.tuple([z.number(), z.number(), z.number()]);
const positive = z.number().positive();

/** By default the convention of models trained on ImageNet with torchvision: ResNet, SqueezeNet, MobileNet. */
export const pixelSettings = {
  mean: three
    .default([0.485, 0.456, 0.406])
    .describe("subtracted, in the order of `channels`, after the division by `scale`"),
  std: z.tuple([positive, positive, positive]).default([0.229, 0.224, 0.225]).describe("divides the result"),
  scale: positive
    .default(255)
    .describe("divides the bytes: 255 for numbers in 0..1, 1 for the bytes themselves"),
  channels: z.enum(["RGB", "BGR"]).default("RGB").describe("order of the colours; Caffe and OpenCV have BGR"),
  layout: z.enum(["NCHW", "NHWC"]).default("NCHW").describe("planes, or pixel by pixel as TensorFlow has it"),
  kernel: z
    .enum(["nearest", "linear", "cubic", "lanczos3"])
    .default("linear")
    .describe("how a picture is resized"),
} as const;
