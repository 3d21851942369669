/**
 * Who adds, who changes what is added to, and who is terminated meanwhile: see additions.test.ts.
 *
 * Nobody's death changes a sum: victims only move it from one field to the other, and add 0.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { Arena, type Handle } from 'uma-smr'
import { Random } from '../helpers/random.ts'
import { fold, hit, openHits, totalOf } from './hits.ts'

export interface Task {
  readonly handle: Handle
  readonly role: 'adder' | 'writer' | 'victim'
  readonly keys: number
  readonly rounds: number
  readonly seed: number
}

/** The adders, the writer and the first victim. */
const STARTERS = 6
const SLEEP_MS = 20

const { handle, role, keys, rounds, seed } = workerData as Task
const random = new Random(seed)
const arena = Arena.attach(handle)
const table = openHits(arena)
const isOver = arena.root('over')
const ready = arena.root('ready')

/** Additions are quick: without this they would be over before the others have begun. */
function waitForAll(): void {
  for (let seen = Atomics.load(arena.words, ready); seen < STARTERS; ) {
    Atomics.wait(arena.words, ready, seen, SLEEP_MS)
    seen = Atomics.load(arena.words, ready)
  }
}

function addOne(id: number): void {
  while (table.add(id, 'hits', 1) === undefined) table.insert(hit(id))
}

/** Adds by exchange, which is tried again when others have added. */
function exchangeOne(id: number): void {
  for (let seen = 0; ; ) {
    const before = table.compareExchange(id, 'hits', seen, seen + 1)
    if (before === undefined) table.insert(hit(id))
    else if (before === seen) return
    seen = before ?? 0
  }
}

/** Each of these takes the sum out of the table, to return it, or leaves it there. */
const writes: readonly ((id: number) => number)[] = [
  (id) => totalOf(table.replace(hit(id))),
  (id) => {
    let taken = 0
    table.update(id, (old) => {
      taken = totalOf(old)
      return undefined
    })
    return taken
  },
  (id) => {
    fold(table, id)
    return 0
  },
  (id) => {
    // What is there counts for nothing any more, unless somebody adds: then it is not removed.
    const { schema } = table
    const isEmpty = (item: Parameters<typeof schema.get.hits>[1]) =>
      schema.get.hits(arena, item) === 0 && schema.get.kept(arena, item) === 0
    table.deleteIf(id, isEmpty)
    return 0
  },
  (id) => {
    table.set(hit(keys + id))
    return 0
  },
  (id) => {
    table.delete(keys + id)
    return 0
  },
]

Atomics.add(arena.words, ready, 1)
Atomics.notify(arena.words, ready)
if (role === 'adder') {
  waitForAll()
  for (let i = 0; i < rounds; i++) {
    const id = i % keys
    if (i % 16 === 0) exchangeOne(id)
    else addOne(id)
    // To a record that comes and goes, and whose sum nobody knows.
    if (i % 8 === 0) table.add(keys + id, 'hits', 1)
  }
} else if (role === 'writer') {
  let taken = 0
  while (Atomics.load(arena.words, isOver) === 0) {
    const write = writes[random.below(writes.length)]
    taken += write?.(random.below(keys)) ?? 0
  }
  parentPort?.postMessage(taken)
} else {
  parentPort?.postMessage('ready')
  for (;;) {
    const id = random.below(keys)
    fold(table, id)
    table.add(id, 'hits', 0)
    table.set(hit(keys + id))
    table.deleteIf(id, () => false)
    table.delete(keys + id)
  }
}
arena.detach()
