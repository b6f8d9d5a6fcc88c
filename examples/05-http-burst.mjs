/**
 * A burst of requests through the daemon's HTTP API, in any language that has HTTP: plain V2, each with its own
 * deadline. What was decided is in the parameters of the answers.
 *
 *     npx spillway edge --load ocr-cls
 *     npx spillway vqueue --edge http://127.0.0.1:8000 --no-serverless
 *     node examples/05-http-burst.mjs http://127.0.0.1:8080
 *
 * Prints how each request ended: its status, where it was answered, with how many rows, and how long it waited.
 */
const [url = "http://127.0.0.1:8080"] = process.argv.slice(2);
const shape = [1, 3, 48, 192];
const data = Array.from({ length: 3 * 48 * 192 }, () => 0);

async function ask(id, timeoutMs) {
  const response = await fetch(`${url}/v2/models/ocr-cls/infer`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      id: String(id),
      // In microseconds, as Triton has it; it takes the place of the queue's SLO.
      parameters: { timeout: timeoutMs * 1_000 },
      inputs: [{ name: "x", datatype: "FP32", shape, data }],
    }),
  });
  const answer = await response.json();
  if (response.status !== 200) return `${response.status} ${answer.error}`;
  const { spillway_target, spillway_batch_rows, spillway_waited_ms } = answer.parameters;
  return `200 from ${spillway_target}, ${spillway_batch_rows} rows, waited ${Math.round(spillway_waited_ms)} ms`;
}

const burst = Array.from({ length: 12 }, (_, id) => ask(id, 5_000));
// This one cannot be served in time, and is told so.
burst.push(ask("hurried", 1));
for (const [id, end] of (await Promise.all(burst)).entries()) console.log(`request ${id}: ${end}`);
