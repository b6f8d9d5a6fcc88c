/** Why a file cannot be used, in words: what the system says is a code, a name of a call, and the path once more. */

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  ENOTDIR: "no such file; a part of the path is not a folder",
  EISDIR: "is a folder, not a file",
  EACCES: "no permission",
  EPERM: "no permission",
};

/** @param error what opening or reading the file threw; one that is not about files keeps its message */
export function whyUnreadable(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return reasons[code ?? ""] ?? message;
}

/** @param error what opening the file for writing threw: then a missing file is no fault, a missing folder is */
export function whyUnwritable(error: unknown): string {
  return (error as NodeJS.ErrnoException).code === "ENOENT" ? "no such folder" : whyUnreadable(error);
}
