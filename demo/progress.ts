/** Shows how a run stands on stderr: one line that is written over on a terminal, a line now and then elsewhere. */

export interface Progress {
  /** Show this now, or leave it out when something was shown only just before. */
  show(text: string): void;
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
      stream.write(stream.isTTY ? `\r\u001b[K${text}` : `${text}\n`);
    },
    end: () => {
      if (stream.isTTY) stream.write("\r\u001b[K");
    },
  };
}
