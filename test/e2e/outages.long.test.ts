/** Outages on real processes: no request is lost that some target could have served in time. */
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { freePorts } from "../support/free-ports.ts";
import { type Judged, judge, OutageRig, type Program, steadyLoad } from "../support/outage-rig.ts";

/** The least share of the requests that a target could serve; the machine is busy besides. */
const leastShare = 0.97;

const rig = new OutageRig();
afterEach(() => rig.close());
afterAll(() => rig.removeFiles());

function expectAnswered(judged: Judged, least = leastShare): void {
  expect(judged.share, judged.lost.slice(0, 5).join("; ")).toBeGreaterThanOrEqual(least);
}

function queue(edge: string, slo: number, ...flags: string[]): Promise<Program> {
  const known = flags.includes("--calibrate") ? [] : ["--calibrate", "3"];
  return rig.start("vqueue", "--port", "0", "--edge", edge, "--slo", `${slo}`, ...known, ...flags);
}

function calls({ url }: Program): string[] {
  return ["--fc-endpoint", url, "--functions", "small=0.5x1024"];
}

async function inject(host: Program, fault: object): Promise<void> {
  const answer = await fetch(`${host.url}/admin/faults`, { method: "POST", body: JSON.stringify(fault) });
  expect(answer.status).toBe(200);
}

describe("an edge alone", () => {
  it("that stops for 3 s is used again soon after, with what was measured and without", async () => {
    for (const calibrate of ["3", "0"]) {
      const edge = await rig.edge();
      const { url } = await queue(edge.url, 1, "--no-serverless", "--calibrate", calibrate);
      const ends = await steadyLoad(url, { perS: 5, seconds: 20 }, [
        [5, () => edge.signal("SIGSTOP")],
        [8, () => edge.signal("SIGCONT")],
      ]);
      expectAnswered(judge(ends, 1, [1, 4], [13, 20]));
      await rig.close();
    }
  });

  it("that is killed and started again is used again soon after", async () => {
    const [port] = (await freePorts(1)) as [number];
    const edge = await rig.edge(port);
    const { url } = await queue(edge.url, 1, "--no-serverless");
    const ends = await steadyLoad(url, { perS: 5, seconds: 22 }, [
      [4, () => edge.signal("SIGKILL")],
      [7, () => rig.edge(port)],
    ]);
    expectAnswered(judge(ends, 1, [0, 3], [15, 22]));
  });

  it("that answers 503 for a while is used again soon after, also under a long SLO", async () => {
    const edge = await rig.edge();
    const relay = await rig.relay(edge.url);
    const { url } = await queue(relay.url, 20, "--no-serverless");
    const ends = await steadyLoad(url, { perS: 4, seconds: 12 }, [
      [2, () => (relay.mode = "unavailable")],
      [8, () => (relay.mode = "forward")],
    ]);
    // Whoever comes during the outage has time until long after it.
    expectAnswered(judge(ends, 20, [0, 12]));
  });

  it("that could not be measured serves requests under an SLO below what is assumed of it", async () => {
    const edge = await rig.edge();
    const { url } = await queue(edge.url, 0.1, "--no-serverless");
    const ends = await steadyLoad(url, { perS: 10, seconds: 12, model: "open" });
    expectAnswered(judge(ends, 0.1, [2, 12]), 0.95);
  });

  it("that is asked every few seconds serves also after it has stopped", async () => {
    const edge = await rig.edge();
    const { url } = await queue(edge.url, 0.3, "--no-serverless");
    const ends = await steadyLoad(url, { perS: 0.4, seconds: 30 }, [
      [4, () => edge.signal("SIGSTOP")],
      [9, () => edge.signal("SIGCONT")],
    ]);
    expectAnswered(judge(ends, 0.3, [0, 3], [14, 30]));
  });
});

describe("functions", () => {
  it("serve while the edge stops, and the edge afterwards", async () => {
    const [edge, host] = await Promise.all([rig.edge(), rig.functions()]);
    const { url } = await queue(edge.url, 1, ...calls(host));
    const ends = await steadyLoad(url, { perS: 8, seconds: 25 }, [
      [6, () => edge.signal("SIGSTOP")],
      [11, () => edge.signal("SIGCONT")],
    ]);
    expectAnswered(judge(ends, 1, [0, 5], [7.2, 25]));
    expect(judge(ends, 1, [17, 25]).edgeShare).toBeGreaterThan(0.8);
  });

  it.each([
    [0.2, 10],
    [1, 2],
    [5, 0.5],
  ])("serve with an SLO of %s s at %s requests a second once the edge is killed", async (slo, perS) => {
    const [edge, host] = await Promise.all([rig.edge(), rig.functions()]);
    const { url } = await queue(edge.url, slo, ...calls(host));
    const ends = await steadyLoad(url, { perS, seconds: 20 }, [[4, () => edge.signal("SIGKILL")]]);
    expectAnswered(judge(ends, slo, [0, 4 - Math.min(1, slo)], [5.2, 20]), slo < 1 ? 0.93 : leastShare);
  });

  it("that start cold serve where the edge was never there", async () => {
    const [dead] = (await freePorts(1)) as [number];
    const host = await rig.functions("--cold-start", "300");
    const { url } = await queue(
      `http://127.0.0.1:${dead}`,
      5,
      "--models",
      "timed",
      "--calibrate",
      "4",
      ...calls(host),
    );
    const ends = await steadyLoad(url, { perS: 1, seconds: 15 });
    expectAnswered(judge(ends, 5, [0, 15]));
  });

  it("serve while the edge comes and goes", async () => {
    const [edge, host] = await Promise.all([rig.edge(), rig.functions()]);
    const relay = await rig.relay(edge.url);
    const { url } = await queue(relay.url, 1, ...calls(host));
    const flips = Array.from({ length: 20 }, (_, index) => {
      return [4 + 0.5 * index, () => (relay.mode = index % 2 === 0 ? "reset" : "forward")] as const;
    });
    const ends = await steadyLoad(url, { perS: 6, seconds: 20 }, [
      ...flips,
      [14, () => (relay.mode = "forward")],
    ]);
    expectAnswered(judge(ends, 1, [0, 20]));
  });

  it("serve while the edge takes requests and answers none", async () => {
    const [edge, host] = await Promise.all([rig.edge(), rig.functions()]);
    const relay = await rig.relay(edge.url);
    const { url } = await queue(relay.url, 1, ...calls(host));
    const ends = await steadyLoad(url, { perS: 4, seconds: 18 }, [
      [4, () => (relay.mode = "hang")],
      [12, () => (relay.mode = "forward")],
    ]);
    expectAnswered(judge(ends, 1, [0, 3], [5.2, 18]));
  });

  it("that are throttled for a while serve again when it is over", async () => {
    const [edge, host] = await Promise.all([rig.edge(), rig.functions()]);
    const { url } = await queue(edge.url, 1, ...calls(host));
    const ends = await steadyLoad(url, { perS: 4, seconds: 25 }, [
      [3, () => edge.signal("SIGKILL")],
      [6, () => inject(host, { throttle: 1, seconds: 4 })],
    ]);
    expectAnswered(judge(ends, 1, [0, 2], [4.2, 4.9], [15, 25]));
  });

  it("serve in place of one that was never deployed", async () => {
    const [edge, host] = await Promise.all([rig.edge(), rig.functions()]);
    const both = ["--fc-endpoint", host.url, "--functions", "ghost=0.25x512,small=0.5x1024"];
    const { url } = await queue(edge.url, 1, ...both);
    const ends = await steadyLoad(url, { perS: 3, seconds: 16 }, [[4, () => edge.signal("SIGKILL")]]);
    expectAnswered(judge(ends, 1, [0, 3], [5.2, 16]));
  });

  it("whose calls crash and start cold lose no request that has time for another", async () => {
    const [edge, host] = await Promise.all([rig.edge(), rig.functions()]);
    const { url } = await queue(edge.url, 5, ...calls(host));
    const ends = await steadyLoad(url, { perS: 2, seconds: 16 }, [
      [3, () => edge.signal("SIGKILL")],
      [5, () => inject(host, { cold: "once" })],
      [6, () => inject(host, { crash: 0.3, seconds: 4 })],
    ]);
    expectAnswered(judge(ends, 5, [0, 16]), 0.9);
  });
});
