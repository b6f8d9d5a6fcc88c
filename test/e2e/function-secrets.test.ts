/** What the queue keeps to itself, as a process: secrets, also when functions repeat them, and an SDK that nobody uses. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { packReply } from "../../protocol/envelope.ts";
import { executable } from "../support/built.ts";
import { scripted } from "../support/wired-targets.ts";

const secrets = {
  ALIBABA_CLOUD_ACCESS_KEY_SECRET: "Secret0fTheAccessKey",
  ALIBABA_CLOUD_SECURITY_TOKEN: "Token0fTheSession/+==",
  FUNCTION_BEARER_TOKEN: "Token0fTheBearer.~",
};

/** An edge that knows a model and cannot serve it. */
const brokenEdge: RequestListener = ({ url }, response) => {
  const input = { name: "x", datatype: "FP32", shape: [-1, 2] };
  const metadata = { name: "m", platform: "p", inputs: [input], outputs: [input] };
  if (url === "/v2/repository/index") response.end('[{"name":"m","state":"READY"}]');
  else if (url === "/v2/models/m") response.end(JSON.stringify(metadata));
  else response.writeHead(503).end('{"error":"no replica"}');
};

/** Answers with all that it was sent to prove who calls, in every form in which functions fail. */
function telltale(seen: Set<string>): RequestListener {
  let calls = 0;
  return ({ headers, socket }, response) => {
    const { authorization = "", "x-acs-security-token": token = "" } = headers;
    const told = `${String(token)} ${authorization} ${JSON.stringify(headers)}`;
    seen.add(told);
    switch (calls++ % 7) {
      case 0:
        response
          .writeHead(403)
          .end(JSON.stringify({ Code: "SignatureNotMatch", Message: told, RequestId: "1" }));
        break;
      case 1:
        response.writeHead(502).end(told);
        break;
      case 2:
        response.writeHead(200, { "x-fc-error-type": "UnhandledInvocationError" }).end(told);
        break;
      case 3:
        response
          .writeHead(500)
          .end(JSON.stringify({ error: told, Code: "InternalServerError", Message: told }));
        break;
      case 4:
        response.end(
          packReply({ status: 500, wire: { body: Buffer.from(JSON.stringify({ error: told })) } }),
        );
        break;
      case 5:
        socket.destroy();
        break;
      default:
        response.writeHead(200, { "inference-header-content-length": "x" }).end(told);
    }
  };
}

it("shows no secret in its log, its record, its answers or what it tells of itself, whatever functions answer", async () => {
  const seen = new Set<string>();
  const edge = await scripted(brokenEdge);
  // Not an address for which the local host's key would be used.
  const platform = (await scripted(telltale(seen))).replace("127.0.0.1", "0.0.0.0");
  const large = await scripted(telltale(seen));
  const folder = mkdtempSync(join(tmpdir(), "spillway-secrets-"));
  const record = join(folder, "record.ndjson");
  const menu = `small=0.5x1024,large=2x4096@${large}`;
  const flags = ["--port", "0", "--edge", edge, "--fc-endpoint", platform, "--functions", menu];
  const more = ["--function-auth", "bearer", "--record", record, "--log-level", "debug", "--slo", "0.5"];
  const daemon = spawn(process.execPath, [executable, "vqueue", ...flags, ...more], {
    env: { ...process.env, ...secrets, ALIBABA_CLOUD_ACCESS_KEY_ID: "key" },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  let output = "";
  daemon.stdout?.on("data", (text) => (output += text));
  daemon.stderr?.on("data", (text) => (output += text));
  const [{ url }] = (await once(daemon, "message")) as [{ url: string }];
  const body = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}]}';
  const answers = await Promise.all([
    ...Array.from({ length: 8 }, () => fetch(`${url}/v2/models/m/infer`, { method: "POST", body })),
    ...["/metrics", "/admin/status", "/admin/spend", "/v2/health/ready"].map((path) => fetch(url + path)),
  ]);
  for (const answer of answers) output += await answer.text();
  daemon.kill("SIGTERM");
  await once(daemon, "close");
  output += readFileSync(record, "utf8");
  rmSync(folder, { recursive: true });

  const told = [...seen].join("\n");
  expect(told).toContain(secrets.ALIBABA_CLOUD_SECURITY_TOKEN);
  expect(told).toContain(secrets.FUNCTION_BEARER_TOKEN);
  expect(output).toContain("[secret]");
  // Not even a piece of one.
  expect(output).not.toContain("0fThe");
}, 60_000);

it("loads the vendor's SDK with the first call that needs it, and never for functions with a URL", () => {
  const dist = (path: string): string => JSON.stringify(new URL(`../../dist/${path}`, import.meta.url).href);
  const script = `
    import { createRequire } from "node:module";
    import ${dist("index.js")};
    import { connectTargets } from ${dist("client/daemon/connect.js")};
    import { readPriceSheet } from ${dist("serverless/prices/price-sheet-files.js")};
    import { daemonOptions } from ${dist("client/daemon/options.js")};
    import { SpendCap } from ${dist("client/targets/spend-cap.js")};
    const limits = { perHour: Infinity, perDay: Infinity };
    const cap = new SpendCap({ limits, currency: "CNY", longestCallMs: 1, nowMs: 0 });
    const require = createRequire(import.meta.url);
    const isLoaded = () => Object.keys(require.cache).some((path) => path.includes("@alicloud"));
    const options = daemonOptions.parse({ fcEndpoint: "http://127.0.0.1:1" });
    const edge = { name: "edge", url: "http://127.0.0.1:1" };
    const size = { name: "f", vcpu: 1, memoryMib: 1024 };
    for (const url of ["http://127.0.0.1:1", undefined]) {
      const { all, close } = connectTargets(options, [edge], [{ ...size, url }], readPriceSheet(options.prices), cap);
      const end = await all[1].call("m", { body: new Uint8Array(8) }, 5000).catch(({ code }) => code);
      console.log(end, isLoaded());
      await close();
    }`;
  const options = { encoding: "utf8", cwd: fileURLToPath(new URL("../..", import.meta.url)) } as const;
  const printed = execFileSync(process.execPath, ["--input-type=module", "-e", script], options);
  expect(printed).toBe("target_unreachable false\ntarget_unreachable true\n");
});
