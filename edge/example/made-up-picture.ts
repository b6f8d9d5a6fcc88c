/** A picture to try a model with that takes files: a PNG of coarse colours under fine noise, about as large as a small photograph. */
import { crc32, deflateSync } from "node:zlib";
import { seededRandom } from "../../base/random.ts";

const [widthPx, heightPx] = [320, 240];
/** Edge of the squares of one colour, and how many values the noise on them has. */
const squarePx = 40;
const noise = 4;
const seed = 7;
const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

let made: Buffer | undefined;

/** The same bytes at each call. */
export function madeUpPicture(): Uint8Array {
  made ??= Buffer.concat([
    signature,
    chunk("IHDR", header()),
    chunk("IDAT", deflateSync(pixelLines())),
    chunk("IEND", Buffer.alloc(0)),
  ]);
  return made;
}

/** Eight bits for each of red, green and blue. */
function header(): Buffer {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(widthPx, 0);
  data.writeUInt32BE(heightPx, 4);
  data.set([8, 2, 0, 0, 0], 8);
  return data;
}

/** Each line begins with a byte that says how it is filtered: not at all. */
function pixelLines(): Buffer {
  const random = seededRandom(seed);
  const across = Math.ceil(widthPx / squarePx);
  const squares = Array.from({ length: across * Math.ceil(heightPx / squarePx) * 3 }, () => random() * 250);
  const lines = Buffer.alloc(heightPx * (1 + 3 * widthPx));
  let at = 0;
  for (let y = 0; y < heightPx; y++) {
    at++;
    for (let x = 0; x < widthPx; x++) {
      const square = 3 * (Math.floor(y / squarePx) * across + Math.floor(x / squarePx));
      for (let colour = 0; colour < 3; colour++)
        lines[at++] = (squares[square + colour] as number) + random() * noise;
    }
  }
  return lines;
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, check]);
}
