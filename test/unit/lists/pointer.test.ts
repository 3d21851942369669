/**
 * Pointers: what each way does to its word, that those that readers may race with are atomic and the
 * others plain, and what is refused.
 */

import { describe, expect, it, vi } from 'vitest'
import { Arena, type Item, NULL_ITEM, pointer } from '#src/index.ts'
import type { SmrPointer } from '#src/lists/pointer.ts'
import { misuse, unchanged, wild } from '../../helpers/refusals.ts'

const BYTES = 2 ** 16
const arena = Arena.create({ bytes: BYTES, maxWorkers: 2 })
const { words } = arena
const smr = arena.smr('domain')
const zone = arena.zone('items', { bytes: 16 })
const address = zone.zalloc() + 1
const [a, b] = [zone.zalloc(), zone.zalloc()]

function holding(item: Item): SmrPointer {
  words[address] = item
  return pointer(arena, address)
}

/** The verbs of the porthole that `fn` uses. */
function verbsOf(fn: () => unknown): string[] {
  const { memory } = arena
  const spies = (['load', 'store', 'swap', 'peek', 'poke'] as const).map((verb) =>
    vi.spyOn(memory, verb),
  )
  fn()
  const used = spies.flatMap((spy) => spy.mock.calls.map((args) => `${spy.getMockName()} ${args}`))
  for (const spy of spies) spy.mockRestore()
  return used
}

interface Way {
  readonly name: string
  readonly verb: 'load' | 'store' | 'swap' | 'peek' | 'poke'
  readonly run: (at: SmrPointer, value: Item) => unknown
}

const LOADS: readonly Way[] = [
  { name: 'enteredLoad', verb: 'load', run: (at) => at.enteredLoad() },
  { name: 'enteredLoadAcquire', verb: 'load', run: (at) => at.enteredLoadAcquire() },
  {
    name: 'enteredLoadAssert',
    verb: 'load',
    run: (at) => smr.read(() => at.enteredLoadAssert(smr)),
  },
  {
    name: 'enteredLoadAcquireAssert',
    verb: 'load',
    run: (at) => smr.read(() => at.enteredLoadAcquireAssert(smr)),
  },
  { name: 'serializedLoad', verb: 'peek', run: (at) => at.serializedLoad() },
  { name: 'serializedLoadAssert', verb: 'peek', run: (at) => at.serializedLoadAssert(true) },
  { name: 'unserializedLoad', verb: 'peek', run: (at) => at.unserializedLoad() },
  { name: 'unsafeLoad', verb: 'load', run: (at) => at.unsafeLoad() },
]
const STORES: readonly Way[] = [
  { name: 'serializedStore', verb: 'store', run: (at, v) => at.serializedStore(v) },
  { name: 'serializedStoreRelaxed', verb: 'store', run: (at, v) => at.serializedStoreRelaxed(v) },
  {
    name: 'serializedStoreAssert',
    verb: 'store',
    run: (at, v) => at.serializedStoreAssert(v, true),
  },
  {
    name: 'serializedStoreRelaxedAssert',
    verb: 'store',
    run: (at, v) => at.serializedStoreRelaxedAssert(v, true),
  },
  { name: 'serializedSwap', verb: 'swap', run: (at, v) => at.serializedSwap(v) },
  { name: 'serializedSwapAssert', verb: 'swap', run: (at, v) => at.serializedSwapAssert(v, true) },
  { name: 'unserializedStore', verb: 'poke', run: (at, v) => at.unserializedStore(v) },
  { name: 'initStore', verb: 'poke', run: (at, v) => at.initStore(v) },
]
const HELD: Readonly<Record<string, (at: SmrPointer, held: boolean) => unknown>> = {
  serializedLoadAssert: (at, held) => at.serializedLoadAssert(held),
  serializedStoreAssert: (at, held) => at.serializedStoreAssert(b, held),
  serializedStoreRelaxedAssert: (at, held) => at.serializedStoreRelaxedAssert(b, held),
  serializedSwapAssert: (at, held) => at.serializedSwapAssert(b, held),
}

describe('loads', () => {
  it.each(LOADS)('$name returns what the word holds', ({ run }) => {
    expect(run(holding(a), NULL_ITEM)).toBe(a)
    expect(run(holding(NULL_ITEM), NULL_ITEM)).toBe(0)
  })
})

describe('stores', () => {
  it.each(STORES)('$name puts an item, and null', ({ run }) => {
    for (const value of [b, NULL_ITEM]) {
      run(holding(a), value)
      expect(words[address]).toBe(value)
    }
  })

  it('swaps return what they replace', () => {
    expect(holding(a).serializedSwap(b)).toBe(a)
    expect(pointer(arena, address).serializedSwapAssert(NULL_ITEM, true)).toBe(b)
    expect(words[address]).toBe(0)
  })

  it('clearStore puts null', () => {
    holding(a).clearStore()
    expect(words[address]).toBe(0)
  })

  it.each(STORES)('$name refuses what is no item', ({ name, run }) => {
    const at = holding(a)
    for (const value of [-1, 1.5, words.length, Number.NaN, '8', undefined, null, 2 ** 32]) {
      const { message } = unchanged(arena, () => misuse(() => run(at, wild(value))))
      expect(message).toContain(`pointer.${name}: value is`)
    }
    run(at, (words.length - 1) as Item)
  })
})

describe('atomic where a reader may race, plain where nobody can', () => {
  it.each([...LOADS, ...STORES])('$name', ({ run, verb }) => {
    const at = holding(a)
    const isStore = verb !== 'load' && verb !== 'peek'
    const used = verbsOf(() => run(at, b))
    const own = used.filter((each) => new RegExp(`^\\w+ ${address}(,|$)`).test(each))
    expect(own).toEqual([`${verb} ${address}${isStore ? `,${b}` : ''}`])
  })

  it('clearStore', () => {
    const at = holding(a)
    expect(verbsOf(() => at.clearStore())).toEqual([`store ${address},0`])
  })
})

describe('assertions', () => {
  it('entered loads want a section of that domain', () => {
    const at = holding(a)
    const other = arena.smr('other')
    for (const load of [at.enteredLoadAssert, at.enteredLoadAcquireAssert]) {
      misuse(() => load.call(at, smr))
      other.read(() => misuse(() => load.call(at, smr)))
      expect(smr.read(() => load.call(at, smr))).toBe(a)
    }
  })

  it.each(Object.entries(HELD))('%s wants the lock', (name, run) => {
    const at = holding(a)
    const lock = arena.lock('writers')
    for (const held of [lock.held, wild(undefined), wild(1)]) {
      const { message } = unchanged(arena, () => misuse(() => run(at, held)))
      expect(message).toContain(`pointer.${name}`)
      expect(message).toContain('take the lock')
    }
    lock.withLock(() => run(at, lock.held))
    if (name !== 'serializedLoadAssert') expect(words[address]).toBe(b)
  })
})

describe('an address', () => {
  it('may be any word of the arena, a root too', () => {
    const root = pointer(arena, arena.root('first'))
    root.serializedStore(a)
    expect(pointer(arena, arena.root('first')).enteredLoad()).toBe(a)
    expect(pointer(arena, 1).address).toBe(1)
    expect(pointer(arena, words.length - 1).address).toBe(words.length - 1)
  })

  it.each([0, -1, 1.5, BYTES / 4, Number.NaN, Number.POSITIVE_INFINITY, '8', undefined])(
    '%s is none',
    (at) => {
      const { message } = unchanged(arena, () => misuse(() => pointer(arena, wild(at))))
      expect(message).toContain('pointer: address is')
    },
  )
})

it('what one worker publishes another one finds', () => {
  const other = Arena.attach(arena.handle)
  holding(NULL_ITEM).serializedStore(b)
  expect(pointer(other, address).enteredLoad()).toBe(b)
  other.detach()
})
