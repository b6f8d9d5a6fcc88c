/**
 * People and an archive at one queue: the same requests in two lanes. The archive is there first with 400 rows; the
 * people's requests overtake all of it that still waits.
 *
 *     npx spillway edge --models examples/models
 *     npx spillway vqueue --edge http://127.0.0.1:8000 --no-serverless --lanes people=5@0.999,archive=600 --join-rows shout
 *     node examples/09-lanes.mjs http://127.0.0.1:8080
 *
 * Prints whether the people were answered before the archive, and what the queue says of each lane.
 */
const [url = "http://127.0.0.1:8080"] = process.argv.slice(2);

/** Resolves with the rows of the answer, and when it came. */
async function ask(lane, texts) {
  const response = await fetch(`${url}/v2/models/shout/infer`, {
    method: "POST",
    // Who asks is the tenant: tenants of one lane share the edges row by row.
    headers: { "spillway-lane": lane, "spillway-tenant": `${lane}-example` },
    body: JSON.stringify({
      inputs: [{ name: "text", datatype: "BYTES", shape: [texts.length], data: texts }],
    }),
  });
  const answer = await response.json();
  if (response.status !== 200) throw new Error(`${response.status} ${answer.error}`);
  return { rows: answer.outputs[0].data.length, atMs: performance.now() };
}

const archive = ask(
  "archive",
  Array.from({ length: 400 }, (_, row) => `old letter ${row}`),
);
// Once the archive is in the queue.
await new Promise((resolve) => setTimeout(resolve, 20));
const people = await Promise.all(["good morning", "good evening"].map((text) => ask("people", [text])));
const { rows, atMs } = await archive;

const isFirst = people.every((answer) => answer.atMs <= atMs);
console.log(`people: 2 answers, ${isFirst ? "before the archive's" : "after the archive's"}`);
console.log(`archive: one answer of ${rows} rows`);
const { lanes } = await (await fetch(`${url}/admin/status`)).json();
for (const [name, { sloMs, sloQuantile, recent }] of Object.entries(lanes)) {
  if (recent.requests === 0) continue;
  const share = `${(100 * recent.inSloShare).toFixed(0)} % in time`;
  console.log(`${name}: ${share}, promised are ${100 * sloQuantile} % within ${sloMs / 1_000} s`);
}
