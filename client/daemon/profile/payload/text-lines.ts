/**
 * The texts the demo sends, made from a seed: part numbers such as `4735-RAF`. They stand apart from rendering
 * because what a model reads without fail is a matter of its alphabet: chosen here, measured, and not to be widened lightly.
 */
import { checkInteger } from "../../../../base/check-range.ts";
import { seededRandom } from "../../../../base/random.ts";

/** One line of text whose right answers are known before any model sees it. */
export interface TextLine {
  /** Eight characters: four digits, a hyphen, three capitals; neighbours always differ. */
  readonly text: string;
  /** Whether the line is to be drawn turned by 180 degrees. */
  readonly upsideDown: boolean;
}

/** Without 0, 1, 6 and 8, which read as others or the same upside down, and 2, whose readings were weakest. */
const DIGITS = "34579";

/** The capitals measured to read well: without H and N, the same upside down, and J, L, O, misread as others. */
const LETTERS = "ABDEFPRTU";

/** Most lines of one call, about a quarter of the 184,320 possible texts, so drawing again after a repeat stays rare. */
export const MAX_LINES = 50_000;

/**
 * Makes `count` lines with different texts, of which floor(count / 2), at seeded places, are upside down.
 * The same count and seed always give the same lines; other seeds may share texts.
 *
 * @param count 0 to {@link MAX_LINES}
 * @param seed an integer from 0 to 4294967295
 * @throws RangeError when an argument is outside its range
 */
export function createLines(count: number, seed: number): TextLine[] {
  checkInteger("count", count, 0, MAX_LINES);
  const random = seededRandom(seed);
  const texts = new Set<string>();
  while (texts.size < count) texts.add(`${draw(DIGITS, 4, random)}-${draw(LETTERS, 3, random)}`);

  // Selection sampling (Knuth, TAOCP vol. 2, algorithm 3.4.2 S): exactly half, every choice equally likely.
  let linesLeft = count;
  let turnsLeft = Math.floor(count / 2);
  return [...texts].map((text) => {
    const upsideDown = random() * linesLeft < turnsLeft;
    linesLeft -= 1;
    if (upsideDown) turnsLeft -= 1;
    return { text, upsideDown };
  });
}

/** Draws characters, none equal to the one before it: a CTC reader tends to merge a doubled character into one. */
function draw(alphabet: string, length: number, random: () => number): string {
  let drawn = "";
  while (drawn.length < length) {
    const character = alphabet.charAt(Math.floor(random() * alphabet.length));
    if (!drawn.endsWith(character)) drawn += character;
  }
  return drawn;
}
