/** Parts of error messages: the value that was given, the name that was probably meant, why a file cannot be used. */

const mostShownChars = 60;

/** Most characters of a text of somebody else's within an error. */
const mostQuotedChars = 100;

/**
 * A text without what stands before the `@` of a URL, which may be a password, however broken the URL is.
 *
 * @example
 * withoutUserInfo("nats://ann:secret@10.0.0.5"); // "nats://...@10.0.0.5"
 */
export function withoutUserInfo(text: string): string {
  return text.replaceAll(/[^\s"]+/g, (word) => {
    const [from, to] = [word.indexOf("://") + 3, word.lastIndexOf("@")];
    return from < 3 || to < from ? word : `${word.slice(0, from)}...${word.slice(to)}`;
  });
}

/** A text of somebody else's, cut to 100 characters, for the middle of an error message. */
export function shortened(text: string): string {
  return text.length <= mostQuotedChars ? text : `${text.slice(0, mostQuotedChars)}...`;
}

/** Describe a value that somebody sent in about 80 characters, without walking through nested values. */
export function showValue(value: unknown): string {
  if (typeof value === "string") {
    const shown = JSON.stringify(withoutUserInfo(value).slice(0, mostShownChars));
    return value.length <= mostShownChars ? shown : `${shown}... (${value.length} characters)`;
  }
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (Object.is(value, -0)) return "-0";
  if (typeof value === "bigint") return String(value);
  if (value === null || typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** The fewest letters to insert, remove or replace to turn one name into the other (Levenshtein 1966). */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** The known name with the fewest edits to the given one, the first of equals; undefined when none is known. */
export function nearestName(
  name: string,
  known: readonly string[],
): { readonly name: string; readonly edits: number } | undefined {
  const byEdits = known.map((candidate) => ({ name: candidate, edits: editDistance(name, candidate) }));
  return byEdits.toSorted((a, b) => a.edits - b.edits)[0];
}

/** The end of a message about an unknown name: `; did you mean "port"?`, or nothing when no name is known. */
export function didYouMean(name: string, known: readonly string[]): string {
  // Comparing takes time with the length of both.
  const nearest = name.length > mostQuotedChars ? undefined : nearestName(name, known);
  return nearest === undefined ? "" : `; did you mean "${nearest.name}"?`;
}

const fileReasons: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  ENOTDIR: "no such file; a part of the path is not a folder",
  EISDIR: "is a folder, not a file",
  EACCES: "no permission",
  EPERM: "no permission",
};

/** @param error what opening or reading the file threw; an error that is not about files keeps its message */
export function whyUnreadable(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return fileReasons[code ?? ""] ?? message;
}

/** @param error what opening the file for writing threw; "not found" then means the folder */
export function whyUnwritable(error: unknown): string {
  return (error as NodeJS.ErrnoException).code === "ENOENT" ? "no such folder" : whyUnreadable(error);
}
