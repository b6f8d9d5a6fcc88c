/**
 * Wraps the prose of Markdown at a width; code, tables and headings stay as they are.
 *
 *     wrapProse("one two three", 7); // "one two\nthree"
 */
export const proseWidth = 100;

/** A word, with the code spans in it: a space within backquotes parts nothing. */
const words = /(?:`[^`]*`|\S)+/g;
/** What means something else at the beginning of a line. */
const mark = /^(?:[-+*#>|]|\d+[.)])/;

export function wrapProse(text: string, width = proseWidth): string {
  const blocks: string[] = [];
  let paragraph: string[] = [];
  let isCode = false;
  const flush = (): void => {
    if (paragraph.length > 0) blocks.push(...wrapped(paragraph, width));
    paragraph = [];
  };
  for (const line of text.split("\n")) {
    const isFence = line.trimStart().startsWith("```");
    if (isCode || isFence || line.trim() === "" || /^\s*(?:[|#<]|>)/.test(line)) {
      flush();
      blocks.push(line);
      if (isFence) isCode = !isCode;
      continue;
    }
    if (/^\s*(?:[-*]|\d+\.) /.test(line)) flush();
    paragraph.push(line);
  }
  flush();
  return blocks.join("\n");
}

/** The lines of one paragraph, or of one item of a list. */
function wrapped(lines: readonly string[], width: number): string[] {
  const [first = ""] = lines;
  const [, indent = "", bullet = ""] = /^(\s*)((?:[-*]|\d+\.) )?/.exec(first) ?? [];
  const rest = `${indent}${" ".repeat(bullet.length)}`;
  const found = [first.slice(indent.length + bullet.length), ...lines.slice(1)].join(" ").match(words) ?? [];
  const result: string[] = [];
  let current = `${indent}${bullet}`;
  let isEmpty = true;
  for (const word of found) {
    const fits = current.length + (isEmpty ? 0 : 1) + word.length <= width;
    if (!isEmpty && !fits && !mark.test(word)) {
      result.push(current);
      current = rest;
      isEmpty = true;
    }
    current += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...result, current];
}
