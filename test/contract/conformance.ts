/**
 * What an Open Inference Protocol (V2) server must do, as a suite that takes a URL: the required endpoints, the
 * extensions that the server says it has, and the ways in which clients get requests wrong. The server serves the
 * models of conformance-models.ts; an extension that it does not name is skipped.
 */
import { beforeAll, beforeEach, describe } from "vitest";
import { binaryInference } from "./suite/binary-tensors.ts";
import { classification } from "./suite/classification.ts";
import { compression } from "./suite/compressed-bodies.ts";
import {
  configuration,
  exampleRequests,
  repository,
  schedulePolicy,
  statistics,
} from "./suite/extensions.ts";
import { jsonInference, modelEndpoints, serverEndpoints } from "./suite/required.ts";
import { wrongRequests } from "./suite/wrong-requests.ts";
import { type Call, caller } from "./v2-caller.ts";

export function conformance(url: () => string): void {
  const call = caller(url);
  describe("server", () => serverEndpoints(call));
  describe("models", () => modelEndpoints(call));
  describe("inference in JSON", () => jsonInference(call));
  describe("requests that are wrong", () => wrongRequests(call));
  extension(call, "binary_tensor_data", () => binaryInference(call, url));
  extension(call, "classification", () => classification(call));
  extension(call, "model_configuration", () => configuration(call));
  extension(call, "example_requests", () => exampleRequests(call));
  extension(call, "statistics", () => statistics(call));
  extension(call, "model_repository", () => repository(call));
  extension(call, "schedule_policy", () => schedulePolicy(call));
  describe("compression", () => compression(call, url));
}

/** Tests that run only when the server names the extension. */
function extension(call: Call, name: string, tests: () => void): void {
  describe(`extension ${name}`, () => {
    let isServed = false;
    beforeAll(async () => {
      const { json } = await call("/v2");
      isServed = (json as { extensions: string[] }).extensions.includes(name);
    });
    beforeEach(({ skip }) => {
      if (!isServed) skip(`the server does not name ${name}`);
    });
    tests();
  });
}
