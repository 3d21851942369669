/**
 * The sizes of blocks: four to each doubling, so that at most a fifth of a block is lost, from 16
 * bytes to 32 KiB. Below 64 bytes they are 8 apart, because addresses are even.
 *
 *   16 24 32 40 48 56 64   80 96 112 128   160 192 224 256   ...   20480 24576 28672 32768
 *
 * As in jemalloc and in XNU's kalloc. malloc(9) of FreeBSD has one size to each doubling, and
 * loses up to a half.
 */

import { BYTES_PER_WORD } from '../memory/memory.ts'
import { capacityFor } from '../zone/options.ts'

const SMALLEST = 16
/** Up to here sizes are `STEP` apart. */
const NEAR = 64
const STEP_BITS = 3
const STEP = 1 << STEP_BITS
const FIRST_FAR = (NEAR - SMALLEST) / STEP + 1
const NEAR_BITS = 6
/** 2^2 sizes to each doubling. */
const PART_BITS = 2
const PARTS = 1 << PART_BITS
const LAST_BITS = 15

/** The largest block that is an item of a zone. */
export const LARGEST: number = 2 ** LAST_BITS
/** How many sizes there are. */
export const SIZES: number = FIRST_FAR + (LAST_BITS - NEAR_BITS) * PARTS

/** The index of the smallest size with room for `bytes`, which is from 1 to `LARGEST`. */
export function indexFor(bytes: number): number {
  if (bytes <= NEAR) return bytes <= SMALLEST ? 0 : (bytes - SMALLEST + STEP - 1) >> STEP_BITS
  const last = bytes - 1
  const bits = 31 - Math.clz32(last)
  const part = (last >> (bits - PART_BITS)) & (PARTS - 1)
  return FIRST_FAR + ((bits - NEAR_BITS) << PART_BITS) + part
}

/** `indexFor` of every number of bytes, rounded up to whole steps: one load where it is hot. */
export const INDEX_BY_STEP: Uint8Array = new Uint8Array(LARGEST / STEP + 1)
export const STEP_SHIFT: number = STEP_BITS

for (let step = 0; step < INDEX_BY_STEP.length; step++) {
  INDEX_BY_STEP[step] = indexFor(step * STEP)
}

/** Bytes of the size with this index. */
export function sizeAt(index: number): number {
  if (index < FIRST_FAR) return SMALLEST + index * STEP
  const far = index - FIRST_FAR
  const unit = NEAR << (far >> PART_BITS)
  return unit + ((far % PARTS) + 1) * (unit >> PART_BITS)
}

/** Most bytes in a bucket: every worker keeps up to two buckets of each size that it uses. */
const BUCKET_BYTES = 2 ** 15
/** With one item in a bucket, each free would take the depot's lock and move the clock. */
const FEWEST = 2

/** Items in a bucket of blocks of this size. */
export function bucketFor(bytes: number): number {
  const usual = capacityFor(Math.ceil(bytes / BYTES_PER_WORD))
  return Math.max(FEWEST, Math.min(usual, Math.floor(BUCKET_BYTES / bytes)))
}
