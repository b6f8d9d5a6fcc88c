/** Replays `spillway` as the JSON of the first argument says, and prints what it came to as JSON: a process of `npm run results`. */
import { type OwnRun, runOwn } from "./results/own-run.ts";

const run = JSON.parse(process.argv[2] ?? "") as OwnRun;
process.stdout.write(JSON.stringify(await runOwn(run)));
