/**
 * Zones beside sections of their own worker: what must not be waited for, and what must not be run.
 */

import { describe, expect, it } from 'vitest'
import { Exhausted, type Item } from '#src/index.ts'
import { CONFIGS, tinyArena } from '../../helpers/tiny.ts'

describe.each(CONFIGS)('$name', (config) => {
  it('an allocation inside a section runs no destructor: it could free, which a section may not', () => {
    const arena = tinyArena(config)
    const smr = arena.smr('d')
    const children = arena.zone('children', { bytes: 8, smr, bucket: 2 })
    const child = new Map<Item, Item>()
    const parents = arena.zone('parents', {
      bytes: 8,
      smr,
      bucket: 2,
      dtor: (parent) => children.zfreeSmr(child.get(parent) as Item),
    })
    const make = (): Item => {
      const parent = parents.zallocSmr()
      child.set(parent, children.zallocSmr())
      return parent
    }
    for (const parent of [make(), make()]) parents.zfreeSmr(parent)
    parents.seal()
    const fresh = smr.read(() => [parents.zallocSmr(), parents.zallocSmr(), parents.zallocSmr()])
    expect(new Set(fresh).size).toBe(3)
    expect(children.stats().frees).toBe(0)
    for (let i = 0; i < 8 && children.stats().frees === 0; i++) parents.zallocSmr()
    expect(children.stats()).toMatchObject({ live: 0, frees: 2 })
  })

  it('nobody waits for an async section of his own worker: reclaim and destroy say what is left', () => {
    const arena = tinyArena(config)
    const smr = arena.smr('d', { sleepable: true })
    const zone = arena.zone('z', { bytes: 8, smr, bucket: 2 })
    const items = [1, 2, 3, 4].map(() => zone.zallocSmr())
    const section = smr.enterSleepable()
    for (const item of items) zone.zfreeSmr(item)
    const begun = performance.now()
    expect(zone.reclaim('drain')).toMatchObject({ released: 0 })
    expect(zone.stats().pending).toBe(4)
    expect(() => zone.destroy()).toThrow(Exhausted)
    // Each would have blocked for 30 s: no figure, only that nobody did.
    expect(performance.now() - begun).toBeLessThan(20_000)
    smr.exitSleepable(section)
    expect(zone.reclaim('drain')).toMatchObject({ released: 4 })
    zone.destroy()
  })
})
