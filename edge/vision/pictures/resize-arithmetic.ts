/** How a picture is fitted into the size that a model takes: arithmetic on sizes, without pixels. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Rectangle extends Size {
  readonly left: number;
  readonly top: number;
}

/** Where a picture was put in a frame: scaled, then moved. */
export interface PicturePlacement extends Rectangle {
  /** Pixels of the frame for one of the picture, along each axis. */
  readonly scaleX: number;
  readonly scaleY: number;
}

/** The rounded size in the same proportions whose shorter side has that length. */
export function shortSideSize({ width, height }: Size, shortSide: number): Size {
  const scale = shortSide / Math.min(width, height);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** The middle of a picture that is no smaller than the part, rounded down as torchvision and PaddleClas do. */
export function centreCrop({ width, height }: Size, part: Size): Rectangle {
  const [left, top] = [Math.floor((width - part.width) / 2), Math.floor((height - part.height) / 2)];
  return { ...part, left, top };
}

/** The largest picture of the same proportions in a frame, in its middle or at its left and top. */
export function letterbox(picture: Size, frame: Size, place: "centre" | "left-top"): PicturePlacement {
  const scale = Math.min(frame.width / picture.width, frame.height / picture.height);
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  const { left, top } = place === "centre" ? centreCrop(frame, { width, height }) : { left: 0, top: 0 };
  return { width, height, left, top, scaleX: scale, scaleY: scale };
}

/** The whole frame, whatever the picture's proportions. */
export function stretch(picture: Size, frame: Size): PicturePlacement {
  const { width, height } = frame;
  return { ...frame, left: 0, top: 0, scaleX: width / picture.width, scaleY: height / picture.height };
}

/** The size at which a page is searched: both sides multiples of 32, for the detector's halvings, and not too long. */
export function pageSize({ width, height }: Size, longestSide: number): Size {
  const scale = Math.min(1, longestSide / Math.max(width, height));
  const to32 = (side: number): number => Math.max(32, Math.round((side * scale) / 32) * 32);
  return { width: to32(width), height: to32(height) };
}

/** A line of text at the left of a frame: as high as the frame and in proportion, but narrowed to the frame's width. */
export function linePlacement(picture: Size, frame: Size): PicturePlacement {
  const { height } = frame;
  const width = Math.min(frame.width, Math.max(1, Math.round((picture.width * height) / picture.height)));
  return { width, height, left: 0, top: 0, scaleX: width / picture.width, scaleY: height / picture.height };
}

/** The least multiple of `step` that is not below the value. */
export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
