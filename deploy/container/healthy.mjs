/** Ends with 0 when an address answers with success or asks for a token, else with 1 and the reason: `node healthy.mjs URL`. */
const [url] = process.argv.slice(2);
try {
  const { ok, status } = await fetch(url, { signal: AbortSignal.timeout(2_500) });
  if (!ok && status !== 401) throw new Error(`${url} answers ${status}`);
} catch (error) {
  console.error(error.cause?.message ?? error.message);
  process.exitCode = 1;
}
