/**
 * What all verbs refuse alike: options that they do not know, values that are no numbers, functions
 * that are none. Each says Misuse in its own name at once, and nothing has changed.
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Arena, HashTable, type Item, Misuse, pointer, record, SmrTailQ, u32 } from '#src/index.ts'
import { differences } from '../helpers/refusals.ts'

const BYTES = 2 ** 20
const Row = record({ id: u32, n: u32 })
const given = (value: unknown): never => value as never

let arena: Arena
let world: ReturnType<typeof makeWorld>

function makeWorld(arena: Arena) {
  const smr = arena.smr('d', { sleepable: true })
  const zone = arena.zone('rows', { smr, record: Row })
  const plain = arena.zone('plain', { bytes: 64 })
  const table = HashTable.create(arena, 'table', { record: Row, key: 'id', capacity: 10 })
  table.set({ id: 1, n: 2 })
  const lone = arena.smr('lone')
  const none = arena.zone('none', { bytes: 8 })
  const lock = arena.lock('l')
  // Held by somebody else: who is refused has not waited for it.
  Arena.attach(arena.handle).lock('l').lock()
  const head = plain.zalloc()
  const queue = new SmrTailQ(arena, { head, link: 0 })
  return {
    smr,
    zone,
    plain,
    table,
    lock,
    head,
    queue,
    item: zone.zallocSmr(),
    goal: smr.advance(),
    lone,
    none,
  }
}

beforeEach(() => {
  arena = Arena.create({ bytes: BYTES, checks: true })
  world = makeWorld(arena)
})
afterEach(() => arena.detach())

const state = (): unknown => {
  const { lock, plain, smr, table, zone } = world
  const each = [zone, plain, table.zone].map((of) => of.stats())
  return {
    counts: smr.stats(),
    each,
    entered: smr.entered,
    held: lock.held,
    rows: [...table.entries()],
  }
}

async function refuses(call: string, act: () => unknown, says = ''): Promise<void> {
  const before = state()
  const words = arena.words.slice()
  const error = await Promise.resolve()
    .then(act)
    .then(
      (value) => expect.unreachable(`${call} returned ${String(value)}`),
      (thrown: unknown) => thrown,
    )
  expect(error).toBeInstanceOf(Misuse)
  expect((error as Misuse).message).toMatch(new RegExp(`^${call.replace('.', '\\.')}\\b.*${says}`))
  expect(differences(words, arena.words)).toEqual([])
  expect(state()).toEqual(before)
}

type Wait = (options: never) => unknown
const WAITS: Record<string, Wait> = {
  'smr.wait': (options) => world.smr.wait(world.goal, options),
  'smr.synchronize': (options) => world.smr.synchronize(options),
  'smr.destroy': (options) => world.lone.destroy(options),
  'zone.reclaim': (options) => world.zone.reclaim('drain', options),
  'zone.reclaim all': (options) => world.zone.reclaim('all', options),
  'zone.destroy': (options) => world.none.destroy(options),
  'table.resize': (options) => world.table.resize(20, options),
  'lock.lock': (options) => world.lock.lock(options),
  'lock.withLock': (options) => world.lock.withLock(() => 1, options),
}
const ASYNC_WAITS: Record<string, Wait> = {
  'smr.waitAsync': (options) => world.smr.waitAsync(world.goal, options),
  'smr.synchronizeAsync': (options) => world.smr.synchronizeAsync(options),
  'smr.barrier': (options) => world.smr.barrier(options),
  'smr.flush': (options) => world.smr.flush(options),
  'zone.zallocSmrAsync': (options) => world.zone.zallocSmrAsync(options),
  'zone.zallocAsync': (options) => world.plain.zallocAsync(options),
  'lock.lockAsync': (options) => world.lock.lockAsync(options),
}

describe.each(Object.entries({ ...WAITS, ...ASYNC_WAITS }))('%s refuses', (call, wait) => {
  it.each<[unknown, string]>([
    [{ timeout: 20 }, 'unknown option "timeout"'],
    [{ timeoutMs: 5, timeoutMS: 5 }, 'unknown option "timeoutMS"'],
    [5, ''],
    [null, ''],
    ['x', ''],
    [{ timeoutMs: -1 }, 'timeoutMs is -1'],
    [{ timeoutMs: Number.NaN }, 'timeoutMs is NaN'],
    [{ timeoutMs: '5' }, 'timeoutMs is "5"'],
    [{ timeoutMs: null }, 'timeoutMs is null'],
  ])('%o', async (options, says) => {
    await refuses(call.replace(/ .*/, ''), () => wait(given(options)), says)
  })

  if (call in ASYNC_WAITS) {
    it('a signal that is none', () => refuses(call, () => wait(given({ signal: 'x' }))))
  } else {
    it('a signal: it blocks, and nobody could abort', () =>
      refuses(call.replace(/ .*/, ''), () => wait(given({ signal: new AbortController().signal }))))
  }
})

const NO_NUMBERS = [5n, Symbol('five'), '6', null, undefined, {}, [6], true, Number.NaN, 1.5]

type Take = (item: Item) => unknown
const TAKES: Record<string, Take> = {
  'zone.zfreeSmr': (item) => world.zone.zfreeSmr(item),
  'zone.zfreeSmrBatch': (item) => world.zone.zfreeSmrBatch([world.item, item]),
  'zone.zfree': (item) => world.plain.zfree(item),
  'pointer.serializedStore': (item) => pointer(arena, world.head).serializedStore(item),
  'pointer.initStore': (item) => pointer(arena, world.head).initStore(item),
  'SmrTailQ.insertHead': (item) => world.queue.insertHead(item),
  'SmrTailQ.remove': (item) => world.queue.remove(item),
  record: (item) => Row.get.n(arena, item),
}

describe.each(Object.entries(TAKES))('%s refuses', (call, take) => {
  it.each(NO_NUMBERS)('%s', (value) => refuses(call, () => take(given(value))))
})

it.each(NO_NUMBERS)('%s is no record of any zone', (value) => {
  expect(world.zone.owns(given(value))).toBe(false)
})

it.each([5n, Symbol('five'), '6', undefined, -1])('smr.stalled refuses %s', (value) =>
  refuses('smr.stalled', () => world.smr.stalled(given(value))),
)

const CALLS: Record<string, (fn: never) => unknown> = {
  'smr.read': (fn) => world.smr.read(fn),
  'smr.readAsync': (fn) => world.smr.readAsync(fn),
  'smr.call': (fn) => world.smr.call(fn),
  'table.read': (fn) => world.table.read(404, fn),
  'lock.withLock': (fn) => world.lock.withLock(fn),
}

describe.each(Object.entries(CALLS))('%s refuses to run', (call, run) => {
  it.each([undefined, null, 5, 'f', {}])('%j', (fn) => refuses(call, () => run(given(fn))))
})

it.each([undefined, null, 5, 'x'])('HashTable.create refuses the options %j', (options) =>
  refuses('HashTable.create', () => HashTable.create(arena, 'x', given(options))),
)

it.each([{ signature: 'a' }, { words: 4 }, {}, undefined])('and the schema %j', (fake) =>
  refuses('HashTable.create', () =>
    HashTable.create(arena, 'x', { record: fake as unknown as typeof Row, key: 'id', capacity: 9 }),
  ),
)

it.each([undefined, null, 5, {}])('zone.audit refuses %j', (reachable) =>
  refuses('zone.audit', () => world.zone.audit(given(reachable))),
)
