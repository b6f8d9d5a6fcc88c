import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { engineNames, tokenText, token } from "./engine-names.ts";
import { natsAddress } from "./nats-address.ts";

describe("names as tokens", () => {
  it("letters, digits, _ and - stay; everything else is a byte in hex", () => {
    expect(token("ocr.cls v2")).toBe("ocr=2Ecls=20v2");
    expect(token("*")).toBe("=2A");
    expect(token(">")).toBe("=3E");
    expect(token("ä/=")).toBe("=C3=A4=2F=3D");
    expect(token("")).toBe("=");
    expect(engineNames().requests.filter("a.b")).toBe("spill.req.a=2Eb.*.*");
  });

  it("no part of a model takes the requests of another part, and no model has its consumer's name", () => {
    const { requests } = engineNames();
    const subjects = [0, 3, 12].map((part) => requests.subject("m", "front", "1", part));
    expect(subjects).toEqual(["spill.req.m.front.1", "spill.req.m.3.front.1", "spill.req.m.12.front.1"]);
    expect([0, 3].map((part) => requests.filter("m", part))).toEqual([
      "spill.req.m.*.*",
      "spill.req.m.3.*.*",
    ]);
    expect(requests.consumer("m", 3)).toBe("m-m=p3");
    expect(token("m=p3")).toBe("m=3Dp3");
  });

  it("no text makes a token that a subject or a consumer cannot have, and none is another's", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 60 }),
        fc.string({ maxLength: 10 }),
        (one, other) => {
          const text = Buffer.from(one, "utf8").toString("utf8");
          expect(token(text)).toMatch(/^[\w=-]{1,120}$/);
          if (text !== other) expect(token(text)).not.toBe(token(other));
          if (token(text).length < 120) expect(tokenText(token(text))).toBe(text);
        },
      ),
    );
  });

  it("long names are told apart by a digest", () => {
    const [one, other] = ["m".repeat(400), `${"m".repeat(399)}n`];
    expect(token(one)).toHaveLength(120);
    expect(token(one)).not.toBe(token(other));
    expect(tokenText(token(one))).toBeUndefined();
  });

  it("what nobody here made has no text", () => {
    for (const made of ["a.b", "=2", "=41", "=zz", "a b"]) expect(tokenText(made)).toBeUndefined();
  });
});

describe("names of sites", () => {
  const all = (names: object): string[] =>
    Object.values(names).flatMap((each: unknown) =>
      typeof each === "string" ? [each] : typeof each === "object" && each !== null ? all(each) : [],
    );

  it("no site's subjects, streams and buckets are another's, whatever the sites are called", () => {
    const sites = [undefined, "site", "req", "plant", "plant-2", "a.b", "a/b", "", "x".repeat(100)];
    const names = sites.map((site) => all(engineNames(site)).filter((each) => !/^(m|j)-/.test(each)));
    const unique = new Set(names.flat());
    expect(unique.size).toBe(names.flat().length);
  });

  it("a server without a domain keeps the names that are documented", () => {
    const { requests, results, modelBucket } = engineNames();
    expect(requests.subject("m", "me", "1")).toBe("spill.req.m.me.1");
    expect([requests.stream, results.copies("me"), modelBucket]).toEqual([
      "SPILL_REQ",
      "spill.out.me.>",
      "spill-models",
    ]);
  });
});

describe("addresses", () => {
  it("have a scheme or none, a port or the usual one, and perhaps user and password", () => {
    expect(natsAddress("nats://h").server).toBe("h:4222");
    expect(natsAddress("h:80")).toMatchObject({ server: "h:80", isTls: false });
    expect(natsAddress("tls://[::1]:4333")).toMatchObject({ server: "[::1]:4333", isTls: true });
    expect(natsAddress("nats://ann:p%40ss@h:1")).toMatchObject({
      server: "h:1",
      user: "ann",
      password: "p@ss",
    });
  });

  it("others are refused without a word of their password", () => {
    for (const wrong of [
      "http://h",
      "nats://",
      "nats://h/x",
      "nats://h?x",
      "nats://ann:s3cret@h:x",
      "ws://h",
    ]) {
      expect(() => natsAddress(wrong)).toThrow(/nats:\/\/HOST:PORT/);
      expect(() => natsAddress(wrong)).not.toThrow(/s3cret/);
    }
  });
});
