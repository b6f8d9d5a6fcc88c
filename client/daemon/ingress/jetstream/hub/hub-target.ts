/** The hub among the targets of a daemon: how it is called, and how its address is told to people. */
export const hubName = "hub";

const scheme = "nats:hub/";

export function hubUrl(domain: string): string {
  return scheme + domain;
}

export function isHub(url: string): boolean {
  return url.startsWith(scheme);
}
