/** The steps of a Containerfile, carried out in folders instead of images; see try-in-bare-root.mjs. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const checkout = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

export const run = (command, args, options = {}) =>
  execFileSync(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    maxBuffer: 2 ** 26,
    ...options,
  });

/** Instructions as [name, rest], lines that go on joined, comments left out. */
function instructions(file) {
  const text = readFileSync(file, "utf8")
    .replaceAll(/^\s*#.*\n/gm, "")
    .replaceAll(/\\\n/g, " ");
  const lines = text.split("\n").map((line) => line.trim());
  return lines
    .filter((line) => line !== "")
    .map((line) => [line.split(" ", 1)[0], line.slice(line.indexOf(" ") + 1)]);
}

/** What stands in for the image `node:VERSION-…`: a bare Debian, the program of Node from npm, and npm. */
function imageRoot(image, root, { work, given }) {
  const [, version] = /\/node:([\d.]+)-bookworm-slim$/.exec(image) ?? [];
  if (version === undefined) throw new Error(`FROM ${image}: nothing stands in for it`);
  const debian = given ?? join(work, "debian");
  if (!existsSync(join(debian, "bin")))
    run("debootstrap", ["--variant=minbase", "--include=ca-certificates", "bookworm", debian]);
  run("cp", ["-a", "--reflink=auto", `${debian}/.`, root]);
  const packed = join(work, "node");
  if (!existsSync(packed)) {
    const arch = process.arch === "arm64" ? "arm64" : "x64";
    run("npm", ["install", "--prefix", packed, "--no-audit", "--no-fund", `node-linux-${arch}@${version}`]);
    run("cp", ["-a", join(packed, `node_modules/node-linux-${arch}/bin/node`), packed]);
  }
  run("cp", [join(packed, "node"), join(root, "usr/local/bin/node")]);
  const npm = join(run("npm", ["root", "--global"]).trim(), "npm");
  cpSync(npm, join(root, "usr/local/lib/node_modules/npm"), { recursive: true, verbatimSymlinks: true });
  for (const name of ["npm", "npx"])
    run("ln", ["-sf", `../lib/node_modules/npm/bin/${name}-cli.js`, join(root, "usr/local/bin", name)]);
  // For the steps alone: names, and who may sign certificates on this machine.
  cpSync("/etc/resolv.conf", join(root, "etc/resolv.conf"), { dereference: true });
  const bundle = "/etc/ssl/certs/ca-certificates.crt";
  if (existsSync(bundle)) cpSync(bundle, join(root, "etc/ssl/certs/ca-certificates.crt"));
}

export const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** A command in a root, in namespaces of its own, as the given user. */
export function inRoot(root, { env, cwd, user = "0:0" }, command, mounts = "") {
  const [uid, gid] = user.split(":");
  const rights =
    uid === "0"
      ? []
      : [
          "setpriv",
          "--reuid",
          uid,
          "--regid",
          gid,
          "--clear-groups",
          "--no-new-privs",
          "--bounding-set=-all",
          "--inh-caps=-all",
        ];
  const inside = [
    "env",
    "-i",
    `PATH=/usr/local/bin:/usr/bin:/bin`,
    ...Object.entries(env).map(([key, value]) => `${key}=${value}`),
  ];
  const words = [...rights, ...inside, "sh", "-c", `cd ${quoted(cwd)} && exec "$@"`, "sh", ...command];
  // Made private, so that no mount is left on the machine.
  const script = `set -e; ${mounts} mount -t proc proc ${quoted(join(root, "proc"))}; exec chroot ${[root, ...words].map(quoted).join(" ")}`;
  return [
    "unshare",
    ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-c", script],
  ];
}

/** Carries out the stages of the file; returns each by its name. */
export function build(file, { work, given, say }) {
  const stages = new Map();
  let stage;
  for (const [name, rest] of instructions(file)) {
    switch (name) {
      case "FROM": {
        const [from, , as] = rest.split(" ");
        say(`FROM ${rest}`);
        const root = join(work, as);
        mkdirSync(root);
        const base = stages.get(from);
        if (base === undefined) imageRoot(from, root, { work, given });
        else run("cp", ["-a", "--reflink=auto", `${base.root}/.`, root]);
        stage = { env: {}, cwd: "/", user: "0:0", ...structuredClone(base ?? {}), root };
        stages.set(as, stage);
        break;
      }
      case "WORKDIR":
        stage.cwd = rest;
        mkdirSync(join(stage.root, rest), { recursive: true });
        break;
      case "COPY": {
        const [, from, source, target] = /^(?:--from=(\S+) )?(\S+) (\S+)$/.exec(rest);
        const to = join(stage.root, resolve(stage.cwd, target));
        mkdirSync(to, { recursive: true });
        if (from !== undefined) run("cp", ["-a", `${join(stages.get(from).root, source)}/.`, to]);
        else {
          const ignored = readFileSync(`${file}.dockerignore`, "utf8").split("\n").filter(Boolean);
          const excludes = ignored.map(
            (each) => `--exclude=${each.startsWith("**/") ? each.slice(3) : `./${each}`}`,
          );
          run("sh", [
            "-c",
            `tar -C ${quoted(checkout)} ${excludes.map(quoted).join(" ")} -cf - . | tar -C ${quoted(to)} --no-same-owner -xf -`,
          ]);
        }
        break;
      }
      case "RUN": {
        say(`RUN ${rest.slice(0, 90)}`);
        const env = {
          ...stage.env,
          HOME: "/root",
          NODE_EXTRA_CA_CERTS: "/etc/ssl/certs/ca-certificates.crt",
        };
        const [command, args] = inRoot(stage.root, { ...stage, env }, ["sh", "-c", rest]);
        run(command, args);
        break;
      }
      case "ENV":
        for (const pair of rest.split(" ")) stage.env[pair.split("=")[0]] = pair.slice(pair.indexOf("=") + 1);
        break;
      case "USER":
        stage.user = rest;
        break;
      case "ENTRYPOINT":
        stage.entrypoint = JSON.parse(rest);
        break;
      case "CMD":
        stage.command = JSON.parse(rest);
        break;
      case "HEALTHCHECK":
        stage.healthCheck = JSON.parse(rest.slice(rest.indexOf("CMD ") + 4));
        break;
      case "STOPSIGNAL":
        stage.stopSignal = rest;
        break;
      case "EXPOSE":
        break;
      default:
        throw new Error(`${file}: ${name} is not known here`);
    }
  }
  return stages;
}
