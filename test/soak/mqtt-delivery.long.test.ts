/** 3,000 messages of a device, and the daemon is killed -9 three times: 3,000 distinct results. */
import { describe, expect, it } from "vitest";
import { whyNoMosquitto } from "../support/mosquitto.ts";
import { killedDaemon, killedWithBroker, restartedBroker } from "../support/mqtt-outages.ts";

const many = { count: 3_000, killsAt: [400, 1_300, 2_200] };

describe.skipIf(whyNoMosquitto !== undefined)("with mosquitto", () => {
  it.for(["5", "3.1.1"])("a daemon that is killed three times loses nothing (MQTT %s)", async (version) => {
    const twice = await killedDaemon(many, version);
    process.stderr.write(`MQTT ${version}: ${many.count} distinct results, ${twice} came twice\n`);
    expect(twice).toBeLessThanOrEqual(many.killsAt.length * 64);
  });

  it.for(["5", "3.1.1"])("a broker that is restarted loses nothing (MQTT %s)", async (version) => {
    await restartedBroker(many.count, 1_500, version);
  });
});

it("an embedded broker that is killed with its daemon three times loses nothing", async () => {
  await killedWithBroker(many);
});
