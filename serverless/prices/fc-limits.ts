/** What Function Compute 3.0 allows, as its documents say (quotas of 2026-04-01). */

/** ASSUMED: from memory. */
export const functionName = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/;

/** Of a function: vCPU, memory in MiB, and GiB of memory for each vCPU. ASSUMED: a GB of the documents is 1024 MB. */
export const sizeLimits = {
  vcpu: { min: 0.05, max: 16, step: 0.05 },
  memoryMib: { min: 128, max: 32_768, step: 64 },
  memoryGibPerVcpu: { min: 1, max: 4 },
  diskMb: [512, 10_240],
} as const;

/** Longest time limits that a function may be given, in seconds. */
export const maxTimeoutS = { call: 86_400, initializer: 300, preStop: 90 } as const;

/** Calls that one instance runs at a time. */
export const maxConcurrency = 200;

/** Names and values of a function's environment variables together. */
export const maxEnvironmentBytes = 4_096;

export const maxDescriptionLength = 256;

/** Runtimes in which a function brings its own server. */
export const customRuntimes = ["custom", "custom.debian10", "custom.debian11", "custom.debian12"] as const;

/** The body of a call or of its answer. */
export const maxPayloadBytes = 32 * 2 ** 20;

/** A code package. The first limit holds within a request, where base64 counts (ASSUMED), and in smaller regions. */
export const packageLimits = {
  zippedBytes: 100 * 2 ** 20,
  zippedInLargeRegionsBytes: 500 * 2 ** 20,
  unpackedBytes: 10_240 * 2 ** 20,
} as const;

export const triggerMethods = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"] as const;

/** Who may call a function through an HTTP trigger: anybody, or holders of an access key, by their signature. */
export const triggerAuths = ["anonymous", "function"] as const;
export type TriggerAuth = (typeof triggerAuths)[number];
