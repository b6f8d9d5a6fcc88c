/** Our signature beside that of the vendor's client, on what both could be asked to sign. */
import { createRequire } from "node:module";
import fc from "fast-check";
import { expect, it } from "vitest";
import { acs3Authorization, acs3Date, contentSha256, signedHeaderNames } from "./acs3.ts";

type Core = typeof import("@alicloud/openapi-core");
// By require, since what a CommonJS import gives differs between Node and vitest.
const { OpenApiUtil } = createRequire(import.meta.url)("@alicloud/openapi-core") as Core;

type SdkRequest = Parameters<typeof OpenApiUtil.getAuthorization>[0];

const text = fc.oneof(fc.string(), fc.string({ unit: "grapheme" }));
const headerValue = fc.stringMatching(/^[ -~]{0,30}$/);
const headers = fc.record(
  {
    host: headerValue,
    "content-type": headerValue,
    "x-acs-date": fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
      .map((date) => acs3Date(+date)),
    "x-acs-security-token": headerValue,
    "x-acs-signature-nonce": headerValue,
    "x-fc-log-type": headerValue,
    accept: headerValue,
  },
  { requiredKeys: ["x-acs-date"] },
);
const path = fc.oneof(
  fc.webPath(),
  text.map((name) => `/2023-03-30/functions/${encodeURIComponent(name)}/invocations`),
  fc.stringMatching(/^\/[a-z+*~%7E/]{0,20}$/),
);

/** The vendor's own signature of a request. */
function sdkAuthorization(
  request: { method: string; path: string; query: Record<string, string>; headers: Record<string, string> },
  hash: string,
  key: readonly [string, string],
): string {
  const { method, path: pathname, query, headers: given } = request;
  return OpenApiUtil.getAuthorization(
    { method, pathname, query, headers: given } as unknown as SdkRequest,
    "ACS3-HMAC-SHA256",
    hash,
    ...key,
  );
}

it(
  "signs as the vendor's client does: calls with their body, and HTTP triggers without",
  { tags: ["slow"] },
  () => {
    fc.assert(
      fc.property(
        fc.record({
          method: fc.constantFrom("GET", "POST", "PUT"),
          path,
          query: fc.dictionary(text, text, { noNullPrototype: true }),
          headers,
        }),
        fc.option(fc.uint8Array({ maxLength: 64 }), { nil: undefined }),
        fc.tuple(fc.stringMatching(/^[A-Za-z0-9.]{1,24}$/), fc.string({ minLength: 1 })),
        (request, body, key) => {
          const hash = body === undefined ? "" : contentSha256(body);
          const ours = acs3Authorization(...key, {
            ...request,
            query: Object.entries(request.query),
            signedHeaders: signedHeaderNames(request.headers),
            contentSha256: hash,
          });
          expect(ours).toBe(sdkAuthorization(request, hash, key));
        },
      ),
      { numRuns: 1_000 },
    );
  },
);

it("writes a date as the vendor does, without milliseconds", () => {
  expect(acs3Date(Date.UTC(2026, 10, 21, 1, 59, 47, 999))).toBe("2026-11-21T01:59:47Z");
});
