/** The options of `infer`, each with its meaning, unit, range and default. */
import { z } from "zod";
import { flag, positive, serverUrl, text, whole } from "../../base/program/option-fields.ts";

export const inferOptions = z.strictObject({
  input: text
    .describe(
      "what is sent: a file of lines of text, a file of JSON lines (.jsonl, .ndjson), or a folder of pictures; also without --input",
    )
    .meta({ argument: "FILE" }),
  model: text.describe("name of the model"),
  url: serverUrl
    .default("http://127.0.0.1:8080")
    .describe("the queue's daemon, or any other V2 server (default: http://127.0.0.1:8080)"),
  out: text
    .default("results.jsonl")
    .describe(
      "file for the results; beside it, with .journal at its end, is kept what goes on after an interruption",
    ),
  as: z
    .enum(["auto", "lines", "jsonl", "pictures"])
    .default("auto")
    .describe("what the input is; auto: pictures for a folder, jsonl and lines for a file by its name"),
  batch: whole(1, 100_000)
    .default(128)
    .describe("most rows of one request, where the model treats rows apart; less if the server says so"),
  concurrency: whole(1, 1_000).default(4).describe("requests under way at once"),
  lane: text
    .optional()
    .describe("lane of the queue that the requests go to (default: as the daemon finds it)"),
  timeout: positive(86_400)
    .default(600)
    .describe("longest time that the server may take for a request, in seconds from when it gets it"),
  patience: positive(604_800)
    .default(600)
    .describe(
      "how long to try again while nothing at all is answered, in seconds; then it ends, to be resumed",
    ),
  auth: z
    .enum(["none", "bearer"])
    .default("none")
    .describe("how requests prove who sends them; bearer: by the API key in EDGE_BEARER_TOKEN"),
  json: flag.describe("print the result as one JSON document on stdout"),
});

export type InferOptions = z.output<typeof inferOptions>;
