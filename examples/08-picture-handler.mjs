/**
 * A handler of your own for pictures: `examples/models/shades/handler.js` decodes and resizes with the tools that it is given,
 * and `/predict` answers its JSON.
 *
 *     npx spillway edge --models examples/models
 *     node examples/08-picture-handler.mjs http://127.0.0.1:8000 a.jpg b.png
 *
 * Prints the mean colour of each picture.
 */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";

const [url = "http://127.0.0.1:8000", ...paths] = process.argv.slice(2);
const form = new FormData();
for (const path of paths) form.append("file", new Blob([await readFile(path)]));
const response = await fetch(`${url}/v2/models/shades/predict`, { method: "POST", body: form });
const { predictions, error } = await response.json();
if (error !== undefined) throw new Error(error);
for (const [index, { shade }] of predictions.entries()) {
  const { width, height, red, green, blue } = shade;
  console.log(`${basename(paths[index])}: ${width} x ${height}, rgb(${red}, ${green}, ${blue})`);
}
