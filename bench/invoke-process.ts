/** The server of `bench/invoke.ts`, in its own process: it sends each body back in the form of the caller. */
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
