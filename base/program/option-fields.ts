/** Values that options of several commands have, so that their ranges and messages are the same everywhere. */
import { z } from "zod";
import { type AddressError, serverAddress } from "./server-address.ts";

export const whole = (least: number, most = Number.MAX_SAFE_INTEGER) => z.number().int().min(least).max(most);
export const positive = (most = Number.MAX_SAFE_INTEGER) => z.number().positive().max(most);
export const text = z.string().min(1);
export const optionalText = text.optional();
export const port = whole(0, 65_535);
export const grpcPort = port
  .optional()
  .describe("port to listen on for gRPC as well; 0 takes a free one (default: gRPC is not served)");
export const seed = whole(0, 2 ** 32 - 1).default(1);
export const flag = z.boolean().default(false);
export const priceSheet = z.string().default("alibaba-fc-cn-2026");
/** The address of a server in one form, however it is written. */
export const serverUrl = addressField(false);
/** The same, where the server may be reached by gRPC as well. */
export const serverOrGrpcUrl = addressField(true);
/** How `spillway` may spend the allowance of the quantile, the same in the daemon and in replay. */
export const spendAllowance = z
  .number()
  .min(1)
  .max(86_400)
  .describe(
    "seconds over which spillway keeps the quantile while it is late on purpose with what would cost much;" +
      " without a number 600 (default: nothing is late on purpose)",
  )
  .meta({ bareValue: "600" });

function addressField(mayBeGrpc: boolean) {
  return z.string().transform((given, context): string => {
    try {
      return serverAddress(given, mayBeGrpc);
    } catch (error) {
      context.addIssue((error as AddressError).message);
      return z.NEVER;
    }
  });
}
