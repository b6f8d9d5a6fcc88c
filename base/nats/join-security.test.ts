/** Who may join, on a real server: TLS, users, tokens, keys and credentials; and what those are told who may not. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nkeys } from "@nats-io/transport-node";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { certificateFiles, whyNoCertificates } from "../../test/support/certificates.ts";
import { natsPrograms, type NatsServer, startNats } from "../../test/support/nats-server.ts";
import { joinNats } from "./engine.ts";
import type { JoinOptions } from "./join-fields.ts";
import { natsAddress } from "./nats-address.ts";

const log = { info: () => {}, warn: () => {}, error: () => {} };
const folder = mkdtempSync(join(tmpdir(), "spillway-security-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Joins and leaves. */
async function joins(url: string, more: Partial<JoinOptions> = {}, env = {}): Promise<void> {
  const stop = AbortSignal.timeout(10_000);
  const engine = await joinNats({ join: [natsAddress(url)], ...more }, { as: "test", env, log, stop });
  await engine.close();
}

/** Why it does not join, which never has one of the secrets. */
async function refusal(secrets: readonly string[], ...join: Parameters<typeof joins>): Promise<string> {
  const why = await joins(...join).then(
    () => "it joined",
    (error: Error) => `${error.name}: ${error.message}`,
  );
  for (const secret of secrets) expect(why).not.toContain(secret);
  return why;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A claim as the server takes it, signed by whoever issues it. */
function jwt(issuer: nkeys.KeyPair, subject: nkeys.KeyPair, name: string, nats: object): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = {
    jti: name,
    iat: 1_700_000_000,
    iss: issuer.getPublicKey(),
    name,
    sub: subject.getPublicKey(),
    nats,
  };
  const signed = `${encode({ typ: "JWT", alg: "ed25519-nkey" })}.${encode(claims)}`;
  return `${signed}.${Buffer.from(issuer.sign(Buffer.from(signed))).toString("base64url")}`;
}

/** A file as `nsc` writes it. */
function credsOf(userJwt: string, user: nkeys.KeyPair): string {
  const part = (what: string, body: string): string =>
    `-----BEGIN ${what}-----\n${body}\n------END ${what}------\n\n`;
  return `${part("NATS USER JWT", userJwt)}${part("USER NKEY SEED", text(user.getSeed()))}`;
}

describe.each(natsPrograms)("nats-server $version", { tags: ["slow"] }, (program) => {
  const servers: NatsServer[] = [];
  const started = async (...lines: string[]): Promise<string> => {
    const server = await startNats({ program, lines });
    servers.push(server);
    return server.address;
  };
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.stop())));

  it("lets in who knows the password or the token, and tells others what to check", async () => {
    const users = await started("authorization { user: ann, password: s3cret }");
    await joins(users, {}, { NATS_USER: "ann", NATS_PASSWORD: "s3cret" });
    const isTold = /^Error: --join 127\.0\.0\.1:\d+: it does not let us in; check user and password/;
    const env = { NATS_USER: "ann", NATS_PASSWORD: "wr0ng" };
    expect(await refusal(["wr0ng", "s3cret"], users, {}, env)).toMatch(isTold);
    expect(await refusal(["wr0ng"], `nats://ann:wr0ng@${users}`)).toMatch(isTold);
    expect(await refusal([], users)).toMatch(isTold);
    const token = await started("authorization { token: t0ken }");
    await joins(token, {}, { NATS_TOKEN: "t0ken" });
    expect(await refusal(["f0rged"], token, {}, { NATS_TOKEN: "f0rged" })).toMatch(isTold);
  });

  it("lets in who has the key, and no other", async () => {
    const [user, other] = [nkeys.createUser(), nkeys.createUser()];
    const address = await started(`authorization { users: [{ nkey: ${user.getPublicKey()} }] }`);
    await joins(address, { joinCreds: fileOf("user.nk", `${text(user.getSeed())}\n`) });
    const seed = text(other.getSeed());
    const why = await refusal([seed], address, { joinCreds: fileOf("other.nk", seed) });
    expect(why).toMatch(/^Error: .*it does not let us in; check .*--join-creds/);
  });

  it("lets in who has credentials of an account that the operator knows", async () => {
    const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()];
    const all = {
      subs: -1,
      data: -1,
      payload: -1,
      imports: -1,
      exports: -1,
      wildcards: true,
      conn: -1,
      leaf: -1,
    };
    const store = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
    const limits = { ...all, ...store };
    const system = nkeys.createAccount();
    const preloaded = [[account, limits] as const, [system, all] as const]
      .map(
        ([of, allowed]) =>
          `${of.getPublicKey()}: ${jwt(operator, of, "account", { type: "account", version: 2, limits: allowed })}`,
      )
      .join(", ");
    const address = await started(
      `system_account: ${system.getPublicKey()}`,
      `operator: ${jwt(operator, operator, "o", { type: "operator", version: 2 })}`,
      "resolver: MEMORY",
      `resolver_preload: { ${preloaded} }`,
    );
    const claims = { type: "user", version: 2, subs: -1, data: -1, payload: -1 };
    const right = credsOf(jwt(account, user, "u", claims), user);
    await joins(address, { joinCreds: fileOf("right.creds", right) });
    await joins(address, {}, { NATS_CREDS: join(folder, "right.creds") });
    const [stranger, mallory] = [nkeys.createAccount(), nkeys.createUser()];
    for (const [name, made] of [
      ["stranger", credsOf(jwt(stranger, user, "u", claims), user)],
      ["stolen", credsOf(jwt(account, user, "u", claims), mallory)],
    ] as const) {
      const secrets = [text(user.getSeed()), text(mallory.getSeed()), "BEGIN"];
      const why = await refusal(secrets, address, { joinCreds: fileOf(`${name}.creds`, made) });
      expect(why).toMatch(/^Error: .*it does not let us in; check/);
    }
  });

  it.skipIf(whyNoCertificates !== undefined)(
    "proves itself by a certificate of an authority of one's own",
    async () => {
      const own = certificateFiles(folder, "own");
      const other = certificateFiles(folder, "other");
      const elsewhere = certificateFiles(folder, "elsewhere", "DNS:elsewhere.example");
      const tls = ({ cert, key }: typeof own, more = ""): string =>
        `tls { cert_file: "${cert}", key_file: "${key}" ${more} }`;
      const address = await started(tls(own));
      await joins(`tls://${address}`, { joinCa: own.ca });
      await joins(address, { joinCa: own.ca });
      const isUnknown =
        /^Error: .*not signed by an authority that is known here; --join-ca names the PEM file/;
      expect(await refusal([], `tls://${address}`)).toMatch(isUnknown);
      expect(await refusal([], `tls://${address}`, { joinCa: other.ca })).toMatch(isUnknown);
      const named = await started(tls(elsewhere));
      expect(await refusal([], `tls://${named}`, { joinCa: elsewhere.ca })).toMatch(
        /^Error: .*its certificate is for another host name/,
      );
      const mutual = await started(tls(own, `, ca_file: "${own.ca}", verify: true`));
      const shown = { joinCa: own.ca, joinCert: own.cert, joinKey: own.key };
      await joins(`tls://${mutual}`, shown);
      // Nobody tells us; it takes the whole time of an attempt.
      if (program !== natsPrograms[0]) return;
      const stop = new AbortController();
      let told = "";
      const forged = { ...shown, joinCert: other.cert, joinKey: other.key };
      const tell = (...facts: unknown[]): void => void (told += JSON.stringify(facts));
      const waiting = joinNats(
        { join: [natsAddress(`tls://${mutual}`)], ...forged },
        { as: "test", env: {}, log: { ...log, error: tell }, stop: stop.signal },
      );
      await expect
        .poll(() => told, { timeout: 30_000 })
        .toMatch(/may want a certificate that it knows, which --join-cert and --join-key name/);
      stop.abort();
      await expect(waiting).rejects.toThrow();
    },
  );
});

it("a file that has no credentials is refused before anybody is asked, without what is in it", async () => {
  const joinCreds = fileOf("none.creds", "hunter2\n");
  const why = await refusal(["hunter2"], "127.0.0.1:9", { joinCreds });
  expect(why).toMatch(
    /^Error: --join-creds is ".*none\.creds", which has no key of a user; allowed: a file of cred/,
  );
});
