/**
 * FreeBSD's names do what smr(9) and zone(9) say, and what KASSERTs forbid is refused before anything
 * has changed.
 */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import * as bsd from '#src/dialects/freebsd.ts'
import { type Arena, type Item, NULL_ITEM, Smr } from '#src/index.ts'
import { built } from '../../helpers/built.ts'
import { pair } from '../../helpers/company.ts'
import { exhausted, misuse, unchanged, wild } from '../../helpers/refusals.ts'
import { CONFIGS, type Config, tinyArena } from '../../helpers/tiny.ts'

const [FROM_1] = CONFIGS as readonly [Config, ...Config[]]
const BYTES = 64
const { M_NOWAIT, M_WAITOK, M_ZERO, UMA_ZONE_SMR } = bsd

function zcreate(arena: Arena, name: string, flags = 0): bsd.uma_zone_t {
  return bsd.uma_zcreate(arena, name, BYTES, null, null, null, null, bsd.UMA_ALIGN_PTR, flags)
}

/** Enough frees to fill a worker's free bucket, and the last of them to retire it. */
function retire(zone: bsd.uma_zone_t): void {
  const items: Item[] = []
  for (let n = 0; n <= zone.zone.stats().bucket; n++) items.push(bsd.uma_zalloc_smr(zone, M_NOWAIT))
  for (const item of items) bsd.uma_zfree_smr(zone, item)
}

describe.each(CONFIGS)('smr(9), $name', (config) => {
  it('tells when what was unlinked is out of sight', () => {
    const [arena, there] = pair({}, config)
    const smr = bsd.smr_create(arena, 'd', 0, 0)
    const reader = bsd.smr_create(there, 'd', 0, 0)
    bsd.smr_enter(reader)
    expect([bsd.SMR_ENTERED(reader), bsd.SMR_ENTERED(smr)]).toEqual([true, false])
    const goal = bsd.smr_advance(smr)
    expect(bsd.smr_poll(smr, goal, false)).toBe(false)
    bsd.smr_exit(reader)
    expect(bsd.smr_poll(smr, goal, false)).toBe(true)
    expect(bsd.smr_poll(smr, bsd.smr_advance(smr), true)).toBe(true)
    bsd.smr_wait(smr, bsd.smr_advance(smr))
    bsd.smr_synchronize(smr)
    bsd.smr_destroy(smr)
    misuse(() => bsd.smr_enter(smr))
  })

  it('goals are compared on their circle, in checked arenas too', () => {
    for (const checks of [false, true]) {
      const smr = bsd.smr_create(tinyArena(config, { checks }), 'd', 0, 0)
      for (let n = 0; n < 80; n++) {
        const a = bsd.smr_advance(smr)
        const b = bsd.smr_advance(smr)
        expect(bsd.SMR_SEQ_DELTA(b, a)).toBe(config.sequence.step)
        expect(bsd.SMR_SEQ_DELTA(a, b)).toBe(-config.sequence.step)
        const { SMR_SEQ_LT: lt, SMR_SEQ_LEQ: leq, SMR_SEQ_GT: gt, SMR_SEQ_GEQ: geq } = bsd
        expect([lt(a, b), leq(a, b), gt(a, b), geq(a, b)]).toEqual([true, true, false, false])
        expect([lt(b, a), leq(b, a), gt(b, a), geq(b, a)]).toEqual([false, false, true, true])
        expect([lt(a, a), leq(a, a), gt(a, a), geq(a, a)]).toEqual([false, true, false, true])
        expect([bsd.SMR_SEQ_MIN(a, b), bsd.SMR_SEQ_MIN(b, a)]).toEqual([a, a])
        expect([bsd.SMR_SEQ_MAX(a, b), bsd.SMR_SEQ_MAX(b, a)]).toEqual([b, b])
        expect(a).not.toBe(bsd.SMR_SEQ_INVALID)
        bsd.smr_wait(smr, b)
      }
    }
  })
})

describe('smr(9)', () => {
  it("a domain is the core's own, found by name; the flags are presets of its options", () => {
    const [arena, there] = pair()
    const smr = bsd.smr_create(arena, 'd', 0, 0)
    expect(smr).toBeInstanceOf(Smr)
    expect(bsd.smr_create(arena, 'd', 0, 0)).toBe(smr)
    expect(bsd.smr_create(there, 'd', 0, 0).address).toBe(smr.address)
    expect(arena.smr('d', { clock: 'default', sections: 'fenced' })).toBe(smr)
    bsd.smr_create(arena, 'lazy', 0, bsd.SMR_LAZY)
    arena.smr('lazy', { clock: 'lazy', tickMs: 1, sections: 'turn' })
    bsd.smr_create(arena, 'deferred', 3, bsd.SMR_DEFERRED)
    arena.smr('deferred', { clock: 'deferred', limit: 3, sections: 'fenced' })
    bsd.smr_create(arena, 'deferred at once', 0, bsd.SMR_DEFERRED)
    arena.smr('deferred at once', { clock: 'deferred', limit: 1 })
  })

  it('a deferred clock moves at every limit-th advance, or when somebody waits', () => {
    const smr = bsd.smr_create(tinyArena(FROM_1), 'd', 3, bsd.SMR_DEFERRED)
    const first = bsd.smr_advance(smr)
    expect(bsd.smr_poll(smr, first, false)).toBe(false)
    expect(bsd.SMR_SEQ_DELTA(bsd.smr_advance(smr), first)).toBe(0)
    expect(bsd.SMR_SEQ_DELTA(bsd.smr_advance(smr), first)).toBe(0)
    expect(bsd.smr_poll(smr, first, false)).toBe(true)
    expect(bsd.smr_poll(smr, bsd.smr_advance(smr), true)).toBe(true)
  })

  it('lazy sections are for lazy domains, the others for the others', () => {
    const arena = tinyArena(FROM_1)
    const lazy = bsd.smr_create(arena, 'lazy', 0, bsd.SMR_LAZY)
    const smr = bsd.smr_create(arena, 'd', 0, 0)
    unchanged(arena, () => {
      expect(misuse(() => bsd.smr_enter(lazy)).message).toBe('smr_enter: domain "lazy" is SMR_LAZY')
      expect(misuse(() => bsd.smr_lazy_enter(smr)).message).toBe(
        'smr_lazy_enter: domain "d" is not SMR_LAZY',
      )
    })
    bsd.smr_lazy_enter(lazy)
    bsd.smr_enter(smr)
    unchanged(arena, () => {
      misuse(() => bsd.smr_exit(lazy))
      misuse(() => bsd.smr_lazy_exit(smr))
      misuse(() => bsd.smr_lazy_enter(lazy))
      misuse(() => bsd.smr_enter(smr))
    })
    expect(bsd.SMR_ENTERED(lazy)).toBe(true)
    bsd.smr_exit(smr)
    bsd.smr_lazy_exit(lazy)
    unchanged(arena, () => misuse(() => bsd.smr_lazy_exit(lazy)))
    unchanged(arena, () => misuse(() => bsd.smr_exit(smr)))
  })

  it('a lazy domain can be waited for and destroyed, but a poll does not wait', () => {
    const smr = bsd.smr_create(tinyArena(FROM_1), 'lazy', 0, bsd.SMR_LAZY)
    bsd.smr_lazy_enter(smr)
    bsd.smr_lazy_exit(smr)
    const goal = bsd.smr_advance(smr)
    expect(misuse(() => bsd.smr_poll(smr, goal, true)).message).toMatch('smr_poll')
    bsd.smr_wait(smr, goal)
    expect(bsd.smr_poll(smr, goal, false)).toBe(true)
    bsd.smr_synchronize(smr)
    bsd.smr_destroy(smr)
  })

  it('inside a section one may poll, and do nothing else', () => {
    const arena = tinyArena(FROM_1)
    const smr = bsd.smr_create(arena, 'd', 0, 0)
    const goal = bsd.smr_advance(smr)
    misuse(() => bsd.SMR_ASSERT_ENTERED(smr))
    bsd.SMR_ASSERT_NOT_ENTERED(smr)
    bsd.smr_enter(smr)
    bsd.SMR_ASSERT_ENTERED(smr)
    unchanged(arena, () => {
      misuse(() => bsd.SMR_ASSERT_NOT_ENTERED(smr))
      misuse(() => bsd.smr_advance(smr))
      misuse(() => bsd.smr_wait(smr, goal))
      misuse(() => bsd.smr_poll(smr, goal, true))
      misuse(() => bsd.smr_synchronize(smr))
      misuse(() => bsd.smr_destroy(smr))
    })
    bsd.smr_poll(smr, goal, false)
    bsd.smr_exit(smr)
  })

  it('sections of different domains nest', () => {
    const arena = tinyArena(FROM_1)
    const a = bsd.smr_create(arena, 'a', 0, 0)
    const b = bsd.smr_create(arena, 'b', 0, 0)
    bsd.smr_enter(a)
    bsd.smr_enter(b)
    bsd.smr_exit(a)
    bsd.smr_exit(b)
  })

  it('refuses what is no domain, flag or limit', () => {
    const arena = tinyArena(FROM_1)
    bsd.smr_create(arena, 'd', 0, 0)
    unchanged(arena, () => {
      expect(misuse(() => bsd.smr_create(wild('d'), wild(0), 0, 0)).message).toMatch('arena first')
      misuse(() => bsd.smr_create(arena, '', 0, 0))
      misuse(() => bsd.smr_create(arena, 'x', 0, 3))
      misuse(() => bsd.smr_create(arena, 'x', 0, wild(undefined)))
      misuse(() => bsd.smr_create(arena, 'x', 1, 0))
      misuse(() => bsd.smr_create(arena, 'x', 1, bsd.SMR_LAZY))
      misuse(() => bsd.smr_create(arena, 'x', -1, bsd.SMR_DEFERRED))
      misuse(() => bsd.smr_create(arena, 'x', 2 ** 21, bsd.SMR_DEFERRED))
      misuse(() => bsd.smr_create(arena, 'd', 0, bsd.SMR_LAZY))
    })
  })
})

describe('smr_types', () => {
  it('loads and stores as the accessor says, if its assertion holds', () => {
    const arena = tinyArena(FROM_1)
    const smr = bsd.smr_create(arena, 'd', 0, 0)
    const lock = arena.lock('writers')
    const p = bsd.SMR_POINTER(arena, arena.root('head'))
    const [a, b] = [8 as Item, 16 as Item]
    bsd.smr_unserialized_store(p, a, true)
    expect(bsd.smr_unserialized_load(p, true)).toBe(a)
    bsd.smr_enter(smr)
    expect(bsd.smr_entered_load(p, smr)).toBe(a)
    bsd.smr_exit(smr)
    lock.withLock(() => {
      expect(bsd.smr_serialized_load(p, lock.held)).toBe(a)
      bsd.smr_serialized_store(p, b, lock.held)
      expect(bsd.smr_serialized_swap(p, a, lock.held)).toBe(b)
    })
    expect(p.unsafeLoad()).toBe(a)
    unchanged(arena, () => {
      misuse(() => bsd.smr_entered_load(p, smr))
      misuse(() => bsd.smr_serialized_load(p, lock.held))
      misuse(() => bsd.smr_serialized_store(p, b, lock.held))
      misuse(() => bsd.smr_serialized_swap(p, b, lock.held))
      misuse(() => bsd.smr_unserialized_load(p, false))
      misuse(() => bsd.smr_unserialized_store(p, b, false))
    })
  })
})

describe('an SMR zone', () => {
  it.each([false, true])('reuses nothing while a reader may look (checks: %s)', (checks) => {
    const [arena, there] = pair({ checks })
    const zone = zcreate(arena, 'z', UMA_ZONE_SMR)
    const same = zcreate(there, 'z', UMA_ZONE_SMR)
    const reader = bsd.uma_zone_get_smr(same)
    expect(reader.address).toBe(bsd.uma_zone_get_smr(zone).address)
    const item = bsd.uma_zalloc_smr(zone, M_WAITOK)
    expect(bsd.uma_zone_get_cur(same)).toBe(1)
    bsd.smr_enter(reader)
    bsd.uma_zfree_smr(zone, item)
    zone.zone.seal()
    for (let n = 0; n < 300; n++) expect(bsd.uma_zalloc_smr(zone, M_NOWAIT)).not.toBe(item)
    bsd.smr_exit(reader)
    expect(bsd.uma_zone_get_cur(zone)).toBe(300)
    const seen = new Set<Item>()
    for (let n = 0; n < 500 && !seen.has(item); n++) seen.add(bsd.uma_zalloc_smr(same, M_NOWAIT))
    expect(seen).toContain(item)
  })

  it('moves the clock once per bucket', () => {
    const zone = zcreate(tinyArena(FROM_1, { bytes: 2 ** 20 }), 'z', UMA_ZONE_SMR)
    retire(zone)
    expect(bsd.uma_zone_get_smr(zone).stats().advances).toBe(1)
  })

  it('has its own domain, which ends with it', () => {
    const arena = tinyArena(FROM_1)
    const zone = zcreate(arena, 'z', UMA_ZONE_SMR)
    const smr = bsd.uma_zone_get_smr(zone)
    const item = bsd.uma_zalloc_smr(zone, M_NOWAIT)
    unchanged(arena, () => misuse(() => bsd.uma_zdestroy(zone)))
    bsd.uma_zfree_smr(zone, item)
    bsd.uma_zdestroy(zone)
    expect(smr.isAlive()).toBe(false)
    expect(arena.stats().zones).toEqual([])
    misuse(() => bsd.uma_zalloc_smr(zone, M_NOWAIT))
    misuse(() => bsd.uma_zdestroy(zone))
    expect(bsd.uma_zalloc_smr(zcreate(arena, 'z', UMA_ZONE_SMR), M_NOWAIT)).toBeGreaterThan(0)
  })

  it('may share a domain, which outlives it', () => {
    const arena = tinyArena(FROM_1)
    const smr = bsd.smr_create(arena, 'd', 0, 0)
    const zones = ['a', 'b'].map((name) => zcreate(arena, name))
    for (const zone of zones) {
      bsd.uma_zone_set_smr(zone, smr)
      expect(bsd.uma_zone_get_smr(zone)).toBe(smr)
      bsd.uma_zfree_smr(zone, bsd.uma_zalloc_smr(zone, M_WAITOK))
    }
    misuse(() => bsd.smr_destroy(smr))
    for (const zone of zones) bsd.uma_zdestroy(zone)
    expect(smr.isAlive()).toBe(true)
    bsd.smr_destroy(smr)
  })

  it('runs destructors when nobody can look, never at the free', () => {
    const [arena, there] = pair()
    const dead: [Item, number, unknown][] = []
    const create = (at: Arena): bsd.uma_zone_t =>
      bsd.uma_zcreate(
        at,
        'z',
        BYTES,
        null,
        (...args) => dead.push(args),
        null,
        null,
        7,
        UMA_ZONE_SMR,
      )
    const zone = create(arena)
    const reader = bsd.uma_zone_get_smr(create(there))
    const item = bsd.uma_zalloc_smr(zone, M_WAITOK)
    bsd.smr_enter(reader)
    bsd.uma_zfree_smr(zone, item)
    bsd.uma_zone_reclaim(zone, bsd.UMA_RECLAIM_TRIM)
    expect(dead).toEqual([])
    bsd.smr_exit(reader)
    bsd.uma_zone_reclaim(zone, bsd.UMA_RECLAIM_DRAIN)
    expect(dead).toEqual([[item, BYTES, null]])
  })

  it('refuses the other pair of verbs, and frees inside a section', () => {
    const arena = tinyArena(FROM_1)
    const zone = zcreate(arena, 'z', UMA_ZONE_SMR)
    const plain = zcreate(arena, 'p')
    const item = bsd.uma_zalloc_smr(zone, M_NOWAIT)
    const other = bsd.uma_zalloc(plain, M_NOWAIT)
    const smr = bsd.uma_zone_get_smr(zone)
    unchanged(arena, () => {
      misuse(() => bsd.uma_zalloc(zone, M_NOWAIT))
      misuse(() => bsd.uma_zfree(zone, item))
      misuse(() => bsd.uma_zalloc_smr(plain, M_NOWAIT))
      misuse(() => bsd.uma_zfree_smr(plain, other))
      misuse(() => bsd.uma_zfree_smr(zone, NULL_ITEM))
      misuse(() => bsd.uma_zone_get_smr(plain))
    })
    bsd.smr_enter(smr)
    unchanged(arena, () => {
      misuse(() => bsd.uma_zfree_smr(zone, item))
      misuse(() => bsd.uma_zalloc_smr(zone, M_WAITOK))
      misuse(() => bsd.uma_zone_reclaim(zone, bsd.UMA_RECLAIM_TRIM))
    })
    expect(bsd.uma_zalloc_smr(zone, M_NOWAIT)).toBeGreaterThan(0)
    bsd.smr_exit(smr)
  })
})

describe('a cold zone', () => {
  it('is not there before its first use', () => {
    const arena = tinyArena(FROM_1)
    const zone = zcreate(arena, 'z')
    expect(arena.stats().zones).toEqual([])
    bsd.uma_prealloc(zone, 10)
    expect(arena.stats().zones.map(({ name }) => name)).toEqual(['z'])
    expect(zone.zone.stats().created).toBeGreaterThanOrEqual(10)
  })

  it('can be told its domain, limit and reserve; a hot one cannot', () => {
    const arena = tinyArena(FROM_1)
    const smr = bsd.smr_create(arena, 'd', 0, 0)
    const zone = zcreate(arena, 'z')
    expect(bsd.uma_zone_get_max(zone)).toBe(0)
    expect(bsd.uma_zone_set_max(zone, 100)).toBe(100)
    bsd.uma_zone_reserve(zone, 20)
    bsd.uma_zone_set_smr(zone, smr)
    expect(bsd.uma_zone_get_max(zone)).toBe(100)
    expect(bsd.uma_zalloc_smr(zone, M_NOWAIT)).toBeGreaterThan(0)
    expect(bsd.uma_zone_get_max(zone)).toBe(100)
    expect(zone.zone.stats().created).toBeGreaterThanOrEqual(20)
    const plain = zcreate(arena, 'p')
    bsd.uma_zalloc(plain, M_NOWAIT)
    unchanged(arena, () => {
      expect(misuse(() => bsd.uma_zone_set_smr(plain, smr)).message).toMatch(/"p": it is in use/)
      misuse(() => bsd.uma_zone_set_max(plain, 5))
      misuse(() => bsd.uma_zone_reserve(plain, 5))
      misuse(() => bsd.uma_zone_set_smr(zone, smr))
    })
  })

  it('keeps its reserve for M_USE_RESERVE', () => {
    const arena = tinyArena(FROM_1)
    const zone = zcreate(arena, 'z')
    bsd.uma_zone_set_max(zone, 4)
    bsd.uma_zone_reserve(zone, 1)
    const get = (flags: number): boolean => bsd.uma_zalloc(zone, M_NOWAIT | flags) !== 0
    expect([0, 0, 0, 0].map(get)).toEqual([true, true, true, false])
    expect([bsd.M_USE_RESERVE, bsd.M_USE_RESERVE].map(get)).toEqual([true, false])
  })

  it('has one domain only, of its own arena', () => {
    const [arena, there] = pair()
    const smr = bsd.smr_create(arena, 'd', 0, 0)
    const zone = zcreate(arena, 'z', UMA_ZONE_SMR)
    const cold = zcreate(arena, 'c')
    const theirs = bsd.smr_create(there, 'd', 0, 0)
    unchanged(arena, () => {
      misuse(() => bsd.uma_zone_set_smr(zone, smr))
      misuse(() => bsd.uma_zone_set_smr(cold, theirs))
      misuse(() => bsd.uma_zone_set_smr(cold, wild({})))
    })
    bsd.uma_zone_set_smr(cold, smr)
    unchanged(arena, () => misuse(() => bsd.uma_zone_set_smr(cold, smr)))
  })

  it('says at its first use that another worker has made it otherwise', () => {
    const [arena, there] = pair()
    const smr = bsd.smr_create(there, 'd', 0, 0)
    bsd.uma_zalloc(zcreate(arena, 'z'), M_NOWAIT)
    const zone = zcreate(there, 'z')
    bsd.uma_zone_set_smr(zone, smr)
    unchanged(arena, () => misuse(() => bsd.uma_zalloc_smr(zone, M_NOWAIT)))
  })

  it('refuses what is no size, name, mask, hook or flag', () => {
    const arena = tinyArena(FROM_1)
    const { uma_zcreate: create } = bsd
    unchanged(arena, () => {
      misuse(() => create(wild('z'), wild(BYTES), 64, null, null, null, null, 0, 0))
      misuse(() => create(arena, '', BYTES, null, null, null, null, 0, UMA_ZONE_SMR))
      misuse(() => create(arena, 'z', 0, null, null, null, null, 0, UMA_ZONE_SMR))
      for (const mask of [8, 2, 5, 1.5, '7']) {
        misuse(() => create(arena, 'z', BYTES, null, null, null, null, wild(mask), 0))
      }
      misuse(() => create(arena, 'z', BYTES, null, null, null, null, 4096, 0))
      misuse(() => create(arena, 'z', BYTES, wild(1), null, null, null, 0, 0))
      misuse(() => create(arena, 'z', BYTES, null, null, null, wild({}), 0, 0))
      misuse(() => create(arena, 'z', BYTES, null, null, null, null, 0, 0x8000))
      misuse(() => create(arena, 'z', BYTES, null, null, null, null, 0, wild(undefined)))
      misuse(() => create(arena, 'z', BYTES, null, null, null, null, 0, 2 ** 32))
      const zone = zcreate(arena, 'z')
      misuse(() => bsd.uma_zone_set_max(zone, 0))
      misuse(() => bsd.uma_zone_reserve(zone, -1))
      misuse(() => bsd.uma_zalloc(zone, 0))
      misuse(() => bsd.uma_zalloc(zone, M_NOWAIT | M_WAITOK))
      misuse(() => bsd.uma_zalloc(zone, M_NOWAIT | 0x800))
      for (const flags of [undefined, 2 ** 32 + M_NOWAIT, M_NOWAIT + 0.5, String(M_NOWAIT)]) {
        misuse(() => bsd.uma_zalloc(zone, wild(flags)))
      }
      misuse(() => bsd.uma_zone_reclaim(zone, 0))
    })
  })
})

describe('hooks', () => {
  it('hear what the kernel tells them', () => {
    const said: unknown[][] = []
    const arena = tinyArena(FROM_1)
    const hear =
      (what: string) =>
      (mem: Item, ...rest: unknown[]): number => {
        if (what !== 'init') said.push([what, mem, ...rest])
        else if (said.length === 0) said.push([what, ...rest])
        return 0
      }
    const [ctor, dtor, init, fini] = ['ctor', 'dtor', 'init', 'fini'].map(hear)
    const zone = bsd.uma_zcreate(arena, 'z', BYTES, ctor, dtor, init, fini, 7, 0)
    const item = bsd.uma_zalloc_arg(zone, 'blue', M_WAITOK)
    bsd.uma_zfree_arg(zone, item, 'red')
    const next = bsd.uma_zalloc(zone, M_NOWAIT)
    bsd.uma_zfree(zone, next)
    expect(said).toEqual([
      ['init', BYTES, M_WAITOK],
      ['ctor', item, BYTES, 'blue', M_WAITOK],
      ['dtor', item, BYTES, 'red'],
      ['ctor', next, BYTES, null, M_NOWAIT],
      ['dtor', next, BYTES, null],
    ])
    said.length = 0
    bsd.uma_zone_reclaim(zone, bsd.UMA_RECLAIM_DRAIN_CPU)
    expect(said).toContainEqual(['fini', item, BYTES])
    bsd.uma_zfree(zone, NULL_ITEM)
  })

  it('a constructor that refuses gets its caller NULL, and the item goes back', () => {
    const arena = tinyArena(FROM_1)
    let errno = 12
    const zone = bsd.uma_zcreate(arena, 'z', BYTES, () => errno, null, null, null, 7, UMA_ZONE_SMR)
    expect(bsd.uma_zalloc_smr(zone, M_NOWAIT)).toBe(0)
    expect(bsd.uma_zalloc_smr(zone, M_WAITOK)).toBe(0)
    expect(bsd.uma_zone_get_cur(zone)).toBe(0)
    errno = 0
    expect(bsd.uma_zalloc_smr(zone, M_NOWAIT)).toBeGreaterThan(0)
    zone.zone.check()
  })

  it('a uminit that refuses too, and one that throws is heard', () => {
    const arena = tinyArena(FROM_1)
    let errno = 12
    const init = (): number => {
      if (errno < 0) throw new RangeError('mine')
      return errno
    }
    const zone = bsd.uma_zcreate(arena, 'z', BYTES, null, null, init, null, 7, 0)
    expect(bsd.uma_zalloc(zone, M_WAITOK)).toBe(0)
    errno = -1
    expect(() => bsd.uma_zalloc(zone, M_NOWAIT)).toThrow(RangeError)
    errno = 0
    expect(bsd.uma_zalloc(zone, M_NOWAIT)).toBeGreaterThan(0)
    zone.zone.check()
  })
})

describe('allocations', () => {
  it('M_ZERO fills with 0, behind the constructor; UMA_ZONE_ZINIT before the first use', () => {
    const arena = tinyArena(FROM_1)
    const words = BYTES / 4
    const all = (item: Item): number[] => [...arena.words.subarray(item, item + words)]
    const ctor = (mem: Item): number => {
      arena.words.fill(7, mem, mem + words)
      return 0
    }
    const zone = bsd.uma_zcreate(arena, 'z', BYTES, ctor, null, null, null, 7, 0)
    expect(all(bsd.uma_zalloc(zone, M_NOWAIT))).toEqual(new Array(words).fill(7))
    expect(all(bsd.uma_zalloc(zone, M_NOWAIT | M_ZERO))).toEqual(new Array(words).fill(0))
    const zinit = zcreate(arena, 'i', bsd.UMA_ZONE_ZINIT)
    expect(all(bsd.uma_zalloc(zinit, M_NOWAIT))).toEqual(new Array(words).fill(0))
  })

  it('M_NOWAIT is told at the limit that there is none', () => {
    const zone = zcreate(tinyArena(FROM_1), 'z', UMA_ZONE_SMR)
    bsd.uma_zone_set_max(zone, 2)
    expect(bsd.uma_zalloc_smr(zone, M_NOWAIT)).toBeGreaterThan(0)
    expect(bsd.uma_zalloc_smr(zone, M_NOWAIT)).toBeGreaterThan(0)
    expect(bsd.uma_zalloc_smr(zone, M_NOWAIT)).toBe(0)
  })

  it('M_WAITOK waits until there is one', () => {
    const arena = tinyArena(FROM_1)
    const zone = zcreate(arena, 'z')
    bsd.uma_zone_set_smr(zone, bsd.smr_create(arena, 'ticks', 0, bsd.SMR_LAZY))
    bsd.uma_zone_set_max(zone, 1)
    for (let n = 0; n < 5; n++) {
      const item = bsd.uma_zalloc_smr(zone, M_WAITOK)
      bsd.uma_zfree_smr(zone, item)
      // Two ticks have to pass, which no M_NOWAIT waits for.
      expect(bsd.uma_zalloc_smr(zone, M_WAITOK)).toBe(item)
      bsd.uma_zfree_smr(zone, item)
    }
  })

  it('M_WAITOK waits for a reader in another thread, M_NOWAIT does not', async () => {
    const arena = tinyArena(FROM_1)
    const zone = zcreate(arena, 'one', UMA_ZONE_SMR)
    bsd.uma_zone_set_max(zone, 1)
    const item = bsd.uma_zalloc_smr(zone, M_WAITOK)
    const worker = new Worker(built('unit/dialects/holder.worker.ts'), { workerData: arena.handle })
    await once(worker, 'message')
    bsd.uma_zfree_smr(zone, item)
    expect(bsd.uma_zalloc_smr(zone, M_NOWAIT)).toBe(0)
    Atomics.store(arena.words, arena.root('go'), 1)
    Atomics.notify(arena.words, arena.root('go'))
    expect(bsd.uma_zalloc_smr(zone, M_WAITOK)).toBe(item)
    await worker.terminate()
  })

  it('alignment is a mask, of 8 bytes at least', () => {
    const arena = tinyArena(FROM_1)
    for (const [mask, words] of [
      [0, 2],
      [bsd.UMA_ALIGN_PTR, 2],
      [bsd.UMA_ALIGN_LONG, 2],
      [31, 8],
      [bsd.UMA_ALIGN_CACHE, 16],
    ] as const) {
      const zone = bsd.uma_zcreate(arena, `${mask}`, 12, null, null, null, null, mask, 0)
      for (let n = 0; n < 9; n++) expect(bsd.uma_zalloc(zone, M_NOWAIT) % words).toBe(0)
    }
  })

  it('prealloc says when it cannot', () => {
    const zone = zcreate(tinyArena(FROM_1), 'z')
    exhausted(() => bsd.uma_prealloc(zone, 60_000))
  })

  it('a NOFREE zone keeps its slabs, others give them back', () => {
    const arena = tinyArena(FROM_1)
    const left = [bsd.UMA_ZONE_NOFREE, 0].map((flags) => {
      const zone = zcreate(arena, `${flags}`, flags)
      bsd.uma_zfree(zone, bsd.uma_zalloc(zone, M_NOWAIT))
      bsd.uma_zone_reclaim(zone, bsd.UMA_RECLAIM_DRAIN_CPU)
      return zone.zone.stats().slabs > 0
    })
    expect(left).toEqual([true, false])
  })
})
