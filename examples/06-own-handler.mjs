/**
 * A handler of your own at the edge: `models/shout/handler.js` turns what clients send into what a model takes, or, as
 * here, is the model.
 *
 *     npx spillway edge --models examples/models
 *     node examples/06-own-handler.mjs http://127.0.0.1:8000
 *
 * Prints the texts that come back.
 */
const [url = "http://127.0.0.1:8000"] = process.argv.slice(2);
const response = await fetch(`${url}/v2/models/shout/infer`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({
    inputs: [{ name: "text", datatype: "BYTES", shape: [2], data: ["hello", "world"] }],
  }),
});
const { outputs } = await response.json();
for (const text of outputs[0].data) console.log(text);
