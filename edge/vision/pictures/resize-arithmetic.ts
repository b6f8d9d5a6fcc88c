/** How a picture is fitted into the size that a model takes: arithmetic on sizes, apart from the pixels. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Rectangle extends Size {
  readonly left: number;
  readonly top: number;
}

/** How a picture was put into a frame: scaled, then moved. */
export interface Placement extends Rectangle {
  /** Pixels of the frame for one of the picture, along each axis. */
  readonly scaleX: number;
  readonly scaleY: number;
}

/** The size with the shorter side of that length, rounded, and the sides in proportion. */
export function shortSideSize({ width, height }: Size, shortSide: number): Size {
  const scale = shortSide / Math.min(width, height);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** The middle of a picture, rounded down as torchvision and PaddleClas do. The part must not be larger than the picture. */
export function centreCrop({ width, height }: Size, part: Size): Rectangle {
  return {
    ...part,
    left: Math.floor((width - part.width) / 2),
    top: Math.floor((height - part.height) / 2),
  };
}

/** The largest picture of the same proportions in a frame, in its middle or at its left and top. */
export function letterbox(picture: Size, frame: Size, place: "centre" | "left-top"): Placement {
  const scale = Math.min(frame.width / picture.width, frame.height / picture.height);
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  const left = place === "centre" ? Math.floor((frame.width - width) / 2) : 0;
  const top = place === "centre" ? Math.floor((frame.height - height) / 2) : 0;
  return { width, height, left, top, scaleX: scale, scaleY: scale };
}

/** The whole frame, whatever the picture's proportions. */
export function stretch(picture: Size, frame: Size): Placement {
  const { width, height } = frame;
  return { ...frame, left: 0, top: 0, scaleX: width / picture.width, scaleY: height / picture.height };
}

/**
 * The size at which a page is searched for text: no side is longer than `longestSide`, none is enlarged but to a
 * multiple of 32, which the detector's five halvings need.
 */
export function pageSize({ width, height }: Size, longestSide: number): Size {
  const scale = Math.min(1, longestSide / Math.max(width, height));
  const to32 = (side: number): number => Math.max(32, Math.round((side * scale) / 32) * 32);
  return { width: to32(width), height: to32(height) };
}

/**
 * A line of text in a frame, at its left: as high as the frame, and as wide as its proportions say; a longer one is
 * narrowed to the frame's width.
 */
export function linePlacement(picture: Size, frame: Size): Placement {
  const { height } = frame;
  const width = Math.min(frame.width, Math.max(1, Math.round((picture.width * height) / picture.height)));
  return { width, height, left: 0, top: 0, scaleX: width / picture.width, scaleY: height / picture.height };
}

/** The least multiple of `step` that is not below the value. */
export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
