/**
 * pool_cache(9) does what its manual page says, and put goes on doing it after pool_cache_set_smr,
 * without waiting for a reader; pserialize(9) is a domain.
 */

import { describe, expect, it } from 'vitest'
import * as bsd from '#src/dialects/netbsd.ts'
import type { Arena, Item } from '#src/index.ts'
import { pair } from '../../helpers/company.ts'
import { exhausted, misuse, unchanged, wild } from '../../helpers/refusals.ts'
import { CONFIGS, type Config, tinyArena } from '../../helpers/tiny.ts'

const [FROM_1] = CONFIGS as readonly [Config, ...Config[]]
const BYTES = 64
const { IPL_NONE, PR_NOWAIT, PR_WAITOK } = bsd

function init(
  arena: Arena,
  name: string,
  ctor?: bsd.pool_cache_ctor,
  dtor?: bsd.pool_cache_dtor,
  arg?: unknown,
): bsd.pool_cache_t {
  return bsd.pool_cache_init(arena, BYTES, 0, 0, 0, name, null, IPL_NONE, ctor, dtor, arg)
}

function getMany(pc: bsd.pool_cache_t, count: number): Item[] {
  return Array.from({ length: count }, () => bsd.pool_cache_get(pc, PR_NOWAIT))
}

describe.each(CONFIGS)('pool_cache(9), $name', (config) => {
  it('put makes an object available at once, without a domain', () => {
    const pc = init(tinyArena(config), 'c')
    const object = bsd.pool_cache_get(pc, PR_WAITOK)
    bsd.pool_cache_put(pc, object)
    expect(getMany(pc, 400)).toContain(object)
  })

  it.each([false, true])('and with one when readers have left (checks: %s)', (checks) => {
    const [arena, there] = pair({ checks }, config)
    const smr = bsd.smr_create(arena, 'd', 0, 0)
    const reader = bsd.smr_create(there, 'd', 0, 0)
    const pc = init(arena, 'c')
    bsd.pool_cache_set_smr(pc, smr)
    const object = bsd.pool_cache_get(pc, PR_WAITOK)
    bsd.smr_enter(reader)
    const goal = bsd.smr_advance(smr)
    bsd.pool_cache_put(pc, object)
    pc.zone.seal()
    expect(getMany(pc, 300)).not.toContain(object)
    expect(bsd.smr_poll(smr, goal, false)).toBe(false)
    bsd.smr_exit(reader)
    expect(getMany(pc, 300)).toContain(object)
  })
})

describe('a cache with a domain', () => {
  it('opened by a worker that names none, it is one all the same', () => {
    const [arena, there] = pair()
    const pc = init(arena, 'c')
    bsd.pool_cache_set_smr(pc, bsd.smr_create(arena, 'd', 0, 0))
    const object = bsd.pool_cache_get(pc, PR_WAITOK)
    const same = init(there, 'c')
    bsd.pool_cache_put(same, object)
    expect(same.zone.stats().pending).toBe(1)
    expect(bsd.pool_cache_get(same, PR_NOWAIT)).toBeGreaterThan(0)
    misuse(() => bsd.pool_cache_set_smr(same, bsd.smr_create(there, 'd', 0, 0)))
  })

  it('is given it once, before it is used', () => {
    const arena = tinyArena(FROM_1)
    const smr = bsd.smr_create(arena, 'd', 0, 0)
    const used = init(arena, 'used')
    bsd.pool_cache_get(used, PR_NOWAIT)
    const bound = init(arena, 'bound')
    bsd.pool_cache_set_smr(bound, smr)
    unchanged(arena, () => {
      expect(misuse(() => bsd.pool_cache_set_smr(used, smr)).message).toMatch(
        'pool_cache_set_smr: zone "used": it is in use',
      )
      misuse(() => bsd.pool_cache_set_smr(bound, smr))
      misuse(() => bsd.pool_cache_set_smr(init(arena, 'x'), wild(undefined)))
    })
  })

  it('refuses what would wait for its own section', () => {
    const arena = tinyArena(FROM_1)
    const smr = bsd.smr_create(arena, 'd', 0, 0)
    const pc = init(arena, 'c')
    bsd.pool_cache_set_smr(pc, smr)
    const object = bsd.pool_cache_get(pc, PR_WAITOK)
    bsd.smr_enter(smr)
    unchanged(arena, () => {
      misuse(() => bsd.pool_cache_put(pc, object))
      misuse(() => bsd.pool_cache_get(pc, PR_WAITOK))
      misuse(() => bsd.pool_cache_invalidate(pc))
      misuse(() => bsd.pool_cache_reclaim(pc))
      misuse(() => bsd.pool_cache_destroy(pc))
    })
    expect(bsd.pool_cache_get(pc, PR_NOWAIT)).toBeGreaterThan(0)
    bsd.smr_exit(smr)
  })

  it('leaves the domain to others when it ends', () => {
    const arena = tinyArena(FROM_1)
    const smr = bsd.smr_create(arena, 'd', 0, 0)
    const pc = init(arena, 'c')
    bsd.pool_cache_set_smr(pc, smr)
    const object = bsd.pool_cache_get(pc, PR_WAITOK)
    unchanged(arena, () => misuse(() => bsd.pool_cache_destroy(pc)))
    misuse(() => bsd.smr_destroy(smr))
    bsd.pool_cache_put(pc, object)
    bsd.pool_cache_destroy(pc)
    misuse(() => bsd.pool_cache_get(pc, PR_NOWAIT))
    bsd.smr_destroy(smr)
  })

  it('PR_WAITOK waits for what is expiring, PR_NOWAIT does not', () => {
    const arena = tinyArena(FROM_1)
    const pc = init(arena, 'c')
    bsd.pool_cache_set_smr(pc, bsd.smr_create(arena, 'ticks', 0, bsd.SMR_LAZY))
    bsd.pool_cache_sethardlimit(pc, 1, null, 0)
    const object = bsd.pool_cache_get(pc, PR_WAITOK)
    expect(bsd.pool_cache_get(pc, PR_NOWAIT)).toBe(0)
    bsd.pool_cache_put(pc, object)
    expect(bsd.pool_cache_get(pc, PR_WAITOK)).toBe(object)
  })
})

describe('objects', () => {
  it('are constructed when they enter the cache and destructed when they leave it', () => {
    const said: unknown[][] = []
    const arena = tinyArena(FROM_1)
    const pc = init(
      arena,
      'c',
      (...args) => said.push(args) * 0,
      (...args) => said.push(args),
      'mine',
    )
    const object = bsd.pool_cache_get(pc, PR_WAITOK)
    expect(said).toContainEqual(['mine', object, PR_WAITOK])
    const constructed = said.length
    for (let n = 0; n < 3; n++) {
      bsd.pool_cache_put(pc, object)
      expect(bsd.pool_cache_get(pc, PR_NOWAIT)).toBeGreaterThan(0)
    }
    expect(said.every(([, , flags]) => flags === PR_WAITOK)).toBe(true)
    said.length = 0
    expect(constructed).toBeGreaterThan(0)
    bsd.pool_cache_invalidate(pc)
    expect(said.length).toBeGreaterThan(0)
    expect(said.every(([arg, , ...rest]) => arg === 'mine' && rest.length === 0)).toBe(true)
  })

  it('keep what is in them from put to get', () => {
    const arena = tinyArena(FROM_1, { checks: true })
    const pc = init(
      arena,
      'c',
      (_, object) => {
        arena.words[object] = 42
        return 0
      },
      () => {},
    )
    for (const object of getMany(pc, 3)) bsd.pool_cache_put(pc, object)
    for (const object of getMany(pc, 300)) expect(arena.words[object]).toBe(42)
  })

  it('a constructor that refuses gets its caller NULL', () => {
    let errno = 12
    const pc = init(tinyArena(FROM_1), 'c', () => errno)
    expect(bsd.pool_cache_get(pc, PR_WAITOK)).toBe(0)
    errno = 0
    expect(bsd.pool_cache_get(pc, PR_NOWAIT)).toBeGreaterThan(0)
    pc.zone.check()
  })
})

describe('keeping house', () => {
  it('reclaim tells whether there was anything; invalidate empties this worker too', () => {
    const pc = init(tinyArena(FROM_1), 'c')
    expect(bsd.pool_cache_reclaim(pc)).toBe(false)
    for (const object of getMany(pc, 600)) bsd.pool_cache_put(pc, object)
    expect(bsd.pool_cache_reclaim(pc)).toBe(true)
    bsd.pool_cache_invalidate(pc)
    const { cached, pending, safe } = pc.zone.stats()
    expect([cached, pending, safe]).toEqual([0, 0, 0])
  })

  it('a low-water mark is had before the first get, a hard limit holds', () => {
    const pc = init(tinyArena(FROM_1), 'c')
    bsd.pool_cache_setlowat(pc, 20)
    bsd.pool_cache_sethardlimit(pc, 30, null, 0)
    getMany(pc, 30)
    expect(bsd.pool_cache_get(pc, PR_NOWAIT)).toBe(0)
    misuse(() => bsd.pool_cache_setlowat(pc, 1))
    misuse(() => bsd.pool_cache_sethardlimit(pc, 1, null, 0))
    const greedy = init(tinyArena(FROM_1), 'g')
    bsd.pool_cache_setlowat(greedy, 60_000)
    exhausted(() => bsd.pool_cache_get(greedy, PR_NOWAIT))
  })

  it('refuses what has no meaning here, and what is none', () => {
    const arena = tinyArena(FROM_1)
    const { pool_cache_init: make } = bsd
    unchanged(arena, () => {
      misuse(() => make(wild(BYTES), 0, 0, 0, 0, wild('c'), null, 0, null, null, null))
      misuse(() => make(arena, 0, 0, 0, 0, 'c', null, 0, null, null, null))
      for (const align of [3, 6, 24]) {
        misuse(() => make(arena, BYTES, align, 0, 0, 'c', null, 0, null, null, null))
      }
      expect(
        misuse(() => make(arena, BYTES, 0, 4, 0, 'c', null, 0, null, null, null)).message,
      ).toBe('pool_cache_init: align_offset is 4, and means nothing here; give 0 or null')
      misuse(() => make(arena, BYTES, 0, 0, 0x400, 'c', null, 0, null, null, null))
      misuse(() => make(arena, BYTES, 0, 0, 0, '', null, 0, null, null, null))
      misuse(() => make(arena, BYTES, 0, 0, 0, 'c', wild({}), 0, null, null, null))
      misuse(() => make(arena, BYTES, 0, 0, 0, 'c', null, 6, null, null, null))
      misuse(() => make(arena, BYTES, 0, 0, 0, 'c', null, 0, wild(1), null, null))
      const pc = init(arena, 'c')
      misuse(() => bsd.pool_cache_get(pc, 0))
      misuse(() => bsd.pool_cache_get(pc, PR_NOWAIT | PR_WAITOK))
      misuse(() => bsd.pool_cache_sethardlimit(pc, 1, wild('full'), 0))
      misuse(() => bsd.pool_cache_sethardlimit(pc, 1, null, 60))
    })
  })

  it('aligns to what it is told, 8 at least', () => {
    const arena = tinyArena(FROM_1)
    for (const [align, words] of [
      [0, 2],
      [4, 2],
      [64, 16],
    ] as const) {
      const pc = bsd.pool_cache_init(arena, 12, align, 0, 0, `${align}`, null, 0, null, null, null)
      for (const object of getMany(pc, 9)) expect(object % words).toBe(0)
    }
  })
})

describe('pserialize(9)', () => {
  it('perform waits for readers, and is all that is needed to put at once', () => {
    const [arena, there] = pair()
    const psz = bsd.pserialize_create(arena, 'p')
    const reader = bsd.pserialize_create(there, 'p')
    const s = bsd.pserialize_read_enter(reader)
    expect(psz.synchronize({ timeoutMs: 0 })).toBe(false)
    unchanged(arena, () => {
      misuse(() => bsd.pserialize_read_enter(reader))
      misuse(() => bsd.pserialize_perform(reader))
      misuse(() => bsd.pserialize_read_exit(reader, 6))
      misuse(() => bsd.pserialize_create(wild('p'), wild(undefined)))
    })
    bsd.pserialize_read_exit(reader, s)
    bsd.pserialize_perform(psz)
    unchanged(arena, () => misuse(() => bsd.pserialize_read_exit(reader, s)))
    bsd.pserialize_destroy(psz)
    misuse(() => bsd.pserialize_perform(psz))
  })

  it('is a domain that a cache may be given', () => {
    const [arena, there] = pair()
    const psz = bsd.pserialize_create(arena, 'p')
    const pc = init(arena, 'c')
    bsd.pool_cache_set_smr(pc, psz)
    const object = bsd.pool_cache_get(pc, PR_NOWAIT)
    const reader = bsd.pserialize_create(there, 'p')
    const s = bsd.pserialize_read_enter(reader)
    bsd.pool_cache_put(pc, object)
    expect(getMany(pc, 300)).not.toContain(object)
    bsd.pserialize_read_exit(reader, s)
    misuse(() => bsd.pserialize_destroy(psz))
  })
})

it('smr(9) is the same for both kernels', async () => {
  const freebsd = await import('#src/dialects/freebsd.ts')
  expect(bsd.smr_create).toBe(freebsd.smr_create)
  expect(Object.keys(freebsd).filter((name) => /^smr_|^SMR_/.test(name))).toEqual(
    Object.keys(bsd).filter((name) => /^smr_|^SMR_/.test(name)),
  )
})
