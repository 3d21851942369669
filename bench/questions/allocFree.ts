/**
 * What does a record cost, from its allocation to its reuse?
 *
 * Everybody makes a record of 64 bytes (or as near as it gets), writes into it and gives it up; one
 * at a time, so that the same memory comes back at once, and in batches of 100, so that it does
 * not. The loops count: an iterator over what is held would cost more than what is asked. Samples
 * are a million pairs long: with SMR that is some thousand retired buckets, with objects some
 * collections of the young heap, and both belong to the price.
 */
import { Buffer } from 'node:buffer'
import type { Item } from 'uma-smr'
import { time } from '../harness/measure.ts'
import type { Question, Settings } from '../harness/question.ts'
import { runMalloc, runMimalloc } from '../rivals/native.ts'

const PAIRS = 1_000_000
const BATCH = 100
const RECORD_BYTES = 64
const RECORD_WORDS = RECORD_BYTES / 4

/** One by one is a batch of one; each pair is an allocation, a write and a free. */
async function umaSmr(settings: Settings, batch: number) {
  const { Arena } = await import('uma-smr')
  const arena = Arena.create({ bytes: 2 ** 24, maxWorkers: 8 })
  const zone = arena.zone('bench', { bytes: RECORD_BYTES, smr: arena.smr('bench') })
  const { words } = arena
  if (batch === 1) {
    return time(settings, PAIRS, () => {
      for (let i = 0; i < PAIRS; i++) {
        const item = zone.zallocSmr()
        words[item] = i
        zone.zfreeSmr(item)
      }
      return zone.stats().frees
    })
  }
  const held = Array.from({ length: batch }, () => zone.zallocSmr())
  for (const item of held) zone.zfreeSmr(item)
  return time(settings, PAIRS, () => {
    for (let i = 0; i < PAIRS; i += batch) {
      for (let j = 0; j < batch; j++) {
        const item = zone.zallocSmr()
        words[item] = i
        held[j] = item
      }
      for (let j = 0; j < batch; j++) zone.zfreeSmr(held[j] as Item)
    }
    return zone.stats().frees
  })
}

/** The same with the verbs of many; each batch is an array of its own, and that belongs to the price. */
async function umaSmrBatch(settings: Settings, batch: number) {
  const { Arena } = await import('uma-smr')
  const arena = Arena.create({ bytes: 2 ** 24, maxWorkers: 8 })
  const zone = arena.zone('bench', { bytes: RECORD_BYTES, smr: arena.smr('bench') })
  const { words } = arena
  return time(settings, PAIRS, () => {
    for (let i = 0; i < PAIRS; i += batch) {
      const held = zone.zallocSmrBatch(batch)
      for (let j = 0; j < batch; j++) words[held[j] as Item] = i
      zone.zfreeSmrBatch(held)
    }
    return zone.stats().frees
  })
}

async function umaPlain(settings: Settings, batch: number) {
  const { Arena } = await import('uma-smr')
  const arena = Arena.create({ bytes: 2 ** 24, maxWorkers: 8 })
  const zone = arena.zone('bench', { bytes: RECORD_BYTES })
  const { words } = arena
  if (batch === 1) {
    return time(settings, PAIRS, () => {
      for (let i = 0; i < PAIRS; i++) {
        const item = zone.zalloc()
        words[item] = i
        zone.zfree(item)
      }
      return zone.stats().frees
    })
  }
  const held = Array.from({ length: batch }, () => zone.zalloc())
  for (const item of held) zone.zfree(item)
  return time(settings, PAIRS, () => {
    for (let i = 0; i < PAIRS; i += batch) {
      for (let j = 0; j < batch; j++) {
        const item = zone.zalloc()
        words[item] = i
        held[j] = item
      }
      for (let j = 0; j < batch; j++) zone.zfree(held[j] as Item)
    }
    return zone.stats().frees
  })
}

/** A free list of slots in a private array: the least that an allocator can do. */
async function fixedStack(settings: Settings, batch: number) {
  const { FixedStack } = await import('mnemonist')
  const words = new Int32Array(2 * BATCH * RECORD_WORDS)
  const free = new FixedStack<number>(Uint32Array, 2 * BATCH)
  for (let slot = 0; slot < 2 * BATCH; slot++) free.push(slot * RECORD_WORDS)
  if (batch === 1) {
    return time(settings, PAIRS, () => {
      for (let i = 0; i < PAIRS; i++) {
        const item = free.pop() ?? 0
        words[item] = i
        free.push(item)
      }
      return words[0] ?? 0
    })
  }
  const held = new Array<number>(batch).fill(0)
  return time(settings, PAIRS, () => {
    for (let i = 0; i < PAIRS; i += batch) {
      for (let j = 0; j < batch; j++) {
        const item = free.pop() ?? 0
        words[item] = i
        held[j] = item
      }
      for (let j = 0; j < batch; j++) free.push(held[j] as number)
    }
    return words[0] ?? 0
  })
}

/** Garbage-collected rivals: to free is to forget. `make` keeps the record in a ring of `batch`. */
function collected(settings: Settings, batch: number, make: (at: number, i: number) => void) {
  return time(settings, PAIRS, () => {
    for (let i = 0; i < PAIRS; i += batch) {
      for (let j = 0; j < batch; j++) make(j, i)
    }
    return PAIRS
  })
}

function objectLiteral(settings: Settings, batch: number) {
  const kept = Array.from({ length: batch }, (_, i) => ({ id: i, population: 0, lat: 0, lon: 0 }))
  return collected(settings, batch, (at, i) => {
    kept[at] = { id: i, population: i, lat: i, lon: i }
  })
}

function allocUnsafe(settings: Settings, batch: number) {
  const kept = Array.from({ length: batch }, () => Buffer.allocUnsafe(RECORD_BYTES))
  return collected(settings, batch, (at, i) => {
    const bytes = Buffer.allocUnsafe(RECORD_BYTES)
    bytes[0] = i
    kept[at] = bytes
  })
}

const manyAtOnce = {
  name: 'uma zallocSmrBatch + zfreeSmrBatch',
  run: (s: Settings) => umaSmrBatch(s, BATCH),
}

const groupOf = (name: string, batch: number) => ({
  name,
  operation: 'an allocation, a write into it, a free',
  baseline: 'JS object of 4 fields',
  variants: [
    { name: 'JS object of 4 fields', run: (s: Settings) => objectLiteral(s, batch) },
    { name: 'uma zallocSmr + zfreeSmr', run: (s: Settings) => umaSmr(s, batch) },
    ...(batch === 1 ? [] : [manyAtOnce]),
    { name: 'uma zalloc + zfree', run: (s: Settings) => umaPlain(s, batch) },
    { name: 'mnemonist FixedStack as free list', run: (s: Settings) => fixedStack(s, batch) },
    { name: 'Buffer.allocUnsafe(64)', run: (s: Settings) => allocUnsafe(s, batch) },
    { name: 'C malloc + free', run: (s: Settings) => runMalloc(s, batch) },
    { name: 'C mimalloc', run: (s: Settings) => runMimalloc(s, batch) },
  ],
})

const question: Question = {
  name: 'alloc-free',
  asks: 'what does a record cost, from its allocation until its memory can be used again?',
  groups: [groupOf('one by one', 1), groupOf(`in batches of ${BATCH}`, BATCH)],
}

export default question
