/**
 * Words, bytes, cache lines, batches: their sizes. Addresses are counted in words.
 */

export const BYTES_PER_WORD = 4
export const WORDS_PER_FLOAT = 2
export const LINE_WORDS = 16
/** The most keys that one call looks up together. */
export const KEYS_AT_ONCE = 64
