/**
 * What does a read section cost?
 *
 * A fenced section must at least write its slot on entering and on leaving, so two `Atomics.store` are the floor that the language
 * sets for it. A turn section need not write at all while nobody frees. The lock is what a reader pays elsewhere: here
 * alone, with nobody to wait for, and on a word that stays in this core's cache.
 */
import { time } from '../harness/measure.ts'
import { orSkip, type Question, type Settings } from '../harness/question.ts'

const OPERATIONS = 100_000

async function openDomain(sections: 'fenced' | 'turn') {
  const { Arena } = await import('uma-smr')
  const arena = Arena.create({ bytes: 2 ** 20, maxWorkers: 8 })
  const clock = sections === 'turn' ? 'lazy' : 'default'
  const smr = orSkip(`${sections} sections`, () => arena.smr('bench', { clock, sections }))
  return { arena, smr }
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

async function enterExit(settings: Settings, sections: 'fenced' | 'turn') {
  const { arena, smr } = await openDomain(sections)
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

async function readFunction(settings: Settings, sections: 'fenced' | 'turn') {
  const { arena, smr } = await openDomain(sections)
  const { words } = arena
  const body = () => words[64] ?? 0
  return time(settings, OPERATIONS, () => {
    let sum = 0
    for (let i = 0; i < OPERATIONS; i++) sum += smr.read(body)
    return sum
  })
}

async function lockUnlock(settings: Settings) {
  const { arena } = await openDomain('fenced')
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
        { name: 'uma fenced, enter + exit', run: (s) => enterExit(s, 'fenced') },
        { name: 'uma fenced, read(fn)', run: (s) => readFunction(s, 'fenced') },
        { name: 'uma turn, enter + exit', run: (s) => enterExit(s, 'turn') },
        { name: 'uma turn, read(fn)', run: (s) => readFunction(s, 'turn') },
        { name: 'uma lock + unlock', run: lockUnlock },
      ],
    },
  ],
}

export default question
