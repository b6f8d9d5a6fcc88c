/** Whether a program can do its work, as it answers itself. */

/** Longest time for that answer, in milliseconds. */
const answerTimeoutMs = 2_000;

export async function isReady(readyUrl: string): Promise<boolean> {
  try {
    const reply = await fetch(readyUrl, { signal: AbortSignal.timeout(answerTimeoutMs) });
    await reply.arrayBuffer();
    return reply.ok;
  } catch {
    return false;
  }
}
