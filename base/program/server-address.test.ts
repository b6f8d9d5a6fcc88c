import { expect, it } from "vitest";
import { serverAddress } from "./server-address.ts";

it.each([
  ["http://127.0.0.1:8000", "http://127.0.0.1:8000"],
  ["http://127.0.0.1:8000/", "http://127.0.0.1:8000"],
  ["http://127.0.0.1:8000/v2", "http://127.0.0.1:8000"],
  ["http://127.0.0.1:8000/v2/", "http://127.0.0.1:8000"],
  ["127.0.0.1:8000", "http://127.0.0.1:8000"],
  ["127.0.0.1:8000/v2", "http://127.0.0.1:8000"],
  ["localhost:8000", "http://localhost:8000"],
  ["localhost", "http://localhost"],
  ["edge:8000", "http://edge:8000"],
  ["jetson.local", "http://jetson.local"],
  ["[::1]:8000", "http://[::1]:8000"],
  [" HTTP://Host.Example:80/ ", "http://host.example"],
  ["https://host/models/a/v2", "https://host/models/a"],
  ["host.example/models//v2//", "http://host.example/models"],
  ["https://host/v2a", "https://host/v2a"],
])("understands %s", (given, url) => {
  expect(serverAddress(given)).toBe(url);
});

it.each([
  ["", "an http(s) URL"],
  ["near", "an http(s) URL"],
  ["a b.c", "an http(s) URL"],
  ["http://", "an http(s) URL"],
  ["http://a:99999", "an http(s) URL"],
  ["a.b:port", "an http(s) URL"],
  ["ftp://a", "http:// or https://"],
  ["grpc://a:8001", "http:// or https://"],
  ["http://user:word@a", "without user and password"],
  ["user@a.b:80", "an http(s) URL"],
  ["http://a/?x=1", "without ? and #"],
  ["http://a?", "without ? and #"],
  ["a.b#part", "without ? and #"],
  ["http://a/v2/models/m", "ends before or with /v2"],
])("refuses %j in one line", (given, allowed) => {
  expect(() => serverAddress(given)).toThrow(allowed);
});
