/** The options of `mqtt convert`, each with its meaning and default. */
import { z } from "zod";
import { text } from "../../../../../../base/program/option-fields.ts";

export const mqttConvertOptions = z.strictObject({
  old: text.describe("the older rule file; also without --old").meta({ argument: "FILE" }),
  out: text.optional().describe("file to write the rules to, which must not be there yet (default: stdout)"),
});

export type MqttConvertOptions = z.output<typeof mqttConvertOptions>;
