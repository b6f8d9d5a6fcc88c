/** The options of the daemon, each with its meaning, unit, range and default. */
import { z } from "zod";
import { accessFields } from "../../base/access/access-options.ts";
import { joinedName, joinFields } from "../../base/nats/join-fields.ts";
import {
  grpcPort,
  optionalText,
  port,
  positive,
  priceSheet,
  spendAllowance,
  text,
  whole,
} from "../../base/program/option-fields.ts";
import { edgeAddress } from "./edge-address.ts";
import { laneList, reservedReplicas } from "./lanes.ts";
import { padRules } from "./joining/padding.ts";
import { jobFields } from "./ingress/jobs/job-fields.ts";
import { mqttOptionFields } from "./ingress/mqtt/mqtt-fields.ts";
import { allowedModels, namedModels } from "./profile/named-models.ts";
import { payloadFields } from "./profile/payload/payload-fields.ts";
import { policyNames } from "../policies/registry.ts";
import { defaultFunctions, functionMenu } from "../../serverless/prices/function-menu.ts";

const modelNames = z.string().transform((given, context): string => {
  try {
    namedModels(given);
    return given;
  } catch (error) {
    context.addIssue(`${allowedModels}; ${(error as Error).message}`);
    return z.NEVER;
  }
});

/** How many owners models are to have that joined; without a name, all of them. */
const ownersOfModels = z.array(
  z
    .string()
    .regex(/^(?:[^=]+=)?(?:[1-9]|1[0-6])$/, "NUMBER or MODEL=NUMBER, the number an integer from 1 to 16"),
);

/** By model; under "*" for those that are not named. */
export function wantedOwners(given: readonly string[]): ReadonlyMap<string, number> {
  return new Map(
    given.map((text) => {
      const at = text.lastIndexOf("=");
      return [at === -1 ? "*" : text.slice(0, at), Number(text.slice(at + 1))];
    }),
  );
}

const joinedModels = z.array(
  z.string().regex(/^[^=]+(?:=(?:true|false))?$/, "MODEL, MODEL=true or MODEL=false"),
);

/** What the user says of joining requests, by model. */
export function declaredRules(given: readonly string[]): ReadonlyMap<string, boolean> {
  return new Map(
    given.map((text) => {
      const [model = "", joins = "true"] = text.split("=");
      return [model, joins === "true"];
    }),
  );
}

export const daemonOptions = z.strictObject({
  host: z
    .string()
    .default("127.0.0.1")
    .describe("address to listen on; 0.0.0.0 opens the daemon to the network"),
  port: port.default(8_080).describe("port to listen on; 0 takes a free one"),
  grpcPort,
  slo: positive(86_400)
    .default(1)
    .describe("service level objective: the longest time from a request's arrival to its answer, in seconds"),
  sloQuantile: z
    .number()
    .min(0.5)
    .max(0.9999)
    .default(0.99)
    .describe("share of the requests that must be answered within the SLO; for the policy spillway"),
  lanes: laneList
    .default([])
    .describe(
      "lanes with SLOs of their own, in seconds: NAME=SECONDS,... or NAME=SECONDS@QUANTILE where the share that must" +
        " meet it differs; one without an SLO is best effort (in YAML a list of name, slo, sloQuantile, maxRows, maxMib," +
        " leastShare, mostShare, fromRows, priorities, keys)",
    ),
  reserve: reservedReplicas.describe(
    "replicas of each edge that are kept for a lane: LANE=REPLICAS,...; with --policy spillway only",
  ),
  policy: z
    .enum(policyNames)
    .default("spillway")
    .describe("spillway: the edge fills first, the rest leaves late; fixed: batches of set sizes in turn")
    .meta({ alias: "plan" }),
  spendAllowance: spendAllowance.optional(),
  timeout: z
    .number()
    .min(0)
    .max(86_400)
    .optional()
    .describe(
      "longest time that a request waits to be joined with others, in seconds from its arrival;" +
        " as many times as long where it has several times --slo, as in some lanes (default: as its deadline allows; with --policy fixed: 0.4)",
    ),
  edgeBatch: whole(1)
    .optional()
    .describe("rows that a batch for an edge aims at; with --policy fixed only (default: 20)"),
  serverlessBatch: whole(1)
    .optional()
    .describe("rows that a batch for a function aims at; with --policy fixed only (default: 2)"),
  profile: optionalText.describe(
    "JSON file of measured latencies, as --save-profile writes it; then nothing is measured at start",
  ),
  saveProfile: optionalText.describe("file to which what was measured at start is written"),
  calibrate: z
    .number()
    .min(0)
    .max(600)
    .default(10)
    .describe(
      "longest time that measuring at start takes, in seconds; 0: assume latencies, learn while serving",
    ),
  models: modelNames
    .optional()
    .describe(
      "models to measure, with commas between (default: all that the targets list); NAME=INPUT:DATATYPE[1,SIZE,...]" +
        " says what one takes (several inputs with ; between), NAME=@FILE gives a V2 request",
    ),
  ...payloadFields,
  edge: z
    .array(edgeAddress)
    .default(["http://127.0.0.1:8000"])
    .describe(
      "URL of an edge server (any V2 server), or NAME=URL; grpc://HOST:PORT for gRPC; without a scheme http:// is meant",
    )
    .meta({ none: "send batches to functions alone" }),
  joinRows: joinedModels
    .default([])
    .describe(
      "models whose requests may share a batch, or with =false may not: MODEL or MODEL=false" +
        " (default: as the servers say, else as proofs at the edge show)",
    ),
  pad: padRules
    .prefault([])
    .describe(
      "inputs that are padded to one of a few sizes, so that requests share batches:" +
        " MODEL=INPUT:DIMENSION:SIZE/SIZE/...[:VALUE] (value 0 unless given)",
    ),
  edgeAuth: z
    .enum(["none", "bearer"])
    .default("none")
    .describe("how calls of edges prove who sends them; bearer: by the API key in EDGE_BEARER_TOKEN"),
  edgeCalls: whole(1).default(16).describe("most batches under way to an edge at once"),
  serverless: z.boolean().default(true).describe("send batches to functions too; false: to the edge alone"),
  functions: functionMenu
    .prefault(defaultFunctions)
    .describe(
      "functions by name and size: NAME=VCPUxMIB,... and @URL after one that is reached as a V2 server",
    ),
  fcEndpoint: text
    .default("http://127.0.0.1:9000")
    .describe("Function Compute: ACCOUNT.REGION.fc.aliyuncs.com, or the local function host"),
  functionAuth: z
    .enum(["none", "bearer", "acs3"])
    .default("none")
    .describe(
      "how calls of functions with a URL prove who sends them; bearer: by the token in" +
        " FUNCTION_BEARER_TOKEN; acs3: signed with the access key of Alibaba Cloud (HTTP trigger)",
    ),
  serverlessCalls: whole(1).default(100).describe("most calls of a function at once"),
  prices: priceSheet.describe("price sheet: a name, or the path of a JSON file"),
  functionTimeout: positive(86_400)
    .default(60)
    .describe(
      "time limit that the functions are deployed with, in seconds: a call that was given up may run and cost so long",
    ),
  maxSpendPerHour: positive()
    .optional()
    .describe(
      "most money that functions may cost in any hour, in the price sheet's currency (default: no limit)",
    ),
  maxSpendPerDay: positive()
    .optional()
    .describe("most money that functions may cost in any 24 hours, in the same currency (default: no limit)"),
  joinOwners: ownersOfModels
    .default([])
    .describe(
      "with --join: how many daemons own a model at a time, each with a share of its requests and of its edges:" +
        " MODEL=NUMBER, or NUMBER for every model, from 1 to 16 (default: 1, or what another daemon said)." +
        " The NATS server keeps it for all daemons; of two that say otherwise the one that started last decides",
    ),
  joinHub: joinedName.describe(
    "with --join at a site: JetStream domain of the hub, which is one more target, far away: what the site cannot do in" +
      " time goes to the queues of the daemons there, and waits for the uplink as long as its deadline allows",
  ),
  joinSpend: z
    .boolean()
    .default(false)
    .describe(
      "the limits of --max-spend-per-hour and --max-spend-per-day are those of all daemons together that joined with" +
        " this option, at whatever site; give all of them the same limits",
    ),
  joinSpendDomain: optionalText.describe(
    "with --join-spend: JetStream domain that keeps the count for all sites, such as that of the hub (default: --join-domain)",
  ),
  spendFile: optionalText.describe("file that keeps the money spent, so that the limits hold over restarts"),
  ...accessFields,
  callTimeout: positive(3_600)
    .default(10)
    .describe("longest time that one batch may take at its target, in seconds from when it is sent"),
  maxRows: whole(1).default(10_000).describe("most rows that wait; more are refused with 503"),
  maxMib: positive()
    .default(1_024)
    .describe(
      "most MiB of requests held, more are refused with 503; and most MiB of answers that are read at the same time",
    ),
  maxBodyMib: positive(2_048).default(64).describe("largest request body taken, in MiB"),
  maxAnswerMib: positive(2_048)
    .default(64)
    .describe("largest answer taken of a target, in MiB; the call of a longer one fails"),
  ...jobFields,
  ...mqttOptionFields,
  ...joinFields,
  record: optionalText.describe(
    "new file to which every event and decision is written, as lines of JSON; where it is there already, NAME-2 and so on;" +
      " or a folder (that is there, or ends in /) for a record of files that are packed, follow one another and are bounded",
  ),
  recordMib: positive()
    .min(0.0625)
    .default(1_024)
    .describe("with --record DIR: most MiB of its files together; the oldest are removed"),
});

export type DaemonOptions = z.output<typeof daemonOptions>;
