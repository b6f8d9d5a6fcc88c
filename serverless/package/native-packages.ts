/**
 * What a function needs of the packages that hold native code: their JavaScript and their libraries for linux x64.
 * They bring much else: libraries for other systems, types, sources, and dependencies of their installers.
 */
import { filesIn, installedPackage, type PackageFile } from "./package-file.ts";

const onnxRuntime = {
  "onnxruntime-node": /^(package\.json|dist\/.*\.js|bin\/napi-v6\/linux\/x64\/.*)$/,
  "onnxruntime-common": /^(package\.json|dist\/cjs\/.*\.(js|json))$/,
};

/** Only for models whose handler takes pictures. */
const sharp = {
  sharp: /^(package\.json|dist\/.*\.[cm]js)$/,
  "@img/colour": /\.(json|cjs)$/,
  "@img/sharp-linux-x64": /\.(json|cjs|node)$/,
  "@img/sharp-libvips-linux-x64": /\.(json|js|so\.[0-9.]+)$/,
  "detect-libc": /\.(json|js)$/,
  semver: /\.(json|js)$/,
};

/** @param root folder of the checkout, with `node_modules` */
export function nativePackages(root: string, takesPictures: boolean): PackageFile[] {
  const wanted = { ...onnxRuntime, ...(takesPictures && sharp) };
  return Object.entries(wanted).flatMap(([name, pattern]) => {
    const as = `node_modules/${name}`;
    return filesIn(installedPackage(root, name), as, (path) => pattern.test(path.slice(as.length + 1)));
  });
}
