/**
 * How a run of pages is cut into items, and the bits that say where each item is.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PAGE_WORDS } from '#src/memory/layout.ts'
import { Memory } from '#src/memory/memory.ts'
import {
  clearFree,
  countFree,
  FREE_BITS_AT,
  initBits,
  isFree,
  markBusy,
  markIdle,
  nextFree,
  type SlabShape,
  setFree,
  slabShape,
} from '#src/zone/slab.ts'

const shapes = fc
  .record({
    stride: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 20_000 })),
    alignOrder: fc.integer({ min: 1, max: 10 }),
    busy: fc.boolean(),
    pages: fc.integer({ min: 1, max: 2 ** 16 }),
  })
  .map(({ stride, alignOrder, busy, pages }) => {
    const align = 2 ** alignOrder
    return { stride: Math.ceil(stride / align) * align, align, busy, pages }
  })

describe('the cut of a slab', () => {
  it('holds at least one item, aligned, behind its bits and inside its pages', () => {
    fc.assert(
      fc.property(shapes, ({ stride, align, busy, pages }) => {
        const shape = slabShape(stride, align, busy, pages)
        const bits = Math.ceil(shape.perSlab / 32)
        expect(shape.stride).toBe(stride)
        expect(shape.perSlab).toBeGreaterThanOrEqual(1)
        expect(shape.itemsAt % align).toBe(0)
        expect(shape.itemsAt).toBeGreaterThanOrEqual(FREE_BITS_AT + bits * (busy ? 2 : 1))
        expect(shape.itemsAt + shape.perSlab * stride).toBeLessThanOrEqual(
          PAGE_WORDS * 2 ** shape.slabOrder,
        )
        expect(shape.busyAt).toBe(busy ? FREE_BITS_AT + bits : 0)
      }),
    )
  })

  it('leaves no room for one item more', () => {
    fc.assert(
      fc.property(shapes, ({ stride, align, busy, pages }) => {
        const { perSlab, slabOrder } = slabShape(stride, align, busy, pages)
        const bits = Math.ceil((perSlab + 1) / 32) * (busy ? 2 : 1)
        const itemsAt = Math.ceil((FREE_BITS_AT + bits) / align) * align
        expect(itemsAt + (perSlab + 1) * stride).toBeGreaterThan(PAGE_WORDS * 2 ** slabOrder)
      }),
    )
  })

  it('wastes less than a tenth on items up to a page in an arena of any decent size', () => {
    for (let stride = 2; stride <= PAGE_WORDS; stride += 2) {
      const { perSlab, slabOrder } = slabShape(stride, 2, true, 2 ** 14)
      const waste = 1 - (perSlab * stride) / (PAGE_WORDS * 2 ** slabOrder)
      expect(waste).toBeLessThan(0.1)
      expect(slabOrder).toBeLessThanOrEqual(4)
    }
  })

  it('takes smaller slabs in smaller arenas', () => {
    const orders = [4, 16, 64, 1024, 2 ** 16].map(
      (pages) => slabShape(150, 2, false, pages).slabOrder,
    )
    expect(orders).toEqual([...orders].sort((a, b) => a - b))
    expect(orders[0]).toBe(0)
  })

  it('fits an item that no usual slab holds', () => {
    const { perSlab, slabOrder } = slabShape(PAGE_WORDS * 100, 2, false, 2 ** 10)
    expect(perSlab).toBeGreaterThanOrEqual(1)
    expect(2 ** slabOrder).toBeGreaterThan(100)
  })
})

describe('the bits of a slab', () => {
  const SLAB = PAGE_WORDS
  const memoryOf = (shape: SlabShape) =>
    new Memory(new SharedArrayBuffer((SLAB + PAGE_WORDS * 2 ** shape.slabOrder) * 4))

  it('say of a new slab that everything is here and nobody has anything', () => {
    for (const stride of [2, 4, 6, 30, 100, 1000]) {
      const shape = slabShape(stride, 2, true, 2 ** 10)
      const memory = memoryOf(shape)
      memory.fill(SLAB, PAGE_WORDS * 2 ** shape.slabOrder, -1)
      initBits(memory, SLAB, shape)
      expect(countFree(memory, SLAB, shape.perSlab)).toBe(shape.perSlab)
      expect(nextFree(memory, SLAB, shape.perSlab, shape.perSlab)).toBe(-1)
      for (let index = 0; index < shape.perSlab; index++) {
        expect(nextFree(memory, SLAB, index, shape.perSlab)).toBe(index)
        expect(markIdle(memory, SLAB, shape, index)).toBe(false)
      }
      // Not a word of the first item.
      expect(memory.peek(SLAB + shape.itemsAt)).toBe(-1)
    }
  })

  it('agree with a set, whatever is taken and given', () => {
    const step = fc.record({ index: fc.nat(2000), take: fc.boolean() })
    fc.assert(
      fc.property(fc.constantFrom(2, 6, 34, 130), fc.array(step), (stride, steps) => {
        const shape = slabShape(stride, 2, true, 2 ** 10)
        const { perSlab } = shape
        const memory = memoryOf(shape)
        initBits(memory, SLAB, shape)
        const free = new Set(Array.from({ length: perSlab }, (_, index) => index))
        const busy = new Set<number>()
        for (const { index: any, take } of steps) {
          const index = any % perSlab
          if (take) {
            clearFree(memory, SLAB, index)
            free.delete(index)
            expect(markBusy(memory, SLAB, shape, index)).toBe(!busy.has(index))
            busy.add(index)
          } else {
            setFree(memory, SLAB, index)
            free.add(index)
            expect(markIdle(memory, SLAB, shape, index)).toBe(busy.has(index))
            busy.delete(index)
          }
          expect(isFree(memory, SLAB, index)).toBe(free.has(index))
        }
        expect(countFree(memory, SLAB, perSlab)).toBe(free.size)
        const found: number[] = []
        for (
          let index = nextFree(memory, SLAB, 0, perSlab);
          index >= 0;
          index = nextFree(memory, SLAB, index + 1, perSlab)
        ) {
          found.push(index)
        }
        expect(found).toEqual([...free].sort((a, b) => a - b))
      }),
    )
  })
})
