/**
 * Who is going to die, and who has to go on: traffic on a table, a zone with smr, a plain zone and a
 * named lock, until the thread is terminated, throws, or is told to stop.
 *
 * A victim never reports; a survivor counts its reads in a root word of the arena, where the test
 * watches them while workers die around it, and puts what it finds wrong into another.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { Arena, type Item } from 'uma-smr'
import { Random } from '../helpers/random.ts'
import { DEFERRED, type Life, LOCK, PLAIN, READS, STOP, VIOLATIONS } from './deathLife.ts'
import { entry, isWhole, openTable, wholeVersion } from './tableRecord.ts'

const MOST_HELD = 6
const OPS_BEFORE_THROW = 4000

const life = workerData as Life
const random = new Random(life.seed)
const arena = Arena.attach(life.handle)
const table = openTable(arena)
const smr = arena.smr('deferred')
const deferred = arena.zone(DEFERRED.name, { bytes: DEFERRED.bytes, bucket: DEFERRED.bucket, smr })
const plain = arena.zone(PLAIN.name, { bytes: PLAIN.bytes, bucket: PLAIN.bucket })
const lock = arena.lock(LOCK)
const reads = arena.root(READS)
const violations = arena.root(VIOLATIONS)
const stop = arena.root(STOP)
const { words } = arena
const held: Item[] = []
const heldPlain: Item[] = []
let version = 1

function violation(): void {
  Atomics.add(words, violations, 1)
}

function write(): void {
  const key = random.below(life.keys)
  if (random.below(4) === 0) table.delete(key)
  else table.set(entry(key, version++))
}

function read(): void {
  const key = random.below(life.keys)
  if (random.oneIn(2)) {
    const found = table.get(key)
    if (found !== undefined && !(isWhole(found) && found.key === key)) violation()
  } else {
    const first = table.read(key, (item) => {
      const seen = wholeVersion(arena, item, key)
      return seen >= 0 && wholeVersion(arena, item, key) === seen
    })
    if (first === false) violation()
  }
}

function churn(): void {
  if (held.length < MOST_HELD) held.push(deferred.zallocSmr())
  else deferred.zfreeSmr(held.splice(random.below(held.length), 1)[0] as Item)
  if (heldPlain.length < MOST_HELD) heldPlain.push(plain.zalloc())
  else plain.zfree(heldPlain.pop() as Item)
  if (random.oneIn(50)) deferred.seal()
  if (random.oneIn(300)) deferred.reclaim('trim')
  if (random.oneIn(500)) table.resize(16 << random.below(4), { timeoutMs: 1 })
}

/** The lock protects two words that must agree; who hears that the last owner died makes them. */
function underLock(): void {
  const at = arena.root('pair a')
  const other = arena.root('pair b')
  lock.withLock((taken) => {
    if (taken === 'owner-died') words[other] = words[at] as number
    else if (words[at] !== words[other]) violation()
    words[at] = (words[at] as number) + 1
    words[other] = words[at] as number
  })
}

function work(): void {
  const what = random.below(10)
  if (what < 4) read()
  else if (what < 7) tolerant(write)
  else if (what < 9) tolerant(churn)
  else underLock()
}

/** While a dead worker's section is open nothing expires, and a limit may be reached: no harm. */
function tolerant(fn: () => void): void {
  try {
    fn()
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_UMA_SMR_EXHAUSTED') throw error
  }
}

parentPort?.postMessage('ready')
const last = 1 + random.below(OPS_BEFORE_THROW)
for (let op = 1; Atomics.load(words, stop) === 0; op++) {
  if (life.role === 'reader') {
    read()
    Atomics.add(words, reads, 1)
  } else if (life.role === 'writer') tolerant(write)
  else {
    work()
    if (life.role === 'thrower' && op === last) throw new Error('an uncaught error, on purpose')
  }
}
arena.detach()
