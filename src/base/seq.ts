/**
 * Sequence numbers on a circle of 2^32. Pure arithmetic: no memory, no clock.
 *
 * A domain's two hands, its readers' published values and the goals on retired buckets are all
 * `Seq`. They wrap, so "earlier" means "less than half a circle behind", and the only legal
 * comparison is the sign of a difference taken in 32 bits. Comparing two of them with `<` is wrong
 * exactly once in 2^32 steps, which is why the test configuration starts just below the wrap.
 *
 * Valid values are odd: the first one is odd and every step is even. So 0 can say "not in a
 * section" and no amount of wrapping ever produces it. (FreeBSD: SMR_SEQ_INVALID, SMR_SEQ_INIT.)
 */

declare const kind: unique symbol

/** A point on the circle. */
export type Seq = number & { readonly [kind]: 'seq' }

/** "Not in a section" in a reader's word; "no goal" on a bucket. Never a valid sequence. */
export const INVALID = 0 as Seq

/**
 * How far apart the two hands may get: a quarter of the circle. Half would do for the arithmetic;
 * the other quarter is room for writers that all pass the check at once, and for a reader that
 * naps between looking at the clock and publishing what it saw.
 */
export const MAX_DELTA: number = 2 ** 30

/** Signed distance from `b` to `a`: positive when `a` is later. */
export function delta(a: Seq, b: Seq): number {
  return (a - b) | 0
}

export function lt(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) < 0
}

export function leq(a: Seq, b: Seq): boolean {
  return ((a - b) | 0) <= 0
}

/** The later by `steps`, wrapping. */
export function forward(seq: Seq, steps: number): Seq {
  return ((seq + steps) | 0) as Seq
}
