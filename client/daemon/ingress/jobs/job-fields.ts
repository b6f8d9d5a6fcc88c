/** The options of jobs, which `POST /v2/models/{m}/jobs` makes. */
import { optionalText, positive, whole } from "../../../../base/program/option-fields.ts";

export const jobFields = {
  jobs: whole(0, 10_000)
    .default(64)
    .describe("most jobs, those included that have ended and whose results are kept; 0: take none"),
  jobsMib: positive()
    .default(1_024)
    .describe(
      "most MiB of the inputs of jobs, in memory, and of their results, in files in the temporary folder",
    ),
  jobKeep: positive(604_800)
    .default(3_600)
    .describe("how long the results of a job are kept, in seconds from its end"),
  jobTimeout: positive(86_400)
    .default(3_600)
    .describe("longest time that a request of a job may take, in seconds from when it is in the queue"),
  jobLane: optionalText.describe(
    "lane of jobs whose caller names none (default: as that of any request is found)",
  ),
  jobRows: whole(1)
    .default(256)
    .describe("most rows of all jobs in the queue at once; the others of a job wait outside"),
};
