/** What an edge that joined tells of itself: the value of its key in the bucket of edges. */
import { z } from "zod";

/** How long an entry counts that is not renewed, and how often it is renewed, in milliseconds. */
export const edgeLeaseMs = 3_000;
export const edgeRenewMs = edgeLeaseMs / 3;
/** How long the server tells those who come later that an entry has ended. */
export const edgeMarkerMs = 10_000;

/** Most models that an entry lists. */
const mostModels = 1_000;

const edgeEntry = z.object({
  name: z.string().regex(/^[A-Za-z_][\w-]{0,63}$/),
  /** Of this run of its process; its calls go to a subject with it. */
  epoch: z.string().regex(/^[\w-]{1,64}$/),
  /** Names of the models that it can serve now. */
  models: z.array(z.string().min(1).max(1_024)).max(mostModels),
  /** Processes, by model; what it does not know is left out. */
  replicas: z.record(z.string(), z.number().int().min(0)).default({}),
  /** Median time of recent requests, in milliseconds, by model. */
  profile: z.record(z.string(), z.number().min(0)).default({}),
  memory: z.object({ totalBytes: z.number().min(0), freeBytes: z.number().min(0) }).optional(),
});

export type EdgeEntry = z.output<typeof edgeEntry>;

/** Undefined for what no edge of ours has written. */
export function edgeEntryIn(bytes: Uint8Array): EdgeEntry | undefined {
  try {
    const read = edgeEntry.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
    return read.success ? read.data : undefined;
  } catch {
    return undefined;
  }
}
