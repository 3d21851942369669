/**
 * What does a read section cost?
 *
 * A fenced section must at least write its slot on entering and on leaving, so two `Atomics.store`
 * are the floor that the language sets for it; a section that is sound adds loads of the clock
 * between them. The lock is what a reader pays elsewhere: here alone, with nobody to wait for, and
 * on a word that stays in this core's cache.
 */
import { time } from '../harness/measure.ts'
import type { Question, Settings } from '../harness/question.ts'

const OPERATIONS = 100_000

async function openDomain() {
  const { Arena } = await import('uma-smr')
  const arena = Arena.create({ bytes: 2 ** 20, maxWorkers: 8 })
  return { arena, smr: arena.smr('bench') }
}

function storePair(settings: Settings) {
  const words = new Int32Array(new SharedArrayBuffer(4096))
  return time(settings, OPERATIONS, () => {
    let sum = 0
    for (let i = 0; i < OPERATIONS; i++) {
      Atomics.store(words, 32, i | 1)
      sum += words[64] ?? 0
      Atomics.store(words, 32, 0)
    }
    return sum
  })
}

async function enterExit(settings: Settings) {
  const { arena, smr } = await openDomain()
  const { words } = arena
  return time(settings, OPERATIONS, () => {
    let sum = 0
    for (let i = 0; i < OPERATIONS; i++) {
      smr.enter()
      sum += words[64] ?? 0
      smr.exit()
    }
    return sum
  })
}

async function readFunction(settings: Settings) {
  const { arena, smr } = await openDomain()
  const { words } = arena
  const body = () => words[64] ?? 0
  return time(settings, OPERATIONS, () => {
    let sum = 0
    for (let i = 0; i < OPERATIONS; i++) sum += smr.read(body)
    return sum
  })
}

async function lockUnlock(settings: Settings) {
  const { arena } = await openDomain()
  const { words } = arena
  const lock = arena.lock('bench')
  return time(settings, OPERATIONS, () => {
    let sum = 0
    for (let i = 0; i < OPERATIONS; i++) {
      lock.lock()
      sum += words[64] ?? 0
      lock.unlock()
    }
    return sum
  })
}

const question: Question = {
  name: 'read-section',
  asks: 'what does it cost to enter and leave a read section?',
  groups: [
    {
      name: 'section',
      operation: 'enter, one plain load, exit',
      baseline: 'two Atomics.store',
      variants: [
        { name: 'two Atomics.store', run: storePair },
        { name: 'uma enter + exit', run: enterExit },
        { name: 'uma read(fn)', run: readFunction },
        { name: 'uma lock + unlock', run: lockUnlock },
      ],
    },
  ],
}

export default question
