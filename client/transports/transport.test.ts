import { expect, it } from "vitest";
import { wasNeverConnected } from "./transport.ts";

const failed = (code: string, syscall?: string): Error => Object.assign(new Error(code), { code, syscall });

it.each([
  ["a refused connection", failed("ECONNREFUSED", "connect"), true],
  ["a name that is not known", failed("ENOTFOUND", "getaddrinfo"), true],
  ["no way to the host when connecting", failed("EHOSTUNREACH", "connect"), true],
  ["no way to the host on a connection, where the call may run", failed("EHOSTUNREACH", "read"), false],
  ["no way to the network on a connection", failed("ENETUNREACH", "write"), false],
  ["no way to the network, and nobody knows when", failed("ENETUNREACH"), false],
  ["a reset", failed("ECONNRESET", "read"), false],
  ["one that caused another", new Error("failed", { cause: failed("ENETUNREACH", "connect") }), true],
  [
    "several addresses of which none can be reached",
    new AggregateError([failed("ENETUNREACH", "connect"), failed("ECONNREFUSED", "connect")]),
    true,
  ],
])("knows whether a call could have gone out before %s", (_, error, expected) => {
  expect(wasNeverConnected(error)).toBe(expected);
});
