/**
 * Submit now, collect later: 50 rows as one job. The daemon answers at once with a URL, and has the results in order,
 * each row in one line, also where a row has none.
 *
 *     npx spillway edge --models examples/models
 *     npx spillway vqueue --edge http://127.0.0.1:8000 --no-serverless --join-rows shout
 *     node examples/10-jobs.mjs http://127.0.0.1:8080
 *
 * Prints what the daemon answers, the first and the last result, and how the job ended; then it forgets the job.
 */
const [url = "http://127.0.0.1:8080"] = process.argv.slice(2);

/** One row a line: the value of the model's only input. */
const rows = Array.from({ length: 50 }, (_, row) => JSON.stringify(`letter ${row}`)).join("\n");
const taken = await fetch(`${url}/v2/models/shout/jobs`, {
  method: "POST",
  headers: { "content-type": "application/x-ndjson" },
  body: rows,
});
const job = await taken.json();
if (taken.status !== 202) throw new Error(`${taken.status} ${job.error}`);
console.log(`taken: ${job.rows} rows, ${job.state}`);

// The lines come as they are ready, and end with the job. After an interruption go on with ?from=ROW.
const stream = await fetch(url + job.url, { headers: { accept: "application/x-ndjson" } });
const lines = (await stream.text())
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line));
for (const line of [lines[0], lines.at(-1)])
  console.log(`row ${line.row}: ${line.error ?? line.outputs[0].data[0]}`);

const { jobs, total } = await (await fetch(`${url}/v2/jobs?limit=10`)).json();
const own = jobs.find(({ id }) => id === job.id);
console.log(`${own.state}: ${own.done} of ${own.rows} rows, ${own.failed} failed; jobs here: ${total}`);
await fetch(url + job.url, { method: "DELETE" });
