/** The options of MQTT, which `--mqtt` switches on. */
import { z } from "zod";
import { text } from "../../../../base/program/option-fields.ts";

const listenAddress = z
  .string()
  .transform((given, context): { readonly host: string; readonly port: number } => {
    const url = URL.canParse(`mqtt://${given}`) ? new URL(`mqtt://${given}`) : undefined;
    const host = url?.hostname.replace(/^\[|\]$/g, "") ?? "";
    if (url !== undefined && host !== "" && url.pathname === "" && url.username === "")
      return { host, port: url.port === "" ? 1_883 : Number(url.port) };
    context.addIssue("HOST or HOST:PORT, such as 127.0.0.1:1883; port 0 takes a free one");
    return z.NEVER;
  });

export const mqttOptionFields = {
  mqtt: z
    .array(text)
    .default([])
    .describe(
      "messages of devices: a YAML file of brokers and rules, or embedded for a broker within the daemon" +
        " (MQTT 3.1.1, in memory); with both, the rules of the file run at the embedded broker",
    )
    .meta({ none: "no MQTT" }),
  mqttListen: listenAddress
    .prefault("127.0.0.1:1883")
    .describe("HOST:PORT of the embedded broker of --mqtt embedded"),
};
