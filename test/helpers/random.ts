/**
 * Chance that can be had again: a small generator (Marsaglia's xorshift, 32 bits) with a seed.
 *
 * Workers of one run get different streams from one seed. With real threads the same seed does not
 * give the same interleaving, only the same choices; that is often enough to see a failure twice.
 */

const GOLDEN = 0x9e3779b1
const UINT = 2 ** 32

export class Random {
  private state: number

  /** `stream` tells apart those who share a seed. */
  constructor(seed: number, stream = 0) {
    this.state = Math.imul(seed ^ Math.imul(stream + 1, GOLDEN), GOLDEN) | 1
    for (let i = 0; i < 8; i++) this.next()
  }

  /** 32 bits, never all zero. */
  next(): number {
    let x = this.state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.state = x
    return x >>> 0
  }

  /** An integer from 0 to n - 1. */
  below(n: number): number {
    return Math.floor((this.next() / UINT) * n)
  }

  /** True once in n times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0
  }
}
