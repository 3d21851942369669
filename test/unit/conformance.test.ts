/**
 * What the pages of docs/conformance/ promise and no source file shows by itself: the public names, and
 * promises that several files keep together. Most of their other rows lead to the tests of one file.
 */

import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { forward, type Seq } from '#src/base/seq.ts'
import * as library from '#src/index.ts'
import { DepotWords, Header, KegWords, ReaderWords, zoneParts } from '#src/memory/layout.ts'
import { Memory } from '#src/memory/memory.ts'
import { Readers } from '#src/smr/poll.ts'
import { pair } from '../helpers/company.ts'
import { Hands } from '../helpers/hands.ts'
import { Loop } from '../helpers/loop.ts'
import { ROOT } from '../helpers/programs.ts'
import { CONFIGS, type Config } from '../helpers/tiny.ts'
import { KINDS, Stage } from './lists/queueStage.ts'
import { allocMany, freeMany, smrStage } from './zone/stage.ts'

const [FROM_1] = CONFIGS as readonly [Config, ...Config[]]

afterEach(() => {
  vi.restoreAllMocks()
})

describe('public names', () => {
  const { Arena, HashTable, record, ref, SmrTailQ, u32 } = library
  const arena = Arena.create({ bytes: 2 ** 18, maxWorkers: 2 })
  const schema = record({ id: u32, next: ref })
  const table = HashTable.create(arena, 'table', { record: schema, key: 'id', capacity: 8 })
  const address = arena.root('root')
  const holders: Readonly<Record<string, object>> = {
    Arena,
    HashTable,
    arena,
    lock: arena.lock('lock'),
    pointer: library.pointer(arena, address),
    queue: new SmrTailQ(arena, { head: 8, link: 0 }),
    schema,
    smr: arena.smr('smr'),
    table,
    zone: arena.zone('zone', { bytes: 8 }),
  }
  const page = readFileSync(new URL('docs/conformance/names.md', ROOT), 'utf8')
  const names = [...page.matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  )
  const dotted = names.map((name) => /^(\w+)\.(\w+)/.exec(name)).filter((match) => match !== null)
  const exported = names.filter((name) => /^[A-Z]\w+$/.test(name) || name in library)

  it('are all there', () => {
    const missing = dotted.filter(([, holder = '', name = '']) => {
      const object = holders[holder]
      return object === undefined || !(name in object)
    })
    expect(missing.map(([name]) => name)).toEqual([])
    expect(dotted.length).toBeGreaterThan(90)
  })

  it('are exported, types too', () => {
    const index = readFileSync(new URL('src/index.ts', ROOT), 'utf8')
    const missing = exported.filter((name) => !new RegExp(`\\b${name}\\b`).test(index))
    expect(missing).toEqual([])
    expect(exported.length).toBeGreaterThan(20)
  })
})

it('as many callbacks may wait as are queued', () => {
  const MANY = 50_000
  const [a, b] = pair()
  const loop = new Loop(a)
  const smr = a.smr('d')
  const reader = b.smr('d')
  reader.enter()
  let ran = 0
  for (let i = 0; i < MANY; i++) smr.call(() => ran++)
  for (let i = 0; i < 5; i++) loop.turn()
  expect([ran, smr.stats().callsPending]).toEqual([0, MANY])
  reader.exit()
  loop.run()
  expect([ran, smr.stats().callsPending]).toEqual([MANY, 0])
})

it('a barrier ends although its caller holds the lock that a callback wants', async () => {
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const [a, b] = pair()
  const smr = a.smr('d')
  const lock = a.lock('l')
  b.smr('d').call(() => void b.lock('l').lock({ timeoutMs: 5 }))
  lock.lock()
  expect(await smr.barrier({ timeoutMs: 10_000 })).toBe(true)
  expect(smr.stats()).toMatchObject({ calls: 1, callsPending: 0, callErrors: 1 })
  lock.unlock()
})

it.each(KINDS.filter(({ doubly }) => doubly).map((kind) => [kind.name, kind] as const))(
  'a doubly linked queue removes in a few steps, however long it is: %s',
  (_, kind) => {
    const stage = new Stage(kind)
    const queue = stage.another(...stage.items(200))
    const items = [...queue.serialized()]
    const { memory } = stage.arena
    const peeks = vi.spyOn(memory, 'peek')
    const loads = vi.spyOn(memory, 'load')
    for (const at of [199, 100, 0]) queue.remove(items[at] as library.Item)
    const looks = peeks.mock.calls.length + loads.mock.calls.length
    vi.restoreAllMocks()
    expect(looks).toBeGreaterThanOrEqual(3)
    expect(looks).toBeLessThan(3 * 10)
    expect(queue.check()).toBe(197)
  },
)

it.each(['drain', 'all', 'destroy'] as const)(
  'waits for readers hold no lock of the zone: %s',
  (way) => {
    const { a, b } = smrStage(FROM_1, { bucket: 2 })
    const { memory, space } = a.arena
    const parts = zoneParts(a.zone.parts.at, space.maxWorkers)
    const locks = [
      parts.depot + DepotWords.lock,
      parts.keg + KegWords.lock,
      parts.buckets + KegWords.lock,
      Header.directoryLock,
      Header.pageLock,
    ]
    const items = allocMany(a, 9)
    b.smr.enter()
    freeMany(a, items)
    let sleeps = 0
    vi.spyOn(memory, 'sleep').mockImplementation(() => {
      expect(locks.map((at) => memory.load(at))).toEqual(locks.map(() => 0))
      if (++sleeps === 3) b.smr.exit()
    })
    if (way === 'destroy') a.zone.destroy()
    else expect(a.zone.reclaim(way).released).toBe(way === 'all' ? 10 : 9)
    expect(sleeps).toBe(3)
  },
)

it('a depot with nothing pending is not polled', () => {
  const { a } = smrStage(FROM_1, { bucket: 2 })
  allocMany(a, 20)
  expect(a.smr.stats().polls).toBe(0)
  freeMany(a, allocMany(a, 2))
  a.zone.seal()
  allocMany(a, 2)
  expect(a.smr.stats().polls).toBeGreaterThan(0)
})

it('a goal that has come round into range again is looked at again, which does no harm', () => {
  const [a, b] = pair()
  const [smr, reader] = [a.smr('d'), b.smr('d')]
  const hands = new Hands(smr)
  const goal = smr.advance()
  expect(smr.poll(goal)).toBe(true)
  // The hands have gone round the circle, but for three steps.
  const before = hands.later(goal as number, -3)
  hands.wr = before
  hands.rd = before
  reader.enter()
  for (let i = 0; i < 5; i++) smr.advance()
  expect(smr.poll(goal)).toBe(false)
  expect(hands.rd).toBe(before)
  reader.exit()
  expect(smr.poll(goal)).toBe(true)
})

it('an async section that published late is pinned as well', () => {
  const AT = 256
  const rd = 1001 as Seq
  const wr = forward(rd, 20)
  const memory = new Memory(new SharedArrayBuffer(2 ** 14))
  const readers = new Readers(memory, AT, 2, true)
  memory.or(Header.active, 1)
  for (const [seq, asyncSeq, observed] of [
    [0, 901, rd],
    [1011, 901, rd],
    [901, 1011, rd],
    [1013, 1011, 1011],
    [1011, 0, 1011],
  ] as const) {
    memory.store(AT + ReaderWords.seq, seq)
    memory.store(AT + ReaderWords.asyncSeq, asyncSeq)
    expect(readers.observed(0, rd)).toBe(observed)
    expect(readers.oldest(rd, wr)).toBe(observed)
  }
})
