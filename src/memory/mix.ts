/**
 * The finisher of every hash: murmur3's fmix32.
 *
 * It spreads every bit of its input over the whole output - each input bit turns each output bit
 * with probability very near one half - and is one to one, so keys of one word never collide at all.
 * It stands down here because intrinsics.wat repeats it.
 */

/** Keeps zero from mixing to zero, which would make an empty word look like a hash. */
export const SEED = 0x1b873593

export function mix(bits: number): number {
  let h = bits
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
