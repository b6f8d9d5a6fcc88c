// @module-tag slow
/** Which jobs a caller sees, and what metrics and status tell of all of them. */
import { createHash } from "node:crypto";
import { afterEach, expect, it } from "vitest";
import { AccessGate } from "../../../../base/access/access-gate.ts";
import { apiKeysIn } from "../../../../base/access/api-keys.ts";
import { tensorFromNumbers } from "../../../../protocol/tensor.ts";
import { smallDaemon } from "../../../../test/support/small-daemon.ts";
import { createV2Ingress } from "../v2.ts";
import { Jobs, type JobsOptions } from "./jobs.ts";

let opened: Jobs[] = [];
afterEach(async () => {
  await Promise.all(opened.map((jobs) => jobs.close()));
  opened = [];
});

const metadata = {
  name: "one",
  inputs: [{ name: "x", datatype: "FP32" as const, shape: [-1] }],
  outputs: [{ name: "y", datatype: "FP32" as const, shape: [-1] }],
};

interface Listed {
  readonly total: number;
  readonly jobs: readonly {
    readonly id: string;
    readonly url: string;
    readonly model: string;
    readonly state: string;
    readonly rows: number;
    readonly done: number;
    readonly input_bytes: number;
    readonly result_bytes: number;
  }[];
}

async function appOf(bounds: Partial<JobsOptions> = {}, gate?: AccessGate) {
  const serve = ({ inputs: [x] }: { inputs: readonly { shape: readonly number[] }[] }) => {
    const rows = x?.shape[0] ?? 1;
    return [
      tensorFromNumbers(
        "y",
        "FP32",
        [rows],
        Array.from({ length: rows }, () => 1),
      ),
    ];
  };
  const { daemon } = await smallDaemon({ metadata, serve });
  const usual = { mostJobs: 8, mostBytes: 2 ** 20, keepMs: 60_000, timeoutMs: 20_000, mostRows: 64 };
  const jobs = new Jobs({ daemon, ...usual, ...bounds });
  opened.push(jobs);
  const app = createV2Ingress(daemon, {
    maxBodyBytes: 2 ** 20,
    onFault: () => {},
    jobs,
    ...(gate && { gate }),
  });
  const post = async (body: string, headers: Record<string, string> = {}): Promise<string> => {
    const type = { "content-type": "application/x-ndjson" };
    const answer = await app.request("/v2/models/one/jobs", {
      method: "POST",
      body,
      headers: { ...type, ...headers },
    });
    const { id = String(answer.status) } = (await answer.json()) as { id?: string };
    return id;
  };
  const list = async (headers: Record<string, string> = {}, path = "/v2/jobs"): Promise<Listed> =>
    (await (await app.request(path, { headers })).json()) as Listed;
  const idsOf = async (headers: Record<string, string> = {}, path?: string): Promise<string[]> =>
    (await list(headers, path)).jobs.map(({ id }) => id);
  const hasEnded = (headers: Record<string, string> = {}) =>
    expect.poll(async () => (await list(headers)).jobs.every(({ state }) => state !== "running")).toBe(true);
  return { app, jobs, post, list, idsOf, hasEnded };
}

it("lists the jobs of the tenant that asks, and nobody else's, the latest first", async () => {
  const { post, list, idsOf, hasEnded } = await appOf();
  const [a, b] = [{ "spillway-tenant": "a" }, { "spillway-tenant": "b" }];
  const first = await post("1\n2\n3\n", a);
  const others = await post("1\n", b);
  const second = await post("1\n", a);
  const nobodys = await post("1\n");
  expect(await idsOf(a)).toEqual([second, first]);
  expect(await idsOf(b)).toEqual([others]);
  expect(await idsOf()).toEqual([nobodys]);
  await hasEnded(a);
  const { total, jobs } = await list(a, "/v2/models/one/jobs");
  expect([total, jobs.length]).toEqual([2, 2]);
  expect(jobs[1]).toMatchObject({
    id: first,
    url: `/v2/models/one/jobs/${first}`,
    model: "one",
    state: "done",
    rows: 3,
    done: 3,
    input_bytes: 0,
  });
  expect(jobs[1]?.result_bytes).toBeGreaterThan(0);
});

it("gives a list of at most so many, from where it is asked, and an error for other bounds and models", async () => {
  const { app, post, list, idsOf } = await appOf();
  const ids: string[] = [];
  for (let nth = 0; nth < 5; nth++) ids.unshift(await post("1\n"));
  expect(await idsOf({}, "/v2/jobs?limit=2")).toEqual(ids.slice(0, 2));
  expect(await idsOf({}, "/v2/jobs?from=3&limit=1000")).toEqual(ids.slice(3));
  expect((await list({}, "/v2/jobs?limit=0")).total).toBe(5);
  const told = async (path: string) => {
    const answer = await app.request(path);
    return [answer.status, ((await answer.json()) as { error: string }).error];
  };
  expect(await told("/v2/jobs?limit=1001")).toEqual([
    400,
    'limit is "1001"; allowed: integers from 0 to 1000',
  ]);
  expect(await told("/v2/jobs?from=x")).toEqual([400, 'from is "x"; allowed: integers from 0']);
  expect((await told("/v2/models/nowhere/jobs"))[0]).toBe(404);
});

it("keeps the jobs of one API key from all others", async () => {
  const secrets = { a: "secret of a", b: "secret of b" };
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  const entries = Object.entries(secrets).map(([name, secret]) => {
    return { name, sha256: sha256(secret), requestsPerS: 1_000, scopes: ["infer", "metrics", "admin"] };
  });
  const keys = apiKeysIn(entries, 0);
  const { app, post, idsOf } = await appOf({}, new AccessGate({ keys: () => keys }));
  const [a, b] = Object.values(secrets).map((secret) => ({ authorization: `Bearer ${secret}` }));
  const id = await post("1\n", a);
  expect(await idsOf(a)).toEqual([id]);
  expect(await idsOf(b)).toEqual([]);
  // What a key is, no header changes.
  expect(await idsOf({ ...b, "spillway-tenant": "a" })).toEqual([]);
  const path = `/v2/models/one/jobs/${id}`;
  expect((await app.request(path, { headers: a ?? {} })).status).toBe(200);
  for (const method of ["GET", "DELETE"])
    expect((await app.request(path, { method, headers: b ?? {} })).status).toBe(404);
});

it("tells how many jobs and bytes there are, how many there may be, and how jobs and rows ended", async () => {
  const { app, post, hasEnded } = await appOf({ mostJobs: 2, mostBytes: 2_000 });
  const scrape = async (): Promise<Map<string, number>> => {
    const text = await (await app.request("/metrics")).text();
    const lines = text.split("\n").filter((line) => line.startsWith("spillway_queue_job"));
    return new Map(
      lines.map((line) => [line.slice(15, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]),
    );
  };
  expect(await post("1\n".repeat(1_500))).toBe("413");
  const id = await post("1\n2\n3\n");
  await post("1\n");
  expect(await post("1\n")).toBe("503");
  await hasEnded();
  const metrics = await scrape();
  expect(Object.fromEntries(metrics)).toMatchObject({
    'jobs{state="done"}': 2,
    'jobs{state="running"}': 0,
    jobs_limit: 2,
    jobs_started_total: 2,
    'jobs_refused_total{bound="jobs"}': 1,
    'jobs_refused_total{bound="bytes"}': 1,
    'jobs_ended_total{state="done"}': 2,
    'job_rows_total{result="answered"}': 4,
    'job_rows_total{result="failed"}': 0,
    'job_bytes{of="input"}': 0,
    job_bytes_limit: 2_000,
    job_queued_rows: 0,
    job_queued_rows_limit: 64,
  });
  expect(metrics.get('job_bytes{of="results"}')).toBeGreaterThan(100);
  const status = (await (await app.request("/admin/status")).json()) as { jobs: object };
  expect(status.jobs).toMatchObject({ states: { done: 2 }, mostJobs: 2, mostBytes: 2_000 });
  // What is forgotten takes no room any more, and its rows stay counted.
  await app.request(`/v2/models/one/jobs/${id}`, { method: "DELETE" });
  const after = await scrape();
  expect([after.get('jobs{state="done"}'), after.get('job_rows_total{result="answered"}')]).toEqual([1, 4]);
});
