/** The sizes of blocks: in order, never too small, and at most a fifth too large above 64 bytes. */

import { describe, expect, it } from 'vitest'
import { bucketFor, indexFor, LARGEST, SIZES, sizeAt } from '#src/heap/sizes.ts'

const ALL = Array.from({ length: SIZES }, (_, index) => sizeAt(index))

describe('sizes of blocks', () => {
  it('are four to a doubling, from 16 bytes to 32 KiB', () => {
    expect(ALL.slice(0, 12)).toEqual([16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160])
    expect(ALL.slice(-5)).toEqual([16384, 20480, 24576, 28672, 32768])
    expect(ALL.at(-1)).toBe(LARGEST)
    expect(ALL.every((size) => size % 8 === 0)).toBe(true)
  })

  it('are the smallest with room, for every number of bytes', () => {
    for (let bytes = 1; bytes <= LARGEST; bytes++) {
      const index = indexFor(bytes)
      const size = sizeAt(index)
      const isSmallest = index === 0 || sizeAt(index - 1) < bytes
      if (size < bytes || !isSmallest) expect.unreachable(`${bytes} bytes get ${size}`)
    }
  })

  it('lose at most a fifth above 64 bytes', () => {
    for (let bytes = 65; bytes <= LARGEST; bytes++) {
      const size = sizeAt(indexFor(bytes))
      if (size - bytes > size / 5) expect.unreachable(`${bytes} bytes get ${size}`)
    }
  })

  it('have buckets of at most 32 KiB, or of two', () => {
    for (const size of ALL) {
      const items = bucketFor(size)
      expect(items >= 2 && (items === 2 || items * size <= 2 ** 15)).toBe(true)
    }
    expect([16, 128, 1024, 4096, 32768].map(bucketFor)).toEqual([249, 121, 25, 8, 2])
  })
})
