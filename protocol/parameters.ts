// The name/value pairs that requests, tensors and responses carry. Apart from message.ts because a tensor has them
// too, and messages are made of tensors.

/** Values are strings, finite numbers or booleans. */
export type Parameters = Record<string, string | number | boolean>;
