/** Fits a picture into the frame that a model takes, and keeps where it was put. */
import { cropPixels, type Kernel, padPixels, type Pixels, resizePixels } from "./picture.ts";
import {
  centreCrop,
  letterbox,
  linePlacement,
  type PicturePlacement,
  shortSideSize,
  type Size,
  stretch,
} from "./resize-arithmetic.ts";

export const fitKinds = ["crop", "stretch", "letterbox", "left-top", "line"] as const;
export type Fit = (typeof fitKinds)[number];

export interface FitOptions {
  /** How a picture of other proportions fits into the frame. */
  readonly fit: Fit;
  readonly kernel: Kernel;
  /** Grey of the part of the frame beside the picture. */
  readonly pad: number;
  /** Shorter side before a crop, in pixels; at least that of the frame. Default: 8/7 of the frame's. */
  readonly shortSide?: number | undefined;
}

/** A picture in its frame. */
export interface FittedPicture extends Pixels {
  /** Size of the picture as it was. */
  readonly from: Size;
  /** Where it was put; a crop begins outside the frame. */
  readonly placement: PicturePlacement;
}

/** Rejects with a ProtocolError when the picture would become too large on the way. */
export async function fitPicture(picture: Pixels, frame: Size, options: FitOptions): Promise<FittedPicture> {
  const { fit, kernel, pad } = options;
  const from = { width: picture.width, height: picture.height };
  if (fit === "crop") {
    const shortest = Math.min(frame.width, frame.height);
    const shortSide = Math.max(shortest, options.shortSide ?? Math.round((shortest * 8) / 7));
    const size = shortSideSize(picture, shortSide);
    const whole = {
      width: Math.max(frame.width, size.width),
      height: Math.max(frame.height, size.height),
    };
    const part = centreCrop(whole, frame);
    const cut = cropPixels(await resizePixels(picture, whole, kernel), part);
    const scales = { scaleX: whole.width / from.width, scaleY: whole.height / from.height };
    return { ...cut, from, placement: { ...whole, left: -part.left, top: -part.top, ...scales } };
  }
  const placement = placementOf(fit, picture, frame);
  const resized = await resizePixels(picture, placement, kernel);
  const fills = placement.width === frame.width && placement.height === frame.height;
  return { ...(fills ? resized : padPixels(resized, frame, placement, pad)), from, placement };
}

function placementOf(fit: Exclude<Fit, "crop">, picture: Size, frame: Size): PicturePlacement {
  switch (fit) {
    case "stretch":
      return stretch(picture, frame);
    case "line":
      return linePlacement(picture, frame);
    case "letterbox":
      return letterbox(picture, frame, "centre");
    case "left-top":
      return letterbox(picture, frame, "left-top");
  }
}
