/**
 * Who writes, who looks up with near copies, and who is terminated meanwhile: see near.test.ts.
 *
 * A writer that has put a version of a key says so in the word of that key, afterwards. So whoever looks
 * at the word first must find that version or a later one, in a near copy as well. Each record's text
 * follows from its key and version.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { Arena, type Handle } from 'uma-smr'
import { Random } from '../helpers/random.ts'
import { nameOf, openNotes, putNext, VISIBLE, versionOf } from './nearNotes.ts'

export interface Task {
  readonly handle: Handle
  readonly role: 'writer' | 'reader' | 'victim'
  readonly keys: number
  /** Which keys a writer writes: one in so many, from this one on. */
  readonly first: number
  readonly step: number
  readonly seed: number
}

const LOOKS_BETWEEN = 1024

const { handle, role, keys, first, step, seed } = workerData as Task
const random = new Random(seed)
const arena = Arena.attach(handle)
const isOver = arena.root('over')
const visibleAt = Array.from({ length: keys }, (_, i) => arena.root(`${VISIBLE}${i}`))
const table = openNotes(arena, keys)
const ended = (): boolean => Atomics.load(arena.words, isOver) !== 0

/** What is wrong with this key, if something is. */
function look(i: number): string | undefined {
  const least = Atomics.load(arena.words, visibleAt[i] as number)
  const found = table.get(nameOf(i))
  const version = versionOf(found, i)
  return version >= least
    ? undefined
    : `key ${i}: version ${version}, and ${least} was there before`
}

let writes = 0
let looks = 0
const wrong: string[] = []

/** Keys of one writer only, so that versions rise. Deleted ones are put again, with the next version. */
function write(): void {
  const i = first + step * random.below(Math.ceil((keys - first) / step))
  const word = visibleAt[i] as number
  const next = Atomics.load(arena.words, word) + 1
  if (random.below(4) === 0) table.delete(nameOf(i))
  putNext(table, i, next)
  Atomics.store(arena.words, word, next)
  writes++
}

if (role === 'writer') {
  while (!ended()) write()
} else if (role === 'reader') {
  while (!ended() && wrong.length < 4) {
    for (let i = 0; i < LOOKS_BETWEEN; i++) {
      const told = look(random.below(keys))
      if (told !== undefined) wrong.push(told)
      looks++
    }
  }
} else {
  parentPort?.postMessage('ready')
  for (;;) {
    write()
    look(random.below(keys))
  }
}
const { hits = 0, misses = 0 } = table.stats().near ?? {}
parentPort?.postMessage({ writes, looks, hits, misses, wrong })
arena.detach()
