/** One line of what `doctor` has found. */

export interface Finding {
  /** What it is about, such as `node`. */
  readonly about: string;
  readonly text: string;
  /** Whether something will not work as it is. */
  readonly isFault: boolean;
}

export function fact(about: string, text: string): Finding {
  return { about, text, isFault: false };
}

export function fault(about: string, text: string): Finding {
  return { about, text, isFault: true };
}
