/** What a long command shows on stderr while it runs, and how Ctrl-C stops it. */

export interface Progress {
  /** Show this now, unless something was shown a moment ago. */
  show(text: string | (() => string)): void;
  /** Clear the line that is written over. */
  end(): void;
}

/** On a terminal one line is written over; elsewhere a line is written every ten seconds. */
export function createProgress(stream: NodeJS.WriteStream): Progress {
  const everyMs = stream.isTTY ? 100 : 10_000;
  let shownAtMs = performance.now() - (stream.isTTY ? everyMs : 0);
  return {
    show: (text) => {
      const nowMs = performance.now();
      if (nowMs - shownAtMs < everyMs) return;
      shownAtMs = nowMs;
      const line = typeof text === "string" ? text : text();
      // A wrapped line would not be written over.
      stream.write(stream.isTTY ? `\r\u001b[K${line.slice(0, stream.columns - 1)}` : `${line}\n`);
    },
    end: () => {
      if (stream.isTTY) stream.write("\r\u001b[K");
    },
  };
}

const barLength = 24;

/** A bar and the percentage. @param part what is done, 0 to 1; more counts as 1 */
export function progressBar(part: number): string {
  const done = Math.min(1, part);
  const full = Math.floor(done * barLength);
  const percent = `${Math.floor(done * 100)} %`.padStart(5);
  return `${"█".repeat(full)}${"░".repeat(barLength - full)} ${percent}`;
}

/**
 * A signal that is aborted by the first SIGINT or SIGTERM; the second one ends the program at once.
 *
 * @param waitingFor what the program still finishes after the first
 */
export function stopOnSignal(waitingFor: string): AbortSignal {
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(130);
    process.stderr.write(`\nstopping: ${waitingFor}\n`);
    stop.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return stop.signal;
}
