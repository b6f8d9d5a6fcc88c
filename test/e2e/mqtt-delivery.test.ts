/** Messages of devices through a daemon that is killed, with the broker or without it: none is lost. */
import { describe, expect, it } from "vitest";
import { whyNoMosquitto } from "../support/mosquitto.ts";
import { killedDaemon, killedWithBroker, restartedBroker } from "../support/mqtt-outages.ts";

const slow = { tags: ["slow"], timeout: 240_000 };
const few = { count: 400, killsAt: [100] };

describe.skipIf(whyNoMosquitto !== undefined)("with mosquitto", slow, () => {
  it("a daemon that is killed loses nothing, and repeats what it had in work at most", async () => {
    expect(await killedDaemon(few, "5")).toBeLessThanOrEqual(64);
  });

  it("a broker that is restarted loses nothing of what it had acknowledged", async () => {
    await restartedBroker(few.count, 100, "3.1.1");
  });
});

it("an embedded broker that is killed with its daemon loses nothing", slow, async () => {
  await killedWithBroker(few);
});
