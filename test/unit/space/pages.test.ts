/**
 * The buddy allocator: no two runs overlap, nothing is lost, and a run is refused only if there
 * really is none. Single steps first; then random sequences by two workers against a map of single
 * pages, which knows nothing of orders and lists; then a worker that dies at each of its writes.
 */

import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Arena } from '#src/arena/arena.ts'
import { FreeRun, Header, ORDERS, PAGE_WORDS, RunKind } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import { orderFor, type Run } from '#src/space/pageEntry.ts'
import { checkPages, type Pages } from '#src/space/pages.ts'
import { pair } from '../../helpers/company.ts'
import { dieAfter } from '../../helpers/death.ts'
import { interrupt, MANNERS } from '../../helpers/interrupt.ts'
import { corruption } from '../../helpers/refusals.ts'

const PAGES_WANTED = 40

let a: Arena
let b: Arena
let pages: Pages
let memory: Memory

/** A fresh arena with two workers, and how many pages it has. */
function fresh(): number {
  ;[a, b] = pair({ bytes: (PAGES_WANTED + 8) * PAGE_WORDS * 4 })
  pages = a.space.pages
  memory = a.memory
  return pages.count
}

beforeEach(() => {
  fresh()
})

const pagesOf = (n: number): number => n * PAGE_WORDS
const pageAt = (base: number): number => (base - memory.peek(Header.pagesAt)) / PAGE_WORDS
const summary = (runs: Run[]): string =>
  runs.map((run) => `${pageAt(run.base)}+${2 ** run.order} ${run.state}`).join(', ')

describe('reserve', () => {
  it('takes runs one behind the other from memory that nobody has touched', () => {
    expect([1, 1, 2, 4].map((n) => pageAt(pages.reserve(pagesOf(n))))).toEqual([0, 1, 2, 4])
    expect(pages.room()).toEqual({ untouched: pages.count - 8, free: 0 })
    checkPages(memory, pages)
  })

  it('marks the run as this worker’s until it is published', () => {
    const base = b.space.pages.reserve(1)
    expect(pages.runs()).toEqual([{ base, order: 0, state: 'reserved', who: b.workerId }])
    b.space.pages.publish(base, RunKind.zone)
    expect(pages.runs()).toEqual([{ base, order: 0, state: 'used', who: RunKind.zone }])
  })

  it('is noted in the slot’s word for as long as some are, and no longer', () => {
    const noted = (): number => memory.load(a.space.workers.reservingAt(a.space.slot))
    const [one, two, three] = [1, 1, 1].map(() => pages.reserve(1)) as [number, number, number]
    pages.publish(one, RunKind.zone)
    pages.release(two)
    expect(noted()).toBe(1)
    pages.publish(three, RunKind.zone)
    expect(noted()).toBe(0)
    pages.release(three)
    pages.release(one)
    expect(noted()).toBe(0)
  })

  it('aligns a run to its size, and leaves free what that skips', () => {
    expect(pageAt(pages.reserve(1))).toBe(0)
    expect(pageAt(pages.reserve(pagesOf(8)))).toBe(8)
    expect(summary(pages.runs())).toBe('0+1 reserved, 1+1 free, 2+2 free, 4+4 free, 8+8 reserved')
    expect(pages.room().free).toBe(7)
    checkPages(memory, pages)
  })

  it('uses what was skipped before it touches more', () => {
    pages.reserve(1)
    pages.reserve(pagesOf(8))
    expect([1, 2, 4].map((n) => pageAt(pages.reserve(pagesOf(n))))).toEqual([1, 2, 4])
    expect(pages.room()).toMatchObject({ free: 0, untouched: pages.count - 16 })
  })

  it('splits a larger free run, and lists the rest', () => {
    const base = pages.reserve(pagesOf(8))
    pages.release(base)
    expect(pageAt(pages.reserve(1))).toBe(0)
    expect(summary(pages.runs())).toBe('0+1 reserved, 1+1 free, 2+2 free, 4+4 free')
    checkPages(memory, pages)
  })

  it('merges what alignment skips with the free run beside it', () => {
    const [zero, one] = [pages.reserve(1), pages.reserve(1)]
    pages.reserve(1)
    expect(pageAt(pages.reserve(pagesOf(4)))).toBe(4)
    pages.release(one as number)
    pages.release(zero as number)
    expect(summary(pages.runs())).toBe('0+2 free, 2+1 reserved, 3+1 free, 4+4 reserved')
    pages.release(pages.runs()[1]?.base as number)
    expect(summary(pages.runs())).toBe('0+4 free, 4+4 reserved')
    checkPages(memory, pages)
  })

  it('continues a free run at the end of what was used into memory that nobody has touched', () => {
    const bases = [4, 4, 1, 1].map((n) => pages.reserve(pagesOf(n)))
    for (const base of bases.slice(1)) pages.release(base)
    expect(summary(pages.runs())).toBe('0+4 reserved, 4+4 free, 8+2 free')
    expect(pageAt(pages.reserve(pagesOf(8)))).toBe(8)
    expect(pages.room()).toEqual({ untouched: pages.count - 16, free: 4 })
    checkPages(memory, pages)
  })

  it('also into the very last pages', () => {
    while (pages.room().untouched > 1) pages.reserve(1)
    const last = pages.runs().at(-1) as Run
    pages.release(last.base)
    expect(pages.count % 2).toBe(0)
    expect(pages.reserve(pagesOf(2))).toBe(last.base)
    expect(pages.room()).toEqual({ untouched: 0, free: 0 })
    checkPages(memory, pages)
  })

  it('but not when a page in between is taken', () => {
    const bases = [1, 1, 1].map((n) => pages.reserve(pagesOf(n)))
    pages.release(bases[0] as number)
    pages.release(bases[2] as number)
    expect(pageAt(pages.reserve(pagesOf(4)))).toBe(4)
    checkPages(memory, pages)
  })

  it('answers 0 when there is none, and changes nothing', () => {
    const taken: number[] = []
    for (let base = pages.reserve(1); base !== 0; base = pages.reserve(1)) taken.push(base)
    expect(taken.length).toBe(pages.count)
    const before = memory.words.slice()
    for (const words of [1, pagesOf(2), pagesOf(2 ** 20), 2 ** 31, 2 ** 40, Infinity]) {
      expect(pages.reserve(words)).toBe(0)
    }
    expect(memory.words.every((word, at) => word === before[at])).toBe(true)
    pages.release(taken[3] as number)
    expect(pages.reserve(1)).toBe(taken[3])
  })

  it('does not skip pages for a run that does not fit anyway', () => {
    const before = pages.room()
    expect(pages.reserve(pagesOf(64))).toBe(0)
    expect(pages.room()).toEqual(before)
  })
})

describe('release', () => {
  it('merges buddies in any order into the one run that they were', () => {
    const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 })
    fc.assert(
      fc.property(order, (each) => {
        fresh()
        const bases = each.map(() => pages.reserve(1))
        for (const i of each) pages.release(bases[i] as number)
        expect(summary(pages.runs())).toBe('0+8 free')
        checkPages(memory, pages)
      }),
      { numRuns: 30 },
    )
  })

  it('leaves a neighbour alone that is no buddy', () => {
    const [, one, two] = [pages.reserve(1), pages.reserve(1), pages.reserve(1), pages.reserve(1)]
    pages.release(one as number)
    pages.release(two as number)
    expect(summary(pages.runs())).toBe('0+1 reserved, 1+1 free, 2+1 free, 3+1 reserved')
  })

  it('leaves a buddy alone that is in use, reserved, or split', () => {
    const bases = [1, 1, 2].map((n) => pages.reserve(pagesOf(n)))
    pages.publish(bases[0] as number, RunKind.slab)
    pages.release(bases[2] as number)
    expect(summary(pages.runs())).toBe('0+1 used, 1+1 reserved, 2+2 free')
    pages.release(bases[1] as number)
    expect(summary(pages.runs())).toBe('0+1 used, 1+1 free, 2+2 free')
  })

  it('by another worker than the one that reserved', () => {
    const base = pages.reserve(1)
    b.space.pages.publish(base, RunKind.slab)
    b.space.pages.release(base)
    expect(summary(pages.runs())).toBe('0+1 free')
  })
})

describe('find', () => {
  it('leads from every address inside a published run to its base, and from no other', () => {
    const before = pages.reserve(1)
    pages.publish(before, RunKind.slab)
    const base = pages.reserve(pagesOf(4))
    expect(pages.find(base, RunKind.slab)).toBe(0)
    pages.publish(base, RunKind.slab)
    for (const at of [base, base + 1, base + pagesOf(1), base + pagesOf(4) - 1]) {
      expect(pages.find(at, RunKind.slab)).toBe(base)
      expect(b.space.pages.find(at, RunKind.slab)).toBe(base)
    }
    expect(pages.find(base - 1, RunKind.slab)).toBe(0)
    expect(pages.find(before + 5, RunKind.slab)).toBe(before)
    expect(pages.find(base + pagesOf(4), RunKind.slab)).toBe(0)
    expect(pages.wordsAt(base)).toBe(pagesOf(4))
  })

  it('minds the kind, and forgets what was released', () => {
    const base = pages.reserve(pagesOf(2))
    pages.publish(base, RunKind.zone)
    for (const kind of Object.values(RunKind)) {
      expect(pages.find(base, kind)).toBe(kind === RunKind.zone ? base : 0)
    }
    pages.release(base)
    for (const at of [base, base + pagesOf(1)]) expect(pages.find(at, RunKind.zone)).toBe(0)
  })

  it('answers 0 for addresses that lie in no page', () => {
    const base = pages.reserve(1)
    pages.publish(base, RunKind.slab)
    const end = base + pagesOf(pages.count)
    for (const at of [0, 1, -1, base - 1, end, end + pagesOf(1), 2 ** 31 - 1, -(2 ** 31)]) {
      expect(pages.find(at, RunKind.slab), String(at)).toBe(0)
    }
  })
})

describe('a run and the word that leads to it', () => {
  it('come and go together', () => {
    const target = pages.reserve(1) + 7
    memory.poke(target, 0)
    const base = pages.allocateInto(target, pagesOf(2), RunKind.chains)
    expect([memory.peek(target), pages.find(base + pagesOf(1), RunKind.chains)]).toEqual([
      base,
      base,
    ])
    pages.releaseFrom(target, base)
    expect([memory.peek(target), pages.find(base, RunKind.chains)]).toEqual([0, 0])
    expect(memory.peek(Header.redoTarget)).toBe(0)
    expect(summary(pages.runs())).toBe('0+1 reserved, 1+1 free, 2+2 free')
    checkPages(memory, pages)
    expect(pages.allocateInto(target, pagesOf(2 ** 20), RunKind.chains)).toBe(0)
    expect(memory.peek(target)).toBe(0)
  })
})

it('what lies behind the page table is never taken for an entry of it', () => {
  const table = memory.peek(Header.pageTableAt)
  const end = memory.peek(Header.pagesAt)
  const padding = end - table - pages.count
  expect(padding).toBeGreaterThan(16)
  const last = end + pagesOf(pages.count)
  memory.poke(table + pages.count, last | (RunKind.slab << 5))
  expect(pages.find(last, RunKind.slab)).toBe(0)
  for (let order = 0; order < 6; order++) {
    fresh()
    memory.fill(table + pages.count, padding, ~order)
    const taken: number[] = []
    for (let base = pages.reserve(1); base !== 0; base = pages.reserve(1)) taken.push(base)
    for (const base of taken) pages.release(base)
    checkPages(memory, pages)
    expect(pages.runs().reduce((sum, run) => sum + 2 ** run.order, 0)).toBe(pages.count)
  }
})

describe('checkPages', () => {
  it('rings when a free run is lost, counted twice, or torn', () => {
    pages.reserve(1)
    pages.reserve(pagesOf(4))
    checkPages(memory, pages)
    const head = Header.freeRuns + 1
    for (const at of [head, Header.freePages]) {
      const was = memory.peek(at)
      memory.poke(at, 0)
      expect(corruption(() => checkPages(memory, pages)).message).toContain('not conserved')
      memory.poke(at, was)
    }
    checkPages(memory, pages)
    const table = memory.peek(Header.pageTableAt)
    memory.store(table + 4, 0)
    expect(corruption(() => checkPages(memory, pages)).facts).toMatchObject({ page: 4, entry: 0 })
  })
})

// ---- damage ----------------------------------------------------------------------------------

describe('damaged words', () => {
  let runs: number[]
  let table: number
  const headOf = (order: number): number => Header.freeRuns + order

  beforeEach(() => {
    // Free: pages 1, 3 and 5, in one list; used: all others.
    runs = Array.from({ length: 7 }, () => pages.reserve(1))
    for (const run of runs) pages.publish(run, RunKind.zone)
    for (const i of [1, 3, 5]) pages.release(runs[i] as number)
    table = memory.peek(Header.pageTableAt)
  })

  it.each<[string, () => [number, number], () => unknown]>([
    ['a list that begins in a used page', () => [headOf(0), runs[2] ?? 0], () => pages.reserve(1)],
    ['a list that begins nowhere', () => [headOf(0), -5], () => pages.reserve(1)],
    ['a list that begins in a page', () => [headOf(0), (runs[5] ?? 0) + 4], () => pages.reserve(1)],
    ['a list of another order', () => [headOf(2), runs[5] ?? 0], () => pages.reserve(4000)],
    [
      'a free run that leads to itself',
      () => [(runs[5] ?? 0) + FreeRun.next, runs[5] ?? 0],
      () => pages.reserve(1),
    ],
    [
      'a free run that leads out of the arena',
      () => [(runs[5] ?? 0) + FreeRun.next, 2 ** 31 - 1],
      () => pages.reserve(1),
    ],
    [
      'a free run that is led to from elsewhere',
      () => [(runs[3] ?? 0) + FreeRun.prev, runs[1] ?? 0],
      () => pages.release(runs[2] as number),
    ],
    ['a run without an entry', () => [table + 2, 0], () => pages.release(runs[2] as number)],
    ['a run that is free already', () => [table + 2, ~0], () => pages.release(runs[2] as number)],
    ['an entry as long as all pages', () => [table + 2, ~21], () => pages.runs()],
    ['an entry of order 31', () => [table, ~31], () => pages.runs()],
    ['an entry of nobody', () => [table + 4, 77], () => pages.sweep(() => () => true)],
    ['more pages used than there are', () => [Header.brk, 10_000], () => pages.runs()],
    ['fewer than none', () => [Header.brk, -7], () => pages.reserve(2 ** 14)],
  ])('%s is told, and no lock stays', (_, damage, verb) => {
    const [at, value] = damage()
    const was = memory.peek(at)
    memory.poke(at, value)
    expect(corruption(verb).message).toMatch(/^(?:arena pages|page table): /)
    expect(a.space.locks.holds(Header.pageLock)).toBe(false)
    memory.poke(at, was)
  })

  it('a redo record that names no run changes nothing', () => {
    const entry = memory.load(table)
    memory.poke(Header.redoRun, runs[0] ?? 0)
    memory.poke(Header.redoEntry, (runs[0] ?? 0) | (RunKind.slab << 5) | (ORDERS - 1))
    memory.poke(Header.redoTarget, (runs[2] ?? 0) + 9)
    b.space.locks.acquire(Header.pageLock, 'x')
    a.space.workers.release(b.workerId)
    expect(corruption(() => pages.recover()).message).toMatch(/no run starts at page 0/)
    expect([memory.load(table), memory.peek((runs[2] ?? 0) + 9)]).toEqual([entry, 0])
  })

  it('a list of free runs that is a circle is counted, and no more', () => {
    memory.poke((runs[1] ?? 0) + FreeRun.next, runs[5] ?? 0)
    expect(corruption(() => checkPages(memory, pages)).message).toContain('not conserved')
  })
})

// ---- random sequences ------------------------------------------------------------------------

describe('any sequence of two workers', () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ reserve: fc.integer({ min: 1, max: 9 }), by: fc.nat(1) }) },
    { weight: 2, arbitrary: fc.record({ release: fc.nat(), by: fc.nat(1) }) },
    { weight: 1, arbitrary: fc.record({ publish: fc.nat(), by: fc.nat(1) }) },
  )

  /** What the map of single pages can answer: is there a free, aligned run of 2^order pages? */
  function hasRoom(owner: readonly number[], order: number): boolean {
    const size = 2 ** order
    for (let page = 0; page + size <= owner.length; page += size) {
      if (owner.slice(page, page + size).every((base) => base === 0)) return true
    }
    return false
  }

  it('keeps runs apart, loses no page, and refuses only what does not fit', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const owner: number[] = new Array(fresh()).fill(0)
        const held: number[] = []
        const mark = (base: number, value: number): void => {
          const size = pages.wordsAt(base) / PAGE_WORDS
          for (let i = 0; i < size; i++) {
            const page = pageAt(base) + i
            expect(owner[page]).toBe(value === 0 ? base : 0)
            owner[page] = value
          }
        }
        for (const each of steps) {
          const own = each.by === 0 ? a.space.pages : b.space.pages
          if ('reserve' in each) {
            const order = orderFor(pagesOf(each.reserve))
            const fits = hasRoom(owner, order)
            const base = own.reserve(pagesOf(each.reserve))
            expect(base !== 0, `room for ${each.reserve} pages`).toBe(fits)
            if (base === 0) continue
            expect(pageAt(base) % 2 ** order).toBe(0)
            expect(pages.wordsAt(base)).toBe(pagesOf(2 ** order))
            mark(base, base)
            held.push(base)
          } else if (held.length > 0) {
            const i = ('release' in each ? each.release : each.publish) % held.length
            const base = held[i] as number
            if ('publish' in each) own.publish(base, RunKind.slab)
            else {
              mark(base, 0)
              held.splice(i, 1)
              own.release(base)
            }
          }
          checkPages(memory, pages)
        }
        for (const base of held) pages.release(base)
        checkPages(memory, pages)
        expect(pages.runs().filter((run) => run.state !== 'free')).toEqual([])
        // All free again: as few runs as the number of pages ever used has bits.
        const used = pages.count - pages.room().untouched
        expect(pages.runs().map((run) => 2 ** run.order)).toEqual(
          [32, 16, 8, 4, 2, 1].filter((bit) => (used & bit) !== 0),
        )
      }),
      { numRuns: 400 },
    )
  })
})

// ---- a worker dies -----------------------------------------------------------------------------

describe('a worker that dies at any of its writes', () => {
  type Action = (own: Pages, bases: readonly number[]) => void
  /** 0+1 used, 1+1 free, 2+2 used, 4+4 free, 8+8 reserved by a, 16+1 reserved by b. */
  const shape = (): number[] => {
    const [zero, eight] = [1, 8].map((n) => pages.reserve(pagesOf(n))) as [number, number]
    const [one, two, four] = [1, 2, 4].map((n) => pages.reserve(pagesOf(n))) as [
      number,
      number,
      number,
    ]
    const sixteen = b.space.pages.reserve(1)
    for (const base of [zero, two]) pages.publish(base, RunKind.slab)
    for (const base of [one, four]) pages.release(base)
    return [zero, two, eight, sixteen]
  }
  const usedRuns = (): number[] =>
    pages
      .runs()
      .filter(({ state }) => state === 'used')
      .map(({ base }) => base)
  /** Where a run is noted whose taking and giving back must be all or nothing. */
  const noteOf = (bases: readonly number[]): number => (bases[2] as number) + 100

  const actions: [string, Action][] = [
    ['reserve a run that fits', (own) => own.reserve(1)],
    ['reserve by splitting', (own) => own.reserve(pagesOf(2))],
    ['reserve from untouched pages, skipping some', (own) => own.reserve(pagesOf(8))],
    [
      'reserve across the end of what was used',
      (own, bases) => {
        own.release(bases[3] as number)
        own.reserve(pagesOf(16))
      },
    ],
    ['release between two free runs', (own, bases) => own.release(bases[1] as number)],
    [
      'release two runs, the second of which merges three times',
      (own, bases) => {
        for (const i of [1, 0]) own.release(bases[i] as number)
      },
    ],
    ['release what was only reserved', (own, bases) => own.release(bases[3] as number)],
    ['publish', (own, bases) => own.publish(bases[2] as number, RunKind.zone)],
    [
      'take a run and note it, by splitting',
      (own, bases) => own.allocateInto(noteOf(bases), 1, RunKind.slab),
    ],
    [
      'take a run that fits and note it',
      (own, bases) => own.allocateInto(noteOf(bases), pagesOf(4), RunKind.slab),
    ],
    [
      'take an untouched run and note it',
      (own, bases) => own.allocateInto(noteOf(bases), pagesOf(8), RunKind.slab),
    ],
    [
      'give a noted run back',
      (own, bases) => {
        own.releaseFrom(noteOf(bases), own.allocateInto(noteOf(bases), pagesOf(2), RunKind.slab))
      },
    ],
    [
      'all in a row',
      (own) => {
        const one = own.reserve(pagesOf(4))
        own.publish(one, RunKind.zone)
        const two = own.reserve(1)
        own.release(one)
        own.release(two)
      },
    ],
  ]

  it.each(actions)('%s: nothing is lost and nothing is handed out twice', (name, action) => {
    let deaths = 0
    for (let writes = 0; ; writes++) {
      fresh()
      const bases = shape()
      memory.poke(noteOf(bases), 0)
      const used = usedRuns()
      if (!dieAfter(b, writes, () => action(b.space.pages, bases))) break
      deaths++
      a.space.workers.release(b.workerId)
      pages.releaseReservedBy(b.workerId)
      checkPages(memory, pages)
      expect(memory.load(Header.pageLock)).toBe(0)
      const noted = memory.peek(noteOf(bases))
      if (name.includes('note'))
        expect(usedRuns()).toEqual([...used, noted].filter((at) => at !== 0).sort((x, y) => x - y))
      expect(pages.runs().some((run) => run.state === 'reserved' && run.who === b.workerId)).toBe(
        false,
      )
      // Whoever lives on can fill the arena to the last page and give everything back.
      const taken: number[] = []
      for (let base = pages.reserve(1); base !== 0; base = pages.reserve(1)) taken.push(base)
      expect(new Set(taken).size).toBe(taken.length)
      expect(pages.room()).toEqual({ untouched: 0, free: 0 })
      const others = pages.runs().filter(({ base }) => !taken.includes(base))
      const pagesOfOthers = others.reduce((sum, run) => sum + 2 ** run.order, 0)
      expect(taken.length + pagesOfOthers).toBe(pages.count)
      for (const { base } of pages.runs()) pages.release(base)
      checkPages(memory, pages)
      expect(pages.runs().map((run) => 2 ** run.order)).toEqual(
        [32, 16, 8, 4, 2, 1].filter((bit) => (pages.count & bit) !== 0),
      )
    }
    expect(deaths).toBeGreaterThan(2)
  })

  it('the next owner of the lock makes lists again that were torn to pieces', () => {
    shape()
    const before = pages.runs()
    expect(summary(before)).toBe(
      '0+1 used, 1+1 free, 2+2 used, 4+4 free, 8+8 reserved, 16+1 reserved',
    )
    b.space.locks.lock(Header.pageLock, 'x')
    for (let order = 0; order < ORDERS; order++) memory.poke(Header.freeRuns + order, 0)
    for (const run of before.filter(({ state }) => state === 'free')) {
      memory.poke(run.base + FreeRun.next, 12_345)
      memory.poke(run.base + FreeRun.prev, -1)
    }
    memory.poke(Header.freePages, 999)
    a.space.workers.release(b.workerId)
    expect(pages.runs()).toEqual(before)
    checkPages(memory, pages)
    expect([1, 4, 2].map((n) => pageAt(pages.reserve(pagesOf(n))))).toEqual([1, 4, 18])
    checkPages(memory, pages)
  })

  it('leaves what living workers have reserved alone', () => {
    const mine = pages.reserve(1)
    const theirs = b.space.pages.reserve(1)
    a.space.workers.release(b.workerId)
    pages.releaseReservedBy(b.workerId)
    expect(pages.runs().map(({ base, state }) => [base, state])).toEqual([
      [mine, 'reserved'],
      [theirs, 'free'],
    ])
  })
})

describe('a call that ends anywhere', () => {
  const redo = (): number => Header.WORDS - 2

  /** One of each state and some sizes, so that there is something to split, merge and skip. */
  function arrange(): { mine: number; promised: number } {
    fresh()
    const runs = [1, 1, 2, 4].map((n) => pages.reserve(pagesOf(n)))
    for (const i of [0, 2]) pages.release(runs[i] as number)
    pages.publish(runs[1] as number, RunKind.zone)
    return { mine: runs[3] as number, promised: redo() }
  }

  const VERBS = {
    'reserve, from a larger run': () => pages.reserve(1),
    'reserve, from untouched pages': () => pages.reserve(pagesOf(8)),
    release: ({ mine }: { mine: number }) => pages.release(mine),
    'a redo record': ({ promised }: { promised: number }) => {
      const base = pages.allocateInto(promised, pagesOf(4), RunKind.chains)
      pages.releaseFrom(promised, base)
    },
    sweep: () => pages.sweep(() => () => false),
    looking: () => pages.runs(),
  } as const

  describe.each(MANNERS)('%s', (manner) => {
    it.each(Object.entries(VERBS))('%s: what it leaves is repaired', (_name, act) => {
      let step = 0
      for (let on = true; on; step++) {
        const arranged = arrange()
        on = interrupt(a, step, manner, () => act(arranged)).interrupted
        const used = (run: Run): boolean => run.state === 'used' && run.who === RunKind.chains
        // Either the caller goes on, or another worker comes when we have had a turn of our own.
        if (step % 2 === 1) a.space.locks.check()
        const next = step % 2 === 1 ? b : a
        checkPages(memory, next.space.pages)
        expect(memory.load(Header.pageLock)).toBe(0)
        const said = memory.peek(arranged.promised)
        expect(
          next.space.pages
            .runs()
            .filter(used)
            .map(({ base }) => base),
        ).toEqual(said === 0 ? [] : [said])
        // Nothing is lost: what nobody was told of is still this worker's, and goes back.
        next.space.pages.releaseReservedBy(a.workerId)
        for (const { base } of pages.runs().filter(({ state }) => state === 'used'))
          pages.release(base)
        expect(pages.runs().every(({ state }) => state === 'free')).toBe(true)
        checkPages(memory, pages)
      }
      expect(step).toBeGreaterThan(5)
    })
  })
})
