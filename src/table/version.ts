/**
 * Versions of records: the word behind a record that tells it from every other record of its key.
 *
 * They count up per stripe and repeat after 2^31 writes; 0 is the version of no record.
 */

/** What a write may expect instead of a version: whatever is there; nothing. */
export const ANY: number = -1
export const ABSENT = 0
export const MOST_VERSIONS: number = 2 ** 31 - 1
