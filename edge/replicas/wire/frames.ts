/**
 * What the server and a replica say to each other over a socket: a frame is a small head and the data of tensors behind it.
 * Data is written from where it is, and read into the memory in which the tensors stay.
 *
 *     prefix: magic, bytes of the head (32 bits each), bytes of the data (64 bits), little-endian
 *     head:   JSON, or a structured clone where JSON cannot state it; filled up to a multiple of 8 bytes
 *     data:   of each tensor from a multiple of 8 bytes on
 */
import { Buffer } from "node:buffer";
import { deserialize, serialize } from "node:v8";
import type { Datatype } from "../../../protocol/datatype.ts";
import { dataBytes, dataPieces, type Parameters, type Tensor } from "../../../protocol/tensor.ts";

/** A message: its plain part, and tensors. */
export interface Framed<Plain> {
  readonly plain: Plain;
  readonly tensors: readonly Tensor[];
}

/** Bytes that are no frame: the other side is broken, and nothing that it says can be trusted. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

const magics = { json: 0x4a575053, clone: 0x43575053 } as const;
export const prefixBytes = 16;
const alignment = 8;
/** Most bytes of a head, which has a few words for each of at most 1,024 tensors and each request; and of the data. */
const [mostHeadBytes, mostDataBytes] = [2 ** 26, 2 ** 32];
/** Pieces below this are copied together: that costs less than handing each to the system. */
const smallPiece = 2 ** 12;
/** A frame up to this is one piece. */
const smallFrame = 2 ** 16;

type TensorHead = readonly [
  name: string,
  datatype: Datatype,
  shape: readonly number[],
  bytes: number,
  parameters?: Parameters,
];

/** A head as it is sent. */
interface Head<Plain> {
  readonly plain: Plain;
  readonly tensors: readonly TensorHead[];
}

/**
 * The pieces of a frame, in order; those of tensors are in their own memory when they are large.
 *
 * @param isJson whether JSON can state `plain`; the parameters of tensors are never stated in it
 */
export function framePieces<Plain>({ plain, tensors }: Framed<Plain>, isJson: boolean): Uint8Array[] {
  let dataLength = 0;
  let hasParameters = false;
  const heads: TensorHead[] = [];
  for (const tensor of tensors) {
    const { name, datatype, shape, parameters } = tensor;
    const bytes = dataBytes(tensor);
    heads.push(
      parameters === undefined ? [name, datatype, shape, bytes] : [name, datatype, shape, bytes, parameters],
    );
    if (parameters !== undefined) hasParameters = true;
    dataLength += aligned(bytes);
  }
  const isPlain = isJson && !hasParameters;
  const head: Head<Plain> = { plain, tensors: heads };
  const headText = isPlain ? Buffer.from(JSON.stringify(head)) : serialize(head);
  const headLength = aligned(headText.length);
  const isSmall = dataLength <= smallFrame;
  const first = Buffer.alloc(prefixBytes + headLength + (isSmall ? dataLength : 0));
  first.writeUInt32LE(isPlain ? magics.json : magics.clone, 0);
  first.writeUInt32LE(headText.length, 4);
  first.writeBigUInt64LE(BigInt(dataLength), 8);
  first.set(headText, prefixBytes);
  if (!isSmall) return [first, ...together(tensors)];
  let at = prefixBytes + headLength;
  for (const tensor of tensors) {
    const start = at;
    for (const piece of dataPieces(tensor)) {
      first.set(piece, at);
      at += piece.length;
    }
    at = start + aligned(at - start);
  }
  return [first];
}

/** The data of tensors, small pieces put together. */
function together(tensors: readonly Tensor[]): Uint8Array[] {
  const all: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const flush = (): void => {
    if (small.length > 0) all.push(small.length === 1 ? (small[0] as Uint8Array) : Buffer.concat(small));
    small = [];
  };
  const add = (piece: Uint8Array): void => {
    if (piece.length === 0) return;
    if (piece.length < smallPiece) return void small.push(piece);
    flush();
    all.push(piece);
  };
  for (const tensor of tensors) {
    for (const piece of dataPieces(tensor)) add(piece);
    const bytes = dataBytes(tensor);
    add(new Uint8Array(aligned(bytes) - bytes));
  }
  flush();
  return all;
}

/** What a prefix says. */
export interface FrameLengths {
  readonly isJson: boolean;
  readonly head: number;
  /** With what it is filled up with. */
  readonly headRoom: number;
  readonly data: number;
}

/** @throws FrameError when the bytes are not the beginning of a frame */
export function lengthsIn(prefix: Uint8Array): FrameLengths {
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefixBytes);
  const magic = view.getUint32(0, true);
  const head = view.getUint32(4, true);
  const data = Number(view.getBigUint64(8, true));
  const isJson = magic === magics.json;
  if ((!isJson && magic !== magics.clone) || head > mostHeadBytes || data > mostDataBytes)
    throw new FrameError(
      `${Buffer.from(prefix).toString("hex", 0, prefixBytes)} is not the beginning of a frame`,
    );
  return { isJson, head, headRoom: aligned(head), data };
}

/**
 * The message in a frame without its prefix. Its tensors are views of that memory.
 *
 * @throws FrameError
 */
export function messageIn<Plain>(
  frame: Uint8Array,
  { isJson, head, headRoom, data }: FrameLengths,
): Framed<Plain> {
  const text = Buffer.from(frame.buffer, frame.byteOffset, head);
  try {
    const { plain, tensors } = (isJson ? JSON.parse(text.toString()) : deserialize(text)) as Head<Plain>;
    let at = headRoom;
    const read = tensors.map(([name, datatype, shape, bytes, parameters]): Tensor => {
      if (!Number.isSafeInteger(bytes) || bytes < 0 || at + bytes > headRoom + data)
        throw new RangeError(`tensor ${name} has ${bytes} bytes; ${headRoom + data - at} are left`);
      const own = new Uint8Array(frame.buffer, frame.byteOffset + at, bytes);
      at += aligned(bytes);
      const tensor: Tensor = { name, datatype, shape, data: own };
      if (parameters !== undefined) tensor.parameters = parameters;
      return tensor;
    });
    return { plain, tensors: read };
  } catch (error) {
    throw new FrameError(`a frame has no head: ${(error as Error).message}`, { cause: error });
  }
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
