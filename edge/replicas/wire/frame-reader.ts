/** Puts frames together from bytes as they come, however they are cut. */
import { Buffer } from "node:buffer";
import { type Framed, type FrameLengths, lengthsIn, messageIn, prefixBytes } from "./frames.ts";

export class FrameReader<Plain> {
  readonly #onFrame: (message: Framed<Plain>) => void;
  readonly #scratch: Uint8Array;
  readonly #prefix = new Uint8Array(prefixBytes);
  #prefixUsed = 0;
  /** The frame that is coming, and its memory where not all of it came at once. */
  #lengths: FrameLengths | undefined;
  #frame: Uint8Array | undefined;
  #used = 0;

  /**
   * @param onFrame called with each message, when all of it is there
   * @param scratchBytes of the memory that `space` gives between frames, an integer from 1 for those who call it
   */
  constructor(onFrame: (message: Framed<Plain>) => void, scratchBytes = 0) {
    this.#onFrame = onFrame;
    this.#scratch = new Uint8Array(scratchBytes);
  }

  /**
   * Takes the next bytes, whose memory is the reader's from now on: tensors stay in it.
   *
   * @throws FrameError when they are no frame
   */
  push(piece: Uint8Array): void {
    this.#take(piece, true);
  }

  /** Where the next bytes are to be written, for those who read into given memory; `took` says how many they were. */
  space(): Uint8Array {
    return this.#frame?.subarray(this.#used) ?? this.#scratch;
  }

  /** @throws FrameError when the bytes in the space that was given are no frame */
  took(bytes: number): void {
    if (this.#frame === undefined) return this.#take(this.#scratch.subarray(0, bytes), false);
    this.#used += bytes;
    this.#finish(this.#frame);
  }

  #take(piece: Uint8Array, isOwn: boolean): void {
    for (let at = 0; at < piece.length;) {
      if (this.#lengths === undefined) {
        at += this.#readPrefix(piece, at);
        if (this.#lengths === undefined) return;
        at += this.#begin(this.#lengths, piece, at, isOwn);
        continue;
      }
      const frame = this.#frame as Uint8Array;
      const bytes = Math.min(piece.length - at, frame.length - this.#used);
      frame.set(piece.subarray(at, at + bytes), this.#used);
      this.#used += bytes;
      at += bytes;
      this.#finish(frame);
    }
  }

  /** Returns how many bytes it used. */
  #readPrefix(piece: Uint8Array, at: number): number {
    const bytes = Math.min(prefixBytes - this.#prefixUsed, piece.length - at);
    this.#prefix.set(piece.subarray(at, at + bytes), this.#prefixUsed);
    this.#prefixUsed += bytes;
    if (this.#prefixUsed < prefixBytes) return bytes;
    this.#prefixUsed = 0;
    this.#lengths = lengthsIn(this.#prefix);
    return bytes;
  }

  /** A frame that is all there stays where it is. Returns how many bytes it used. */
  #begin(lengths: FrameLengths, piece: Uint8Array, at: number, isOwn: boolean): number {
    const length = lengths.headRoom + lengths.data;
    if (isOwn && piece.length - at >= length) {
      this.#lengths = undefined;
      this.#onFrame(messageIn(piece.subarray(at, at + length), lengths));
      return length;
    }
    this.#frame = Buffer.allocUnsafeSlow(length);
    this.#used = 0;
    return 0;
  }

  #finish(frame: Uint8Array): void {
    if (this.#used < frame.length) return;
    const lengths = this.#lengths as FrameLengths;
    this.#lengths = undefined;
    this.#frame = undefined;
    this.#onFrame(messageIn(frame, lengths));
  }
}
