/** The server that `bench/invoke.ts` calls, as a process of its own: sends each body back, in the form of whoever asks. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { packReply, unpackCall } from "../protocol/envelope.ts";

const server = createServer((request, response) => {
  void buffer(request).then((body) => {
    const isInvocation = request.url?.startsWith("/2023-03-30/") === true;
    response.end(isInvocation ? packReply({ status: 200, wire: unpackCall(body).wire }) : body);
  });
});
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.on("disconnect", () => process.exit());
