/**
 * Words, bytes, cache lines: the only place where these units meet. Addresses are counted in words.
 */

export const BYTES_PER_WORD = 4
export const WORDS_PER_FLOAT = 2
export const LINE_WORDS = 16
