/**
 * Ways to add one to a number that several workers share, for the thread that is measured and for the other.
 */
import { Arena, atomic, type Handle, HashTable, type Item, record, u32 } from 'uma-smr'

/** How many numbers there are: a power of two. */
export const KEYS = 4
export const READY = 0
export const STOP = 1
const CONTROL = 2
/** Of the numbers that need no table: so many words apart that they share no line of the cache. */
const APART = 16

export const WAYS = ['Atomics.add', 'add', 'add in a section', 'update', 'the lock'] as const
export type Way = (typeof WAYS)[number]

export interface HitOrder {
  readonly way: Way
  readonly control: Int32Array<SharedArrayBuffer>
  readonly bare: Int32Array<SharedArrayBuffer>
  readonly handle: Handle
}

const Hits = record({ id: u32, hits: atomic(u32), size: u32 })

/** A table of a few records, and as many bare numbers. */
export function hitOrder(way: Way): HitOrder {
  const words = (n: number) =>
    new Int32Array(new SharedArrayBuffer(n * Int32Array.BYTES_PER_ELEMENT))
  const arena = Arena.create({ bytes: 2 ** 22 })
  const table = HashTable.create(arena, 'hits', { record: Hits, key: 'id', capacity: 100 })
  for (let id = 0; id < KEYS; id++) table.set({ id, hits: 0, size: 1 })
  return { way, control: words(CONTROL), bare: words(KEYS * APART), handle: arena.handle }
}

/** What `table.add` comes to when it cannot do without the lock: no verb of its own. */
interface Locked {
  readonly writer: { change(key: number, field: unknown, next: (before: number) => number): number }
}

/** A function that adds one, and returns the sum or the number before. */
export function adderOf({ way, bare, handle }: HitOrder): (id: number) => number {
  if (way === 'Atomics.add') return (id) => Atomics.add(bare, id * APART, 1)
  const arena = Arena.attach(handle)
  const table = HashTable.open(arena, 'hits', { record: Hits, key: 'id' })
  switch (way) {
    case 'add':
      return (id) => table.add(id, 'hits', 1) ?? 0
    case 'add in a section': {
      const add = (item: Item) => Hits.add.hits(arena, item, 1)
      return (id) => table.read(id, add) ?? table.add(id, 'hits', 1) ?? 0
    }
    case 'update':
      return (id) => table.update(id, (old) => old && { ...old, hits: old.hits + 1 })?.hits ?? 0
    case 'the lock': {
      const { writer } = table as unknown as Locked
      const [field] = Hits.atomics
      const next = (before: number) => (before + 1) | 0
      return (id) => writer.change(id, field, next)
    }
  }
}
