/**
 * What Function Compute 3.0 allows, as its documents say (quotas of 2026-04-01): plain facts that the queue's menu, the
 * local host, the packer and the deploy all go by.
 */

/** ASSUMED: from memory. */
export const functionName = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/;

/** Of a function: vCPU in steps, memory in MiB, 1 to 4 GiB of it for each vCPU. ASSUMED: a GB of the documents is 1024 MB. */
export const sizeLimits = {
  vcpu: { min: 0.05, max: 16, step: 0.05 },
  memoryMib: { min: 128, max: 32_768, step: 64 },
  memoryGibPerVcpu: { min: 1, max: 4 },
  diskMb: [512, 10_240],
} as const;

/** Longest times that a function may be given, in seconds. */
export const longestS = { call: 86_400, initializer: 300, preStop: 90 } as const;

/** Calls that one instance runs at a time. */
export const mostConcurrency = 200;

/** Names and values of a function's variables together, in bytes. */
export const maxEnvironmentBytes = 4_096;

export const maxDescriptionLength = 256;

/** Runtimes in which a function brings its own server. */
export const customRuntimes = ["custom", "custom.debian10", "custom.debian11", "custom.debian12"] as const;

/** Bodies of invocations and of their answers, in bytes. */
export const maxPayloadBytes = 32 * 2 ** 20;
export const maxAsyncPayloadBytes = 128 * 2 ** 10;

/** A zip, in bytes: within a request, and as base64 there (ASSUMED), as in the smaller regions; elsewhere; unpacked. */
export const packageLimits = {
  zippedBytes: 100 * 2 ** 20,
  zippedMostBytes: 500 * 2 ** 20,
  unpackedBytes: 10_240 * 2 ** 20,
} as const;

export const triggerMethods = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"] as const;
