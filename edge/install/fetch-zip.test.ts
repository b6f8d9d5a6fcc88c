import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fetchZip, readDigest } from "./fetch-zip.ts";
import { isPrivateAddress, publicLookup } from "./guarded-address.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-fetch-"));
const content = Buffer.from("a zip, as far as this test cares");
const hex = createHash("sha256").update(content).digest("hex");
const digest = readDigest("sha256", hex);
const limits = { allowedHosts: ["127.0.0.1", "localhost"], maxBytes: 1_000 };
const none = { ...limits, allowedHosts: [] };
let server: Server;
let url = "";
let files = 0;
const newPath = (): string => join(folder, String(++files));

const answer: RequestListener = (request, response) => {
  if (request.url === "/moved") response.writeHead(302, { location: "/model.zip" }).end();
  else if (request.url === "/large") response.writeHead(200).end(Buffer.alloc(2_000));
  else if (request.url === "/cut") response.writeHead(200, { "content-length": "500" }).end("x").destroy();
  else if (request.url === "/model.zip") response.end(content);
  else response.writeHead(404).end();
};

beforeAll(async () => {
  server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

it("takes what a host that is allowed by name has, when its checksum is right", async () => {
  for (const host of [url, url.replace("127.0.0.1", "localhost")]) {
    const path = newPath();
    await fetchZip(`${host}/model.zip`, digest, path, limits);
    expect(readFileSync(path)).toEqual(content);
  }
});

it("takes a file by its path, with or without a checksum", async () => {
  const source = join(folder, "source.zip");
  writeFileSync(source, content);
  await fetchZip(source, undefined, newPath(), limits);
  const md5 = readDigest("md5", createHash("md5").update(content).digest("base64"));
  await fetchZip(source, md5, newPath(), limits);
  await expect(fetchZip(join(folder, "gone.zip"), undefined, newPath(), limits)).rejects.toThrow(
    /ENOENT.*gone\.zip/,
  );
  await expect(fetchZip("/dev/zero", undefined, newPath(), limits)).rejects.toThrow(
    "/dev/zero is not a file",
  );
});

it.each([
  ["/model.zip", readDigest("sha256", "00".repeat(32)), /has sha256 [0-9a-f]{64}; expected 0{64}/],
  ["/model.zip", undefined, /needs a sha256 or md5/],
  ["/moved", digest, /status 302/],
  ["/nothing", digest, /status 404/],
  ["/large", digest, /too large; allowed: at most 1000 bytes|2000 bytes/],
  ["/cut", digest, /aborted|hang up|closed|terminated/],
])("refuses %s", async (path, expected, message) => {
  await expect(fetchZip(`${url}${path}`, expected, newPath(), limits)).rejects.toThrow(message);
});

it.each([
  "http://example.com/model.zip",
  "https://127.0.0.1/model.zip",
  "https://localhost/model.zip",
  "https://0x7f.1/model.zip",
  "https://2130706433/model.zip",
  "https://[::1]/model.zip",
  "https://[::ffff:127.0.0.1]/model.zip",
  "https://[::ffff:a9fe:a9fe]/model.zip",
  "https://169.254.169.254/latest",
  "https://0.0.0.0/model.zip",
  "https://10.1.2.3/model.zip",
  "https://192.168.1.1/model.zip",
  "https://172.20.0.1/model.zip",
  "https://[fe80::1]/model.zip",
  "https://[fd00::1]/model.zip",
  "file:///etc/passwd",
  "ftp://example.com/model.zip",
  "relative/model.zip",
])("asks nothing of %s", async (source) => {
  await expect(fetchZip(source, digest, newPath(), none)).rejects.toThrow(
    /not public|for hosts allowed by name|neither an absolute path nor a URL/,
  );
});

it("knows private addresses from public ones", () => {
  for (const address of [
    "127.0.0.1",
    "10.0.0.1",
    "::1",
    "::ffff:10.0.0.1",
    "fe80::1",
    "100.64.0.1",
    "255.255.255.255",
  ])
    expect([address, isPrivateAddress(address)]).toEqual([address, true]);
  for (const address of ["1.1.1.1", "93.184.216.34", "2606:4700::1111"])
    expect([address, isPrivateAddress(address)]).toEqual([address, false]);
});

it("fails the look-up of a name that is this machine's", async () => {
  const error = await new Promise((resolve) => publicLookup("localhost", {}, resolve));
  expect(String(error)).toMatch(/localhost is (127\.0\.0\.1|::1), which is not public/);
});

it("reads checksums in hexadecimal and in base64, and no others", () => {
  const bytes = Buffer.from(hex, "hex");
  expect(readDigest("sha256", hex.toUpperCase()).bytes).toEqual(bytes);
  expect(readDigest("sha256", bytes.toString("base64")).bytes).toEqual(bytes);
  for (const wrong of ["", "zz", hex.slice(2), `${hex}00`, bytes.toString("base64").slice(4)])
    expect(() => readDigest("sha256", wrong)).toThrow(/allowed: 32 bytes in hexadecimal or base64/);
});
