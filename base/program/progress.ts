/** Shows how a run stands on stderr: one line that is written over on a terminal, a line now and then elsewhere. */

export interface Progress {
  /** Show this now, or leave it out when something was shown only just before. */
  show(text: string | (() => string)): void;
  /** End the line that is written over. */
  end(): void;
}

export function createProgress(stream: NodeJS.WriteStream): Progress {
  const everyMs = stream.isTTY ? 100 : 10_000;
  let shownAtMs = performance.now() - (stream.isTTY ? everyMs : 0);
  return {
    show: (text) => {
      const nowMs = performance.now();
      if (nowMs - shownAtMs < everyMs) return;
      shownAtMs = nowMs;
      const line = typeof text === "string" ? text : text();
      // A line that wraps would not be written over.
      stream.write(stream.isTTY ? `\r\u001b[K${line.slice(0, stream.columns - 1)}` : `${line}\n`);
    },
    end: () => {
      if (stream.isTTY) stream.write("\r\u001b[K");
    },
  };
}

const barLength = 24;

/** A bar and the percentage. @param part that is done, 0 to 1; more counts as 1 */
export function progressBar(part: number): string {
  const done = Math.min(1, part);
  const full = Math.floor(done * barLength);
  const percent = `${Math.floor(done * 100)} %`.padStart(5);
  return `${"█".repeat(full)}${"░".repeat(barLength - full)} ${percent}`;
}
