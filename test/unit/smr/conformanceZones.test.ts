/**
 * Zones and tables on every domain there can be: the allocator knows neither clock nor section, so
 * all it promises must hold on each. Items come back when readers have left, also at a limit, where
 * there is nothing else left than what is pending; draining, sealing and destroying wait for what
 * this clock takes; a table is resized under readers.
 */

import { beforeEach, describe, expect, it } from 'vitest'
import { HashTable, type Item, record, u32, type Zone } from '#src/index.ts'
import { checkTable } from '#src/table/stats.ts'
import { CASES, GRACE, type Hand, Stage } from '../../helpers/combos.ts'
import { exhausted } from '../../helpers/refusals.ts'

const BUCKET = 4
const Row = record({ id: u32, version: u32 })

describe.each(CASES)('$name', (each) => {
  const { clock } = each.combo
  let stage: Stage
  let writer: Hand
  let reader: Hand

  beforeEach(() => {
    stage = new Stage(each, { bytes: 2 ** 19 })
    ;[writer, reader] = stage.workers
  })

  const make = (options: { limit?: number; dtor?: (item: Item) => void } = {}): Zone =>
    writer.arena.zone('things', { bytes: 16, bucket: BUCKET, smr: writer.smr, ...options })

  const alloc = (zone: Zone, count: number): Item[] =>
    Array.from({ length: count }, () => zone.zallocSmr())

  it('many buckets go round: what is freed is used again, and one step is paid for each at most', () => {
    const zone = make()
    const used = new Set<Item>()
    for (let round = 0; round < 60; round++) {
      const items = alloc(zone, BUCKET)
      for (const item of items) used.add(item)
      for (const item of items) zone.zfreeSmr(item)
      stage.tick()
    }
    // A deferred goal is met a few buckets later, a lazy one a few ticks: no more lie around.
    expect(used.size).toBeLessThanOrEqual(12 * BUCKET)
    const { advances, retired } = zone.stats()
    expect(retired).toBeGreaterThanOrEqual(58)
    if (clock === 'default') expect(advances).toBe(retired)
    else expect(advances).toBeLessThan(retired)
    if (clock === 'deferred') expect(advances).toBe(Math.floor(retired / 3))
    zone.check()
    expect(zone.stats().live).toBe(0)
  })

  it('nothing is used again while a reader that may see it is inside', () => {
    const zone = make()
    const old = alloc(zone, 2 * BUCKET)
    reader.smr.enter()
    for (const item of old) zone.zfreeSmr(item)
    const later = alloc(zone, 6 * BUCKET)
    expect(later.filter((item) => old.includes(item))).toEqual([])
    for (const item of later) zone.zfreeSmr(item)
    stage.tick(GRACE)
    expect(alloc(zone, 4).filter((item) => old.includes(item))).toEqual([])
    reader.smr.exit()
    reader.endTurn()
    zone.check()
  })

  it('at its limit it finds what has expired instead of failing', () => {
    const zone = make({ limit: 4 * BUCKET })
    for (let round = 0; round < 20; round++) {
      const items: Item[] = []
      for (let item = zone.tryZallocSmr(); item !== 0; item = zone.tryZallocSmr()) items.push(item)
      // All there are, each time: urging brings a deferred hand to the oldest goal.
      expect(items.length).toBeGreaterThanOrEqual(4 * BUCKET)
      for (const item of items) zone.zfreeSmr(item)
      // Only time moves a lazy hand, and nothing urges time: so what is freed has to be retired.
      if (clock === 'lazy') zone.seal()
      stage.tick(clock === 'lazy' ? GRACE : 0)
    }
    expect(zone.stats().live).toBe(0)
    zone.check()
  })

  it('at its limit, with a reader inside, it says how much is on its way', () => {
    const zone = make({ limit: 2 * BUCKET })
    const items: Item[] = []
    for (let item = zone.tryZallocSmr(); item !== 0; item = zone.tryZallocSmr()) items.push(item)
    reader.smr.enter()
    for (const item of items) zone.zfreeSmr(item)
    stage.tick(GRACE)
    expect(exhausted(() => zone.zallocSmr()).message).toMatch(/pending|expir/)
    reader.smr.exit()
    reader.endTurn()
    stage.tick(GRACE)
    expect(zone.zallocSmr()).toBeGreaterThan(0)
    zone.check()
  })

  it('reclaim drains all of it, in the time that the clock takes, and destructors run once', () => {
    const seen = new Map<Item, number>()
    const zone = make({ dtor: (item) => void seen.set(item, (seen.get(item) ?? 0) + 1) })
    const items = alloc(zone, 5 * BUCKET + 1)
    reader.smr.enter()
    for (const item of items) zone.zfreeSmr(item)
    stage.tick(GRACE)
    expect(zone.reclaim('drain', { timeoutMs: 20 }).remaining).toBeGreaterThanOrEqual(items.length)
    expect(seen.size).toBe(0)
    let sleeps = 0
    stage.onSleep = () => {
      if (++sleeps !== 5) return
      reader.smr.exit()
      reader.endTurn()
    }
    expect(zone.reclaim('all').remaining).toBe(0)
    expect([...seen.values()]).toEqual(items.map(() => 1))
    zone.check()
    expect(zone.stats().inSlabs).toBe(zone.stats().created)
  })

  it('a reclaim that waits lets go of what its own worker has published', () => {
    const zone = make()
    const items = alloc(zone, 2 * BUCKET)
    writer.smr.read(() => {})
    for (const item of items) zone.zfreeSmr(item)
    expect(zone.reclaim('all').remaining).toBe(0)
  })

  it('a sealed part-filled bucket comes back like a full one', () => {
    const zone = make()
    const items = alloc(zone, 2)
    for (const item of items) zone.zfreeSmr(item)
    zone.seal()
    expect(zone.stats().pending).toBe(2)
    stage.tick(GRACE)
    expect(zone.reclaim('drain').remaining).toBeGreaterThanOrEqual(0)
    expect(zone.stats().pending).toBe(0)
    zone.check()
  })

  it('zone and domain can be destroyed, and made again', () => {
    for (let round = 0; round < 3; round++) {
      const zone = make()
      for (const item of alloc(zone, 3 * BUCKET)) zone.zfreeSmr(item)
      writer.smr.read(() => {})
      zone.destroy()
    }
    for (const hand of stage.workers) hand.smr.read(() => {})
    stage.endTurns()
    writer.smr.destroy()
    const again = writer.arena.smr('d', each.combo.options)
    const zone = writer.arena.zone('things', { bytes: 16, smr: again })
    zone.zfreeSmr(zone.zallocSmr())
    expect(zone.reclaim('all').remaining).toBe(0)
  })

  it('a domain is not destroyed before a section in it, and its turn, are over', () => {
    reader.smr.read(() => {})
    reader.smr.enter()
    exhausted(() => writer.smr.destroy({ timeoutMs: 20 }))
    let sleeps = 0
    stage.onSleep = () => {
      if (++sleeps === 3) reader.smr.exit()
      if (++sleeps === 6) reader.endTurn()
    }
    writer.smr.destroy({ timeoutMs: 1000 })
    expect(sleeps).toBeGreaterThanOrEqual(3)
  })

  it('a worker that detaches leaves its frees to the others, and nothing published', () => {
    const zone = make()
    const theirs = reader.arena.zone('things')
    const items = alloc(zone, 2 * BUCKET + 1)
    reader.smr.read(() => {})
    for (const item of items) theirs.zfreeSmr(item)
    reader.arena.detach()
    expect(stage.hands.seq(1)).toBe(0)
    reader.endTurn()
    expect(zone.reclaim('all').remaining).toBe(0)
    zone.check()
  })

  it('a table on it is resized under a reader, and keeps its records', () => {
    const table = HashTable.create(writer.arena, 'rows', {
      record: Row,
      key: 'id',
      smr: writer.smr,
      capacity: 16,
      bucket: BUCKET,
    })
    const theirs = HashTable.open(reader.arena, 'rows', { record: Row, key: 'id' })
    for (let id = 0; id < 40; id++) table.set({ id, version: 1 })
    for (const capacity of [64, 16, 128, 16]) {
      // The reader is inside all the time, but not in the section that the last resize waits for.
      writer.smr.synchronize()
      theirs.read(7, () => table.resize(capacity, { timeoutMs: 1000 }))
      for (let id = 0; id < 40; id += 3) table.set({ id, version: capacity })
      expect(theirs.get(9)?.version).toBe(capacity)
      reader.endTurn()
    }
    for (let id = 0; id < 40; id++) table.delete(id)
    reader.endTurn()
    expect([...theirs.entries()]).toEqual([])
    reader.endTurn()
    expect(table.zone.reclaim('all').remaining).toBe(0)
    checkTable(table)
  })
})
