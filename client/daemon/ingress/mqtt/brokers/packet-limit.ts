/**
 * Looks at the head of each packet of MQTT that a device sends, and refuses those that are too long before their bytes are
 * kept: the parser of the embedded broker takes up to 256 MiB.
 */
import { Transform, type TransformCallback } from "node:stream";

/** Bytes that the length of a packet may take. */
const mostLengthBytes = 4;

export class PacketTooLong extends Error {}

export class PacketLimit extends Transform {
  readonly #mostBytes: number;
  /** Bytes of the packet that are still to come. */
  #left = 0;
  /** Bytes of the head that have come: one of the kind, then those of the length. */
  #headBytes = 0;
  #length = 0;

  /** @param mostBytes of a packet without its head */
  constructor(mostBytes: number) {
    super();
    this.#mostBytes = mostBytes;
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, chunk.length - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      const byte = chunk[at++] as number;
      if (this.#headBytes++ === 0) continue;
      this.#length += (byte & 0x7f) * 128 ** (this.#headBytes - 2);
      const isLast = byte < 0x80;
      if (this.#length > this.#mostBytes || (!isLast && this.#headBytes > mostLengthBytes))
        return done(new PacketTooLong(`a packet has more than ${this.#mostBytes} bytes`));
      if (!isLast) continue;
      this.#left = this.#length;
      this.#headBytes = this.#length = 0;
    }
    done(null, chunk);
  }
}
