/** Lets models be downloaded from public addresses only, checked when the connection is made. */
import dns from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";

const privateNetworks =
  "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 " +
  "192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3 ::/96 64:ff9b::/96 100::/64 " +
  "2001::/23 2001:db8::/32 2002::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8";

const blocked = new BlockList();
for (const network of privateNetworks.split(" ")) {
  const [address = "", bits] = network.split("/");
  blocked.addSubnet(address, Number(bits), familyOf(address));
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}

/** Whether an address is of this machine, of a private network, link-local, or of more than one machine. */
export function isPrivateAddress(address: string): boolean {
  return blocked.check(address, familyOf(address));
}

/** Like `dns.lookup`, but fails when any address of the name is not public. */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  dns.lookup(hostname, { ...options, all: true }, (error, found) => {
    const refused = found?.find(({ address }) => isPrivateAddress(address));
    if (error === null && refused === undefined) {
      if (options.all === true) callback(null, found);
      else callback(null, found[0]?.address ?? "", found[0]?.family);
      return;
    }
    callback(error ?? new Error(`${hostname} is ${refused?.address}, which is not public`), "", 0);
  });
};
