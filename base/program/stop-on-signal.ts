/** Ctrl-C for commands that end on their own: the first one lets them end well, a second one ends them at once. */

/** @param waitingFor what still takes time after the first SIGINT or SIGTERM */
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
