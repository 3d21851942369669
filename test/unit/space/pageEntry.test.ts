/**
 * One word of the page table: what is written into it can be read out of it, and no two meanings
 * share a word.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_WORKERS, ORDERS, PAGE_WORDS, RunKind } from '#src/memory/layout.ts'
import {
  baseOf,
  decode,
  free,
  isOfKind,
  kindOf,
  orderFor,
  orderOf,
  reserved,
  sizeOf,
  used,
} from '#src/space/pageEntry.ts'
import { corruption } from '../../helpers/refusals.ts'

/** A page at which a run of any order may start, and where the pages end. */
const PAGE = 2 ** ORDERS
const END = 2 * PAGE

const order = fc.nat(ORDERS - 1)
const slot = fc.nat(MAX_WORKERS - 1)
const kind = fc.constantFrom(...Object.values(RunKind))
/** Any page that 31-bit word addresses reach, but not the first: the header lies there. */
const base = fc.integer({ min: 1, max: 2 ** 21 - 1 }).map((page) => page * PAGE_WORDS)

describe('an entry', () => {
  it('of a used run keeps base, kind and order, and is positive', () => {
    fc.assert(
      fc.property(base, kind, order, (at, what, n) => {
        const entry = used(at, what, n)
        expect(entry | 0).toBe(entry)
        expect(entry).toBeGreaterThan(0)
        expect([baseOf(entry), kindOf(entry), orderOf(entry)]).toEqual([at, what, n])
        const run = decode(entry, PAGE, at, END)
        expect(run).toEqual({ base: at, order: n, state: 'used', who: what })
      }),
    )
  })

  it('of a free run keeps its order, of a reserved one its worker too; both are of no kind', () => {
    fc.assert(
      fc.property(base, order, slot, (at, n, who) => {
        for (const entry of [free(n), reserved(n, who)]) {
          expect(entry | 0).toBe(entry)
          expect(entry).toBeLessThan(0)
          expect([kindOf(entry), orderOf(entry)]).toEqual([0, n])
        }
        const run = decode(free(n), PAGE, at, END)
        expect(run).toEqual({ base: at, order: n, state: 'free', who: -1 })
        expect(decode(reserved(n, who), PAGE, at, END)).toEqual({
          base: at,
          order: n,
          state: 'reserved',
          who,
        })
      }),
    )
  })

  it('is of one kind at most, and says so in one comparison', () => {
    const entries = fc.oneof(
      fc.tuple(base, kind, order).map(([at, what, n]) => used(at, what, n)),
      order.map(free),
      fc.tuple(order, slot).map(([n, who]) => reserved(n, who)),
      fc.constant(0),
    )
    fc.assert(
      fc.property(entries, kind, (entry, what) => {
        expect(isOfKind(entry, what)).toBe(kindOf(entry) === what)
      }),
      { numRuns: 1000 },
    )
  })

  it('that is the inside of a run, or another run’s, is no beginning of one', () => {
    expect(corruption(() => decode(0, 3, PAGE_WORDS, 9)).facts).toEqual({
      page: 3,
      entry: 0,
      end: 9,
    })
    const elsewhere = used(2 * PAGE_WORDS, RunKind.slab, 1)
    expect(corruption(() => decode(elsewhere, 3, PAGE_WORDS, 9)).message).toBe(
      `page table: no run starts at page 3, its entry is ${elsewhere}; pages are used up to 9`,
    )
  })

  it.each([
    ['longer than what is used', free(3), 8, 15],
    ['where none of its size starts', free(2), 6, 20],
    ['of an order that no arena has', free(ORDERS), 0, 2 ** 30],
    ['used and longer than what is', used(PAGE_WORDS, RunKind.slab, 1), 8, 9],
  ])('that is %s is none', (_, entry, page, end) => {
    expect(corruption(() => decode(entry, page, PAGE_WORDS, end)).facts).toEqual({
      page,
      entry,
      end,
    })
  })
})

describe('sizes', () => {
  it('orderFor is the smallest power of two of pages that holds the words', () => {
    expect([0, 1, PAGE_WORDS].map(orderFor)).toEqual([0, 0, 0])
    for (let n = 0; n < ORDERS - 1; n++) {
      expect(sizeOf(n)).toBe(2 ** n)
      expect(orderFor(PAGE_WORDS * sizeOf(n))).toBe(n)
      expect(orderFor(PAGE_WORDS * sizeOf(n) + 1)).toBe(n + 1)
    }
  })
})
