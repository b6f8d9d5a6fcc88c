import { expect, it } from "vitest";
import type { PriceSheet } from "../../serverless/prices/price.ts";
import { daemonOptions } from "./options.ts";
import { SpendCap } from "../targets/spend-cap.ts";
import { closers, scripted } from "../../test/support/wired-targets.ts";
import { spendClockMs } from "./spend.ts";
import { chosenEdges } from "./choices.ts";
import { connectTargets } from "./connect.ts";

const prices: PriceSheet = {
  name: "test",
  kind: "cu",
  currency: "CNY",
  validFrom: "2026-01-01",
  source: "test",
  perCu: 0.0001,
  cuPerCall: 0.0075,
  cuPerVcpuS: 1,
  cuPerGibS: 0.15,
  granularityMs: { cpu: 1 },
};

it("pays for what functions with URLs are asked, be it inference or metadata, from the one cap", async () => {
  let calls = 0;
  const url = await scripted((_, response) => {
    calls++;
    response.end("{}");
  });
  const options = daemonOptions.parse({ functions: `a=1x1024@${url},b=2x2048@${url}` });
  const edges = chosenEdges(options, options.functions ?? []);
  const cap = new SpendCap({
    limits: { perHour: 0.02, perDay: Infinity },
    currency: "CNY",
    longestCallMs: 70_000,
    nowMs: spendClockMs(),
  });
  const { servers, all, close } = connectTargets(options, edges, options.functions ?? [], prices, cap);
  closers.push(close);
  const spent = (): number => cap.status(spendClockMs()).hour.spent;
  for (const each of [
    () => servers[0]?.get("/v2", 1_000),
    () => all[1]?.call("m", { body: new Uint8Array() }, 1_000),
  ]) {
    const before = spent();
    await each();
    expect(spent()).toBeGreaterThan(before);
  }
  const held = cap.reserve(0.0199, spendClockMs());
  expect(held).toHaveProperty("amount");
  for (const server of servers) {
    await expect(server.get("/v2", 1_000)).rejects.toMatchObject({ code: "spend_cap_reached" });
  }
  expect([servers.length, calls]).toEqual([2, 2]);
});
