/**
 * How a call over HTTP proves who sends it: not at all, by a bearer token, or by the signature of Alibaba Cloud's HTTP
 * triggers.
 */
import { type Environment, functionComputeKey, secretIn } from "../../base/program/secrets.ts";
import { acs3Authorization, acs3Date, signedHeaderNames } from "../../base/acs3.ts";

export type HttpAuth =
  | { readonly kind: "none" }
  | { readonly kind: "bearer"; readonly token: string }
  | {
      readonly kind: "acs3";
      readonly accessKeyId: string;
      readonly accessKeySecret: string;
      /** For temporary credentials. */
      readonly securityToken?: string;
    };

/**
 * The proof that goes with calls of functions, with the secrets of the environment.
 *
 * @throws UsageError when the environment does not hold what that takes
 */
export function functionAuth(kind: HttpAuth["kind"], env: Environment): HttpAuth {
  switch (kind) {
    case "none":
      return { kind };
    case "bearer":
      return { kind, token: secretIn(env, "FUNCTION_BEARER_TOKEN", "--function-auth bearer") };
    case "acs3":
      return { kind, ...functionComputeKey(env, false) };
  }
}

/**
 * The proof that goes with calls of a V2 server, such as an edge with API keys.
 *
 * @param who the option that asks for it
 * @throws UsageError when the environment does not hold what that takes
 */
export function edgeAuth(kind: "none" | "bearer", who: string, env: Environment): HttpAuth {
  if (kind === "none") return { kind };
  return { kind, token: secretIn(env, "EDGE_BEARER_TOKEN", `${who} bearer`) };
}

/**
 * The headers that go with one call. A trigger's signature covers the method, the path and the date, neither the
 * body nor the host.
 *
 * @param path as sent, percent-encoding included, without a query
 * @param nowMs in milliseconds since 1970
 */
export function authHeaders(
  auth: HttpAuth,
  method: string,
  path: string,
  nowMs: number,
): Record<string, string> {
  switch (auth.kind) {
    case "none":
      return {};
    case "bearer":
      return { authorization: `Bearer ${auth.token}` };
    case "acs3": {
      const { accessKeyId, accessKeySecret, securityToken } = auth;
      const token = securityToken === undefined ? {} : { "x-acs-security-token": securityToken };
      const headers = { "x-acs-date": acs3Date(nowMs), ...token };
      const signedHeaders = signedHeaderNames(headers);
      const parts = { method, path, query: [], headers, signedHeaders, contentSha256: "" };
      return { ...headers, authorization: acs3Authorization(accessKeyId, accessKeySecret, parts) };
    }
  }
}

/** The secrets of a proof, which must not appear in any message. */
export function secretsOf(auth: HttpAuth): readonly string[] {
  switch (auth.kind) {
    case "none":
      return [];
    case "bearer":
      return [auth.token];
    case "acs3":
      return [auth.accessKeySecret, auth.securityToken ?? ""];
  }
}
