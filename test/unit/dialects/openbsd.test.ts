/**
 * The OpenBSD dialect: each promise of smr_call(9), and each macro of the lists against an array. What
 * is refused must change nothing, in the arena and in the entry.
 */

import { beforeEach, describe, expect, it } from 'vitest'
import { type OpenBsd, smr_entry, smr_startup } from '#src/dialects/openbsd.ts'
import { Arena, type Item, Misuse, type Zone } from '#src/index.ts'
import { misuse, rejected, unchanged, wild } from '../../helpers/refusals.ts'

const FIELD = 1
const HEAD_WORDS = 2
const BYTES = 32

let arena: Arena
let there: Arena
let kernel: OpenBsd
let zone: Zone

beforeEach(() => {
  arena = Arena.create({ bytes: 2 ** 18, maxWorkers: 4, checks: true })
  there = Arena.attach(arena.handle)
  kernel = smr_startup(arena)
  zone = arena.zone('elements', { bytes: BYTES })
})

function initialised(): smr_entry {
  const entry = new smr_entry()
  kernel.smr_init(entry)
  return entry
}

const noop = (): void => {}

describe('smr_startup', () => {
  it('gives one object per worker, whose functions need no object', () => {
    expect(smr_startup(arena)).toBe(kernel)
    expect(smr_startup(there)).not.toBe(kernel)
    const { smr_read_enter, smr_read_leave, SMR_ASSERT_CRITICAL } = kernel
    smr_read_enter()
    SMR_ASSERT_CRITICAL()
    smr_read_leave()
  })

  it('makes one domain for all workers, with turn sections', () => {
    expect(smr_startup(there).smr.name).toBe(kernel.smr.name)
    expect(arena.stats().domains.map(({ name }) => name)).toEqual(['openbsd'])
  })

  it('refuses what is no arena', () => {
    expect(misuse(() => smr_startup(wild({}))).message).toMatch(/^smr_startup: /)
  })
})

describe('sections', () => {
  it('nest, and end with the outermost', () => {
    const { smr_read_enter, smr_read_leave, SMR_ASSERT_CRITICAL, SMR_ASSERT_NONCRITICAL } = kernel
    SMR_ASSERT_NONCRITICAL()
    misuse(SMR_ASSERT_CRITICAL)
    smr_read_enter()
    smr_read_enter()
    smr_read_leave()
    SMR_ASSERT_CRITICAL()
    misuse(SMR_ASSERT_NONCRITICAL)
    smr_read_leave()
    SMR_ASSERT_NONCRITICAL()
  })

  it('protect after an exception in the one before', () => {
    const { memory } = arena
    const { smr } = kernel
    for (const verb of ['peekRacy', 'load', 'store'] as const) {
      for (const act of [kernel.smr_read_enter, kernel.smr_read_leave]) {
        const original = memory[verb]
        memory[verb] = (): never => {
          throw new RangeError('Maximum call stack size exceeded')
        }
        try {
          act()
        } catch {
          // Survived.
        } finally {
          memory[verb] = original as never
        }
        if (!smr.entered) kernel.smr_read_enter()
        const goal = smr_startup(there).smr.advance()
        expect(smr_startup(there).smr.poll(goal), verb).toBe(false)
        kernel.smr_read_leave()
        arena.space.turn.letGo()
      }
    }
  })

  it('cannot be left when none is open', () => {
    unchanged(arena, () => misuse(kernel.smr_read_leave))
    kernel.smr_read_enter()
    kernel.smr_read_leave()
    unchanged(arena, () => misuse(kernel.smr_read_leave))
  })

  it('count per worker', () => {
    kernel.smr_read_enter()
    smr_startup(there).SMR_ASSERT_NONCRITICAL()
    misuse(smr_startup(there).smr_read_leave)
    kernel.smr_read_leave()
  })

  it('smr_idle lets go of what a turn has seen, and is refused inside', () => {
    const { smr } = smr_startup(there)
    kernel.smr_read_enter()
    kernel.smr_read_leave()
    const goal = smr.advance()
    expect(smr.poll(goal)).toBe(false)
    kernel.smr_idle()
    expect(smr.poll(goal)).toBe(true)
    kernel.smr_read_enter()
    misuse(kernel.smr_idle)
    kernel.smr_read_leave()
    kernel.smr_read_enter()
    kernel.smr_read_leave()
  })
})

describe('smr_call', () => {
  it('calls with the argument, later, outside sections and in order', async () => {
    const seen: string[] = []
    for (const arg of ['a', 'b']) {
      kernel.smr_call(initialised(), (got: string) => seen.push(got), arg)
    }
    kernel.smr_call(initialised(), kernel.SMR_ASSERT_NONCRITICAL, undefined)
    expect(seen).toEqual([])
    await kernel.smr_barrier()
    expect(seen).toEqual(['a', 'b'])
    expect(kernel.smr.stats().callErrors).toBe(0)
  })

  it('waits for readers of that time', async () => {
    const reader = smr_startup(there)
    let called = false
    reader.smr_read_enter()
    kernel.smr_call(initialised(), () => (called = true), undefined)
    expect(await kernel.smr.barrier({ timeoutMs: 20 })).toBe(false)
    expect(called).toBe(false)
    reader.smr_read_leave()
    await kernel.smr_barrier()
    expect(called).toBe(true)
  })

  it('wants an entry that was initialised, and is not queued', async () => {
    const refused = (entry: smr_entry, why: RegExp): void => {
      const before = [entry.smr_func, entry.smr_arg]
      unchanged(arena, () => {
        expect(misuse(() => kernel.smr_call(entry, noop, 'other')).message).toMatch(why)
      })
      expect([entry.smr_func, entry.smr_arg]).toEqual(before)
    }
    const entry = new smr_entry()
    refused(entry, /was never initialised/)
    kernel.smr_init(entry)
    kernel.smr_call(entry, noop, 'arg')
    refused(entry, /is queued/)
    unchanged(arena, () => misuse(() => kernel.smr_init(entry)))
    expect(entry.smr_arg).toBe('arg')
    await kernel.smr_barrier()
    refused(entry, /was used before/)
    kernel.smr_init(entry)
    kernel.smr_call(entry, noop, undefined)
    await kernel.smr_barrier()
  })

  it('lets a callback initialise and queue its own entry', async () => {
    const entry = initialised()
    let calls = 0
    const again = (): void => {
      if (++calls === 3) return
      kernel.smr_init(entry)
      kernel.smr_call(entry, again, undefined)
    }
    kernel.smr_call(entry, again, undefined)
    while (calls < 3) await kernel.smr_barrier()
    expect(calls).toBe(3)
  })

  it('refuses what is no entry or no function', () => {
    const entry = initialised()
    unchanged(arena, () => {
      misuse(() => kernel.smr_init(wild({})))
      misuse(() => kernel.smr_call(wild({ smr_func: null }), noop, undefined))
      misuse(() => kernel.smr_call(entry, wild('fn'), undefined))
    })
    expect(entry.smr_func).toBeNull()
  })

  it('is legal in a section, for which the callback waits too', async () => {
    const { smr_call, smr_read_enter, smr_read_leave } = kernel
    const seen: string[] = []
    const push = (arg: string): unknown => seen.push(arg)
    const entry = initialised()
    smr_call(initialised(), push, 'before')
    smr_read_enter()
    smr_read_enter()
    smr_call(entry, push, 'inside')
    unchanged(arena, () => misuse(() => smr_call(entry, push, 'again')))
    unchanged(arena, () => misuse(() => kernel.smr_init(entry)))
    smr_read_leave()
    expect(await smr_startup(there).smr.barrier({ timeoutMs: 10 })).toBe(false)
    smr_read_leave()
    smr_call(initialised(), push, 'after')
    await kernel.smr_barrier()
    expect(seen).toEqual(['before', 'inside', 'after'])
  })
})

describe.each(['smr_barrier', 'smr_flush'] as const)('%s', (verb) => {
  it('resolves when the callbacks of all workers have run', async () => {
    const other = smr_startup(there)
    const entry = new smr_entry()
    other.smr_init(entry)
    let called = false
    other.smr_call(entry, () => (called = true), undefined)
    expect(await kernel[verb]()).toBeUndefined()
    expect(called).toBe(true)
  })

  it('waits for a callback that another worker has queued inside a section', async () => {
    const theirs = smr_startup(there)
    const entry = new smr_entry()
    let ran = false
    theirs.smr_init(entry)
    theirs.smr_read_enter()
    theirs.smr_call(entry, () => (ran = true), 0)
    const over = kernel[verb]().then(() => ran)
    await new Promise((resolve) => setTimeout(resolve, 5))
    theirs.smr_read_leave()
    expect(await over).toBe(true)
  })

  it('rejects inside a section', async () => {
    kernel.smr_read_enter()
    await rejected(Misuse, kernel[verb]())
    kernel.smr_read_leave()
  })
})

describe('pointers', () => {
  it('get and set one word', () => {
    const at = arena.root('pointer')
    const item = zone.zalloc()
    kernel.SMR_PTR_SET_LOCKED(at, item)
    expect(kernel.SMR_PTR_GET(at)).toBe(item)
    expect(smr_startup(there).SMR_PTR_GET_LOCKED(at)).toBe(item)
    unchanged(arena, () => {
      misuse(() => kernel.SMR_PTR_SET_LOCKED(at, wild(-2)))
      misuse(() => kernel.SMR_PTR_GET(0))
    })
  })
})

// ---- lists -----------------------------------------------------------------------------------

function head(): number {
  const at = arena.zone('heads', { bytes: HEAD_WORDS * 4 }).zalloc()
  arena.words.fill(4711, at, at + HEAD_WORDS)
  return at
}

function elements(): [Item, Item, Item, Item] {
  return [zone.zalloc(), zone.zalloc(), zone.zalloc(), zone.zalloc()]
}

/** The same walk by every means that a type of list has. */
function walks(kind: 'SLIST' | 'LIST' | 'TAILQ', at: number): Item[] {
  const k = kernel
  const each = [
    [...k[`SMR_${kind}_FOREACH`](at, FIELD)],
    [...k[`SMR_${kind}_FOREACH_LOCKED`](at, FIELD)],
    [...k[`SMR_${kind}_FOREACH_SAFE_LOCKED`](at, FIELD)],
    by(at, k[`SMR_${kind}_FIRST`], k[`SMR_${kind}_NEXT`], k[`SMR_${kind}_END`]),
    by(at, k[`SMR_${kind}_FIRST_LOCKED`], k[`SMR_${kind}_NEXT_LOCKED`], k[`SMR_${kind}_END`]),
  ]
  for (const walk of each) expect(walk).toEqual(each[0])
  expect(k[`SMR_${kind}_EMPTY_LOCKED`](at)).toBe(each[0]?.length === 0)
  return each[0] ?? []
}

function by(
  at: number,
  first: (head: number) => Item,
  next: (elm: Item, field: number) => Item,
  end: (head: number) => Item,
): Item[] {
  const seen: Item[] = []
  for (let elm = first(at); elm !== end(at); elm = next(elm, FIELD)) seen.push(elm)
  return seen
}

describe('SMR_SLIST', () => {
  it('inserts at the head and after, removes by walking, after and at the head', () => {
    const at = head()
    const [a, b, c, d] = elements()
    const contents = (): Item[] => walks('SLIST', at)
    kernel.SMR_SLIST_INIT(at)
    expect(contents()).toEqual([])
    kernel.SMR_SLIST_INSERT_HEAD_LOCKED(at, c, FIELD)
    kernel.SMR_SLIST_INSERT_HEAD_LOCKED(at, a, FIELD)
    kernel.SMR_SLIST_INSERT_AFTER_LOCKED(a, b, FIELD)
    kernel.SMR_SLIST_INSERT_AFTER_LOCKED(c, d, FIELD)
    expect(contents()).toEqual([a, b, c, d])
    kernel.SMR_SLIST_REMOVE_LOCKED(at, c, FIELD)
    expect(contents()).toEqual([a, b, d])
    expect(kernel.SMR_SLIST_NEXT(c, FIELD)).toBe(d) // Its readers go on.
    kernel.SMR_SLIST_REMOVE_AFTER_LOCKED(a, FIELD)
    kernel.SMR_SLIST_REMOVE_HEAD_LOCKED(at, FIELD)
    expect(contents()).toEqual([d])
    kernel.SMR_SLIST_REMOVE_HEAD_LOCKED(at, FIELD)
    expect(contents()).toEqual([])
  })

  it('refuses what is not there', () => {
    const at = head()
    const [a, b] = elements()
    kernel.SMR_SLIST_INIT(at)
    unchanged(arena, () => misuse(() => kernel.SMR_SLIST_REMOVE_HEAD_LOCKED(at, FIELD)))
    kernel.SMR_SLIST_INSERT_HEAD_LOCKED(at, a, FIELD)
    unchanged(arena, () => {
      misuse(() => kernel.SMR_SLIST_REMOVE_LOCKED(at, b, FIELD))
      misuse(() => kernel.SMR_SLIST_REMOVE_AFTER_LOCKED(a, FIELD))
      misuse(() => kernel.SMR_SLIST_INSERT_HEAD_LOCKED(at, a, FIELD))
      misuse(() => kernel.SMR_SLIST_INSERT_AFTER_LOCKED(a, a, FIELD))
      misuse(() => kernel.SMR_SLIST_INSERT_AFTER_LOCKED(wild(0), b, FIELD))
      misuse(() => kernel.SMR_SLIST_NEXT(wild(0), FIELD))
    })
  })
})

describe('SMR_LIST', () => {
  it('inserts at the head, before and after, removes with one look', () => {
    const at = head()
    const [a, b, c, d] = elements()
    const contents = (): Item[] => walks('LIST', at)
    kernel.SMR_LIST_INIT(at)
    kernel.SMR_LIST_INSERT_HEAD_LOCKED(at, c, FIELD)
    kernel.SMR_LIST_INSERT_BEFORE_LOCKED(c, a, FIELD)
    kernel.SMR_LIST_INSERT_AFTER_LOCKED(a, b, FIELD)
    kernel.SMR_LIST_INSERT_AFTER_LOCKED(c, d, FIELD)
    expect(contents()).toEqual([a, b, c, d])
    for (const elm of [b, d, a, c]) {
      const next = kernel.SMR_LIST_NEXT(elm, FIELD)
      const before = contents()
      kernel.SMR_LIST_REMOVE_LOCKED(elm, FIELD)
      expect(contents()).toEqual(before.filter((each) => each !== elm))
      expect(kernel.SMR_LIST_NEXT(elm, FIELD)).toBe(next)
    }
  })

  it('refuses what has been removed', () => {
    const at = head()
    const [a, b] = elements()
    kernel.SMR_LIST_INIT(at)
    kernel.SMR_LIST_INSERT_HEAD_LOCKED(at, a, FIELD)
    kernel.SMR_LIST_REMOVE_LOCKED(a, FIELD)
    unchanged(arena, () => {
      misuse(() => kernel.SMR_LIST_REMOVE_LOCKED(a, FIELD))
      misuse(() => kernel.SMR_LIST_INSERT_AFTER_LOCKED(a, b, FIELD))
      misuse(() => kernel.SMR_LIST_INSERT_BEFORE_LOCKED(a, b, FIELD))
      misuse(() => kernel.SMR_LIST_REMOVE_LOCKED(wild('a'), FIELD))
    })
  })
})

describe('SMR_TAILQ', () => {
  it('inserts everywhere, knows its last, removes with one look', () => {
    const at = head()
    const [a, b, c, d] = elements()
    const contents = (): Item[] => {
      const seen = walks('TAILQ', at)
      expect(kernel.SMR_TAILQ_LAST_LOCKED(at)).toBe(seen.at(-1) ?? 0)
      return seen
    }
    kernel.SMR_TAILQ_INIT(at)
    expect(contents()).toEqual([])
    kernel.SMR_TAILQ_INSERT_TAIL_LOCKED(at, b, FIELD)
    kernel.SMR_TAILQ_INSERT_HEAD_LOCKED(at, a, FIELD)
    kernel.SMR_TAILQ_INSERT_AFTER_LOCKED(at, b, d, FIELD)
    kernel.SMR_TAILQ_INSERT_BEFORE_LOCKED(d, c, FIELD)
    expect(contents()).toEqual([a, b, c, d])
    kernel.SMR_TAILQ_REMOVE_LOCKED(at, c, FIELD)
    kernel.SMR_TAILQ_INSERT_AFTER_LOCKED(at, b, c, FIELD)
    expect(contents()).toEqual([a, b, c, d])
    kernel.SMR_TAILQ_REMOVE_LOCKED(at, d, FIELD)
    kernel.SMR_TAILQ_REMOVE_LOCKED(at, a, FIELD)
    expect(contents()).toEqual([b, c])
    kernel.SMR_TAILQ_REMOVE_LOCKED(at, b, FIELD)
    kernel.SMR_TAILQ_REMOVE_LOCKED(at, c, FIELD)
    expect(contents()).toEqual([])
  })

  it('refuses what has been removed', () => {
    const at = head()
    const [a, b] = elements()
    kernel.SMR_TAILQ_INIT(at)
    kernel.SMR_TAILQ_INSERT_TAIL_LOCKED(at, a, FIELD)
    kernel.SMR_TAILQ_REMOVE_LOCKED(at, a, FIELD)
    unchanged(arena, () => {
      misuse(() => kernel.SMR_TAILQ_REMOVE_LOCKED(at, a, FIELD))
      misuse(() => kernel.SMR_TAILQ_INSERT_AFTER_LOCKED(at, a, b, FIELD))
      misuse(() => kernel.SMR_TAILQ_INSERT_BEFORE_LOCKED(a, b, FIELD))
    })
  })

  it.each(['SLIST', 'LIST', 'TAILQ'] as const)(
    'the safe walk of SMR_%s outlives removals',
    (kind) => {
      const at = head()
      const items = elements()
      kernel[`SMR_${kind}_INIT`](at)
      for (const elm of items) kernel[`SMR_${kind}_INSERT_HEAD_LOCKED`](at, elm, FIELD)
      for (const elm of kernel[`SMR_${kind}_FOREACH_SAFE_LOCKED`](at, FIELD)) {
        if (kind === 'SLIST') kernel.SMR_SLIST_REMOVE_LOCKED(at, elm, FIELD)
        else if (kind === 'LIST') kernel.SMR_LIST_REMOVE_LOCKED(elm, FIELD)
        else kernel.SMR_TAILQ_REMOVE_LOCKED(at, elm, FIELD)
        arena.words.fill(-1, elm, elm + BYTES / 4)
      }
      expect(walks(kind, at)).toEqual([])
    },
  )
})
