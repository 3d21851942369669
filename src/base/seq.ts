/**
 * Sequence numbers on a circle of 2^32. Pure arithmetic: no memory, no clock.
 *
 * The two hands of a domain, what its readers publish, and the goals on retired buckets are all
 * `Seq`. They wrap, so "earlier" means "less than half a circle behind", and the only legal
 * comparison is the sign of a difference taken in 32 bits. `<` would be wrong once in 2^32 steps,
 * which is why the tests start just below the wrap.
 *
 * Valid values are odd: the first one is odd and every step is even. So 0 can mean "not in a
 * section", and wrapping never produces it. (FreeBSD: SMR_SEQ_INVALID, SMR_SEQ_INIT.)
 */

declare const kind: unique symbol

/** A point on the circle. */
export type Seq = number & { readonly [kind]: 'seq' }

/** "Not in a section" in a reader's word; "no goal" on a bucket. Never a valid sequence. */
export const INVALID = 0 as Seq

/**
 * How far apart the two hands may get: a quarter of the circle. Half would do for the arithmetic;
 * the other quarter is room for writers that all pass the check at once, and for a reader that is
 * descheduled between loading the clock and publishing what it loaded.
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

/** `seq` plus `steps`, wrapping. */
export function forward(seq: Seq, steps: number): Seq {
  return ((seq + steps) | 0) as Seq
}
