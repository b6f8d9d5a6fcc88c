/**
 * A V2 server that does nothing, in its own process: it reads each request to its end and always gives the same answer.
 * The rate that a load reaches against it is the limit of the load generator.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const answer = JSON.stringify({
  model_name: "no-op",
  outputs: [{ name: "y", datatype: "FP32", shape: [1, 1], data: [0] }],
});
const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(answer) };

const server = createServer((request, response) => {
  request.on("end", () => response.writeHead(200, headers).end(answer)).resume();
});
server.listen(0, "127.0.0.1", () => {
  process.send?.((server.address() as AddressInfo).port);
});
// Nobody else would end it after its parent.
process.on("disconnect", () => process.exit(0));
