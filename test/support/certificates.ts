/** Certificates of a test's own, made by openssl. */
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";

/** Undefined: they can be made. */
export const whyNoCertificates: string | undefined =
  spawnSync("openssl", ["version"]).error === undefined ? undefined : "openssl is not installed";

export interface CertificateFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/**
 * An authority of this name, and a certificate of it.
 *
 * @param host for whom, such as `IP:127.0.0.1`
 */
export function certificateFiles(folder: string, name: string, host = "IP:127.0.0.1"): CertificateFiles {
  const at = (file: string): string => join(folder, `${name}-${file}`);
  const made = [
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "30",
  ];
  const req = (...args: string[]): void =>
    void execFileSync("openssl", ["req", ...made, ...args], { stdio: "ignore" });
  req("-keyout", at("ca.key"), "-out", at("ca.pem"), "-subj", `/CN=${name}`);
  const signed = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-addext", `subjectAltName=${host}`];
  req("-keyout", at("own.key"), "-out", at("own.pem"), "-subj", "/CN=own", ...signed);
  return { ca: at("ca.pem"), cert: at("own.pem"), key: at("own.key") };
}
