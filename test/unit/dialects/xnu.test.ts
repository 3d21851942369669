/**
 * The XNU dialect: each name of smr.h does what its document promises; what is refused changes nothing.
 */

import { beforeEach, describe, expect, it } from 'vitest'
import * as xnu from '#src/dialects/xnu.ts'
import { Arena, type Item, Misuse, pointer, type Smr } from '#src/index.ts'
import { corruption, misuse, rejected, unchanged, wild } from '../../helpers/refusals.ts'

const {
  SMR_NONE,
  SMR_SEQ_CMP,
  SMR_SEQ_DELTA,
  SMR_SEQ_INVALID,
  SMR_SLEEPABLE,
  smr_advance,
  smr_domain_create,
  smr_enter,
  smr_leave,
  smr_poll,
} = xnu

let arena: Arena
let there: Arena
let smr: Smr

beforeEach(() => {
  arena = Arena.create({ bytes: 2 ** 18, maxWorkers: 4, checks: true })
  there = Arena.attach(arena.handle)
  smr = smr_domain_create(arena, SMR_NONE, 'names')
})

const noop = (): void => {}

describe('domains', () => {
  it('are created once, and opened by every worker', () => {
    expect(smr_domain_create(arena, SMR_NONE, 'names')).toBe(smr)
    const other = smr_domain_create(there, SMR_NONE, 'names')
    expect(other).not.toBe(smr)
    expect(smr_poll(other, smr_advance(smr))).toBe(true)
  })

  it('differ in their flags', () => {
    const sleepable = smr_domain_create(arena, SMR_SLEEPABLE, 'sleepable')
    expect(smr_domain_create(there, SMR_SLEEPABLE, 'sleepable').name).toBe(sleepable.name)
    unchanged(arena, () => {
      misuse(() => smr_domain_create(there, SMR_NONE, 'sleepable'))
      misuse(() => smr_domain_create(there, SMR_SLEEPABLE, 'names'))
      misuse(() => smr_domain_create(arena, 2, 'more'))
      misuse(() => smr_domain_create(wild({}), SMR_NONE, 'more'))
    })
  })

  it('are freed when nobody uses them', () => {
    const zone = xnu.zone_create(arena, 'zone', 16)
    xnu.zone_enable_smr(zone, smr)
    xnu.zfree_smr(zone, xnu.zalloc_smr(zone, xnu.Z_WAITOK))
    misuse(() => xnu.smr_domain_free(smr))
    zone.zone.destroy()
    smr_enter(smr)
    misuse(() => xnu.smr_domain_free(smr))
    smr_leave(smr)
    xnu.smr_domain_free(smr)
    expect(arena.stats().domains).toEqual([])
    misuse(() => smr_enter(smr))
  })

  it('can be defined before there is an arena', () => {
    expect(xnu.SMR_DEFINE('names')(arena)).toBe(smr)
    expect(xnu.SMR_DEFINE_SLEEPABLE('s')(arena).name).toBe('s')
    expect(xnu.SMR_DEFINE_FLAGS('s', SMR_SLEEPABLE)(arena).name).toBe('s')
    expect(xnu.smr_system(arena)).toBe(xnu.smr_system(arena))
    expect(xnu.smr_system(arena)).not.toBe(xnu.smr_system_sleepable(arena))
  })

  it('go by the name of a subsystem', async () => {
    const names = xnu.smr_subsystem(smr)
    expect(names.smr).toBe(smr)
    names.enter()
    expect(names.entered()).toBe(true)
    expect(xnu.smr_entered(smr)).toBe(true)
    names.leave()
    expect(names.entered()).toBe(false)
    const seen: number[] = []
    names.call(7, 0, (node) => seen.push(node))
    names.synchronize()
    await names.barrier()
    expect(seen).toEqual([7])
  })
})

describe('sections', () => {
  it('do not nest in one domain, and do in two', () => {
    const other = smr_domain_create(arena, SMR_NONE, 'other')
    expect(xnu.smr_entered(smr)).toBe(false)
    smr_enter(smr)
    smr_enter(other)
    unchanged(arena, () => misuse(() => smr_enter(smr)))
    expect(xnu.smr_entered(smr)).toBe(true)
    smr_leave(smr)
    expect(xnu.smr_entered(other)).toBe(true)
    smr_leave(other)
    unchanged(arena, () => misuse(() => smr_leave(smr)))
  })

  it('are refused to whoever would wait for them', () => {
    const goal = smr_advance(smr)
    smr_enter(smr)
    unchanged(arena, () => {
      misuse(() => xnu.smr_call(smr, 0, 0, noop))
      misuse(() => xnu.smr_synchronize(smr))
      misuse(() => xnu.smr_wait(smr, goal))
      misuse(() => smr_advance(smr))
    })
    smr_leave(smr)
  })
})

describe('sleepable sections', () => {
  let sleepable: Smr
  beforeEach(() => {
    sleepable = smr_domain_create(arena, SMR_SLEEPABLE, 'sleepable')
  })

  it('are told apart by their trackers, and hold goals back across turns', async () => {
    const [first, second] = [new xnu.smr_tracker(), new xnu.smr_tracker()]
    xnu.smr_enter_sleepable(sleepable, first)
    const goal = smr_advance(sleepable)
    xnu.smr_enter_sleepable(sleepable, second)
    expect(first.smrt_domain).toBe(sleepable)
    expect(xnu.smr_entered(sleepable)).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 1))
    expect(smr_poll(sleepable, goal)).toBe(false)
    xnu.smr_leave_sleepable(sleepable, first)
    expect(first.smrt_domain).toBeUndefined()
    expect(smr_poll(sleepable, goal)).toBe(true)
    xnu.smr_leave_sleepable(sleepable, second)
    expect(xnu.smr_entered(sleepable)).toBe(false)
    xnu.smr_enter_sleepable(sleepable, first) // A tracker may be used again.
    xnu.smr_leave_sleepable(sleepable, first)
  })

  it('are refused: a tracker in use, another domain, one without the flag, no tracker', () => {
    const tracker = new xnu.smr_tracker()
    const other = smr_domain_create(arena, SMR_SLEEPABLE, 'other')
    unchanged(arena, () => {
      misuse(() => xnu.smr_enter_sleepable(smr, tracker))
      misuse(() => xnu.smr_leave_sleepable(sleepable, tracker))
      misuse(() => xnu.smr_enter_sleepable(sleepable, wild({})))
    })
    expect(tracker.smrt_domain).toBeUndefined()
    xnu.smr_enter_sleepable(sleepable, tracker)
    unchanged(arena, () => {
      misuse(() => xnu.smr_enter_sleepable(sleepable, tracker))
      misuse(() => xnu.smr_enter_sleepable(other, tracker))
      misuse(() => xnu.smr_leave_sleepable(other, tracker))
      misuse(() => xnu.smr_synchronize(sleepable))
    })
    expect(tracker.smrt_domain).toBe(sleepable)
    xnu.smr_leave_sleepable(sleepable, tracker)
  })
})

describe('callbacks', () => {
  it('get their node, in order; the barrier waits for those of all workers', async () => {
    const seen: string[] = []
    const push = (node: string): unknown => seen.push(node)
    xnu.smr_call(smr, 'a', 64, push)
    xnu.smr_call(smr, 'b', 64, push)
    xnu.smr_call(smr_domain_create(there, SMR_NONE, 'names'), 'c', 0, push)
    expect(seen).toEqual([])
    expect(await xnu.smr_barrier(smr)).toBeUndefined()
    expect(seen.sort()).toEqual(['a', 'b', 'c'])
  })

  it('move the clock at once when they are to be expedited, or free much', () => {
    const { wr } = smr.stats()
    xnu.smr_call(smr, 0, 8, noop)
    expect(smr.stats().wr).toBe(wr)
    xnu.smr_call(smr, 0, xnu.SMR_CALL_EXPEDITE, noop)
    expect(smr.stats().wr).not.toBe(wr)
    const after = smr.stats().wr
    xnu.smr_call(smr, 0, 2 ** 20, noop)
    expect(smr.stats().wr).not.toBe(after)
  })

  it('are refused: no function, no size, a barrier in a section', async () => {
    unchanged(arena, () => {
      misuse(() => xnu.smr_call(smr, 0, 0, wild(1)))
      misuse(() => xnu.smr_call(smr, 0, -1, noop))
      misuse(() => xnu.smr_call(smr, 0, wild('64'), noop))
    })
    smr_enter(smr)
    await rejected(Misuse, xnu.smr_barrier(smr))
    smr_leave(smr)
  })
})

describe('the clock', () => {
  it('gives goals that readers of that time hold back', () => {
    const reader = smr_domain_create(there, SMR_NONE, 'names')
    smr_enter(reader)
    const goal = smr_advance(smr)
    expect(smr_poll(smr, goal)).toBe(false)
    smr_leave(reader)
    xnu.smr_wait(smr, goal)
    expect(smr_poll(smr, goal)).toBe(true)
    xnu.smr_synchronize(smr)
  })

  it('defers: a goal ahead of a hand that stays, until it is committed', () => {
    const { wr } = smr.stats()
    const goal = xnu.smr_deferred_advance(smr)
    expect(smr.stats().wr).toBe(wr)
    expect(smr_poll(smr, goal)).toBe(false)
    xnu.smr_deferred_advance_commit(smr, goal)
    const committed = smr.stats().wr
    expect(committed).not.toBe(wr)
    expect(smr_poll(smr, goal)).toBe(true)
    xnu.smr_deferred_advance_commit(smr, goal)
    expect(smr.stats().wr).toBe(committed)
    xnu.smr_wait(smr, xnu.smr_deferred_advance(smr)) // Legal, and moves the hand.
  })

  it("refuses another domain's goals, and none", () => {
    const foreign = smr_advance(smr_domain_create(arena, SMR_NONE, 'other'))
    unchanged(arena, () => {
      misuse(() => smr_poll(smr, foreign))
      misuse(() => xnu.smr_wait(smr, SMR_SEQ_INVALID))
      misuse(() => xnu.smr_deferred_advance_commit(smr, foreign))
    })
  })
})

describe.each([true, false])('sequences, in an arena with checks: %s', (checks) => {
  it('are compared on the circle', () => {
    const first = 2 ** 31 - 5
    const wrapping = Arena.create({ bytes: 2 ** 18, checks, sequence: { first, step: 2 } })
    const domain = smr_domain_create(wrapping, SMR_NONE, 'wrapping')
    const a = smr_advance(domain)
    for (let i = 0; i < 8; i++) smr_advance(domain)
    const b = smr_advance(domain)
    expect(SMR_SEQ_DELTA(b, a)).toBe(18)
    expect(SMR_SEQ_DELTA(a, b)).toBe(-18)
    const holds = (['<', '<=', '==', '!=', '>=', '>'] as const).map((op) => [
      SMR_SEQ_CMP(a, op, b),
      SMR_SEQ_CMP(a, op, a),
      SMR_SEQ_CMP(b, op, a),
    ])
    expect(holds).toEqual([
      [true, false, false],
      [true, true, false],
      [false, true, false],
      [true, false, true],
      [false, true, true],
      [false, false, true],
    ])
    misuse(() => SMR_SEQ_CMP(a, wild('='), b))
  })
})

// ---- pointers --------------------------------------------------------------------------------

describe('pointers', () => {
  it('are loaded and stored by all the ways there are', () => {
    const ptr = pointer(arena, arena.root('pointer'))
    const zone = arena.zone('zone', { bytes: 8 })
    const [a, b] = [zone.zalloc(), zone.zalloc()]
    xnu.smr_init_store(ptr, a)
    smr_enter(smr)
    expect(xnu.smr_entered_load(ptr)).toBe(a)
    expect(xnu.smr_entered_load_assert(ptr, smr)).toBe(a)
    expect(xnu.smr_entered_load_acquire(ptr)).toBe(a)
    expect(xnu.smr_entered_load_acquire_assert(ptr, smr)).toBe(a)
    smr_leave(smr)
    xnu.smr_serialized_store(ptr, b)
    expect(xnu.smr_serialized_load(ptr)).toBe(b)
    xnu.smr_serialized_store_assert(ptr, a, true)
    expect(xnu.smr_serialized_load_assert(ptr, true)).toBe(a)
    xnu.smr_serialized_store_relaxed(ptr, b)
    xnu.smr_serialized_store_relaxed_assert(ptr, a, true)
    expect(xnu.smr_serialized_swap(ptr, b)).toBe(a)
    expect(xnu.smr_serialized_swap_assert(ptr, a, true)).toBe(b)
    expect(xnu.smr_unserialized_load(ptr)).toBe(a)
    xnu.smr_unserialized_store(ptr, b)
    expect(xnu.smr_unsafe_load(ptr)).toBe(b)
    xnu.smr_clear_store(ptr)
    expect(xnu.smr_unsafe_load(ptr)).toBe(0)
  })

  it('assert what they say', () => {
    const ptr = pointer(arena, arena.root('pointer'))
    unchanged(arena, () => {
      misuse(() => xnu.smr_entered_load_assert(ptr, smr))
      misuse(() => xnu.smr_entered_load_acquire_assert(ptr, smr))
      misuse(() => xnu.smr_serialized_load_assert(ptr, false))
      misuse(() => xnu.smr_serialized_store_assert(ptr, wild(2), false))
      misuse(() => xnu.smr_serialized_store_relaxed_assert(ptr, wild(2), false))
      misuse(() => xnu.smr_serialized_swap_assert(ptr, wild(2), false))
    })
  })
})

// ---- queues ----------------------------------------------------------------------------------

const HEADS = [
  ['smrq_slist_head', xnu.smrq_slist_head],
  ['smrq_list_head', xnu.smrq_list_head],
  ['smrq_stailq_head', xnu.smrq_stailq_head],
  ['smrq_tailq_head', xnu.smrq_tailq_head],
] as const

describe.each(HEADS)('%s', (_, Head) => {
  const LINK = 1
  let heads = 0
  type Queue = InstanceType<typeof Head>

  const hasTail = (head: Queue): head is xnu.smrq_stailq_head | xnu.smrq_tailq_head =>
    'insertTail' in head

  function queue(...items: readonly Item[]): Queue {
    const words = arena.zone(`heads ${heads++}`, { bytes: 8 }).zalloc()
    const head = new Head(arena, { head: words, link: LINK })
    xnu.smrq_init(head)
    for (const item of items.toReversed()) xnu.smrq_serialized_insert_head(head, item)
    return head
  }

  function items(count: number): Item[] {
    const zone = arena.zone('items', { bytes: 24 })
    return Array.from({ length: count }, () => zone.zalloc())
  }

  /** The same walk by every means there is. */
  function contents(head: Queue): Item[] {
    const entered: Item[] = []
    const serialized: Item[] = []
    let at = xnu.smrq_entered_first(head)
    for (; at !== 0; at = xnu.smrq_entered_next(at, head)) entered.push(at)
    at = xnu.smrq_serialized_first(head)
    for (; at !== 0; at = xnu.smrq_serialized_next(at, head)) serialized.push(at)
    expect([...xnu.smrq_entered_foreach(head)]).toEqual(entered)
    expect([...xnu.smrq_serialized_foreach(head)]).toEqual(entered)
    expect([...xnu.smrq_serialized_foreach_safe(head)]).toEqual(entered)
    expect(serialized).toEqual(entered)
    expect(xnu.smrq_empty(head)).toBe(entered.length === 0)
    expect(head.check()).toBe(entered.length)
    return entered
  }

  it('inserts, removes, replaces', () => {
    const [a, b, c, d] = items(4) as [Item, Item, Item, Item]
    const head = queue()
    expect(contents(head)).toEqual([])
    xnu.smrq_serialized_insert_head(head, b)
    xnu.smrq_serialized_insert_head_relaxed(head, a)
    expect(contents(head)).toEqual([a, b])
    if (hasTail(head)) {
      xnu.smrq_serialized_insert_tail(head, c)
      xnu.smrq_serialized_insert_tail_relaxed(head, d)
      expect(contents(head)).toEqual([a, b, c, d])
      xnu.smrq_serialized_remove(head, d)
      xnu.smrq_serialized_remove(head, c)
    }
    xnu.smrq_serialized_replace(head, b, c)
    expect(contents(head)).toEqual([a, c])
    xnu.smrq_serialized_remove(head, a)
    expect(contents(head)).toEqual([c])
    expect(xnu.smrq_entered_next(a, head)).toBe(c) // Its readers go on.
  })

  it('is walked by a cursor that keeps and erases', () => {
    const all = items(5)
    const head = queue(...all)
    const cursor = xnu.smrq_serialized_iter(head)
    for (const item of cursor) {
      if (all.indexOf(item) % 2 === 0) xnu.smrq_serialized_iter_erase(cursor)
      else xnu.smrq_serialized_iter_next(cursor)
      unchanged(arena, () => misuse(() => xnu.smrq_serialized_iter_erase(cursor)))
    }
    expect(contents(head)).toEqual(all.filter((_item, i) => i % 2 === 1))
  })

  it('appends, and does not empty the source', () => {
    const [a, b, c] = items(3) as [Item, Item, Item]
    const [dst, src] = [queue(a), queue(b, c)]
    xnu.smrq_serialized_append<Queue>(dst, src)
    expect(contents(dst)).toEqual([a, b, c])
    expect([...xnu.smrq_entered_foreach(src)]).toEqual([b, c])
    xnu.smrq_init(src)
    expect(contents(src)).toEqual([])
  })

  it('refuses what is not there, or there already', () => {
    const [a, b] = items(2) as [Item, Item]
    const head = queue(a)
    arena.words.fill(0, b, b + 6)
    unchanged(arena, () => {
      misuse(() => xnu.smrq_serialized_remove(head, b))
      misuse(() => xnu.smrq_serialized_insert_head(head, a))
      misuse(() => xnu.smrq_serialized_replace(head, a, a))
      misuse(() => xnu.smrq_serialized_append<Queue>(head, head))
      misuse(() => xnu.smrq_entered_next(wild(0), head))
    })
    arena.words[a + LINK] = -4
    corruption(() => xnu.smrq_serialized_remove(head, a))
  })
})

// ---- zones -----------------------------------------------------------------------------------

describe('zones', () => {
  const SIZE = 24

  it('enable SMR once, before the first allocation', () => {
    const zone = xnu.zone_create(arena, 'zone', SIZE)
    unchanged(arena, () => {
      misuse(() => xnu.zalloc_smr(zone, xnu.Z_WAITOK))
      misuse(() => xnu.zfree_smr(zone, wild(2)))
      misuse(() => xnu.zone_enable_smr(zone, wild(undefined)))
      misuse(() => xnu.zone_enable_smr(zone, wild({})))
      misuse(() => xnu.zone_enable_smr(zone, smr, wild(7)))
    })
    xnu.zone_enable_smr(zone, smr)
    unchanged(arena, () => misuse(() => xnu.zone_enable_smr(zone, smr)))
    const elem = xnu.zalloc_smr(zone, xnu.Z_WAITOK)
    expect(zone.zone.owns(elem)).toBe(true)
    xnu.zfree_smr(zone, elem)
    unchanged(arena, () => misuse(() => xnu.zone_enable_smr(zone, smr)))
  })

  it('refuse what is no zone, before anything is made', () => {
    unchanged(arena, () => {
      misuse(() => xnu.zone_create(wild({}), 'zone', SIZE))
      misuse(() => xnu.zone_create(arena, 'zone', 0))
      misuse(() => xnu.zone_create(arena, 'zone', SIZE, wild({ buckets: 1 })))
      misuse(() => xnu.zone_create(arena, '', SIZE))
    })
  })

  it('call back when an element is reused, not when it is freed', () => {
    const freed: [Item, number][] = []
    const zone = xnu.zone_create(arena, 'zone', SIZE, { bucket: 1 })
    xnu.zone_enable_smr(zone, smr, (elem, size) => freed.push([elem, size]))
    const reader = smr_domain_create(there, SMR_NONE, 'names')
    const elem = xnu.zalloc_smr(zone, xnu.Z_WAITOK)
    smr_enter(reader)
    xnu.zfree_smr(zone, elem)
    zone.zone.seal()
    expect(xnu.zalloc_smr(zone, xnu.Z_WAITOK)).not.toBe(elem)
    expect(freed).toEqual([])
    smr_leave(reader)
    let again = 0 as Item
    while (again !== elem) again = xnu.zalloc_smr(zone, xnu.Z_WAITOK)
    expect(freed).toEqual([[elem, SIZE]])
  })

  it('give zeros when asked, 0 when they may not wait, and refuse other flags', () => {
    const zone = xnu.zone_create(arena, 'zone', SIZE, { bucket: 1, limit: 1 })
    xnu.zone_enable_smr(zone, smr)
    const elem = xnu.zalloc_smr(zone, xnu.Z_ZERO)
    expect([...arena.words.subarray(elem, elem + SIZE / 4)]).toEqual([0, 0, 0, 0, 0, 0])
    expect(xnu.zalloc_smr(zone, xnu.Z_NOWAIT | xnu.Z_ZERO)).toBe(0)
    unchanged(arena, () => misuse(() => xnu.zalloc_smr(zone, 0x8000)))
  })

  it('refuse frees inside a section, double frees and foreign items', () => {
    const zone = xnu.zone_create(arena, 'zone', SIZE)
    xnu.zone_enable_smr(zone, smr)
    const elem = xnu.zalloc_smr(zone, xnu.Z_WAITOK)
    smr_enter(smr)
    unchanged(arena, () => misuse(() => xnu.zfree_smr(zone, elem)))
    unchanged(arena, () => misuse(() => xnu.zalloc_smr(zone, xnu.Z_WAITOK)))
    smr_leave(smr)
    unchanged(arena, () => misuse(() => xnu.zfree_smr(zone, wild(elem + 2))))
    xnu.zfree_smr(zone, elem)
    unchanged(arena, () => misuse(() => xnu.zfree_smr(zone, elem)))
  })

  it('say at the first use that they disagree with what another worker made', () => {
    const zone = xnu.zone_create(arena, 'zone', SIZE)
    xnu.zone_enable_smr(zone, smr)
    xnu.zalloc_smr(zone, xnu.Z_WAITOK)
    const other = xnu.zone_create(there, 'zone', SIZE)
    xnu.zone_enable_smr(other, smr_domain_create(there, SMR_NONE, 'another'))
    misuse(() => xnu.zalloc_smr(other, xnu.Z_WAITOK))
  })
})
