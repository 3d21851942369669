/**
 * What does a read section cost?
 *
 * A fenced section must at least write its slot on entering and on leaving, so two `Atomics.store`
 * are the floor that the language sets for it; a section that is sound adds loads of the clock
 * between them. The lock is what a reader pays elsewhere: here alone, with nobody to wait for, and
 * on a word that stays in this core's cache. "typescript" is the same library without its
 * WebAssembly, as under a strict content security policy; a turn section writes nothing shared at
 * all.
 */
import { time } from '../harness/measure.ts'
import type { Question, Settings } from '../harness/question.ts'
import { runNative } from '../rivals/native.ts'

const OPERATIONS = 100_000

interface Kind {
  readonly sections?: 'fenced' | 'turn'
  readonly intrinsics?: boolean
}

async function openDomain({ sections = 'fenced', intrinsics = true }: Kind = {}) {
  const { Arena } = await import('uma-smr')
  const arena = Arena.create({ bytes: 2 ** 20, maxWorkers: 8, intrinsics })
  return { arena, smr: arena.smr('bench', { sections }) }
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

/** What is inside each section, and the loop around it: to be taken off the others. */
async function loadAlone(settings: Settings) {
  const { words } = (await openDomain()).arena
  return time(settings, OPERATIONS, () => {
    let sum = 0
    for (let i = 0; i < OPERATIONS; i++) sum += words[64] ?? 0
    return sum
  })
}

async function enterExit(settings: Settings, kind: Kind) {
  const { arena, smr } = await openDomain(kind)
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
        { name: 'the load alone', run: loadAlone },
        { name: 'uma enter + exit', run: (s) => enterExit(s, {}) },
        { name: 'uma, typescript', run: (s) => enterExit(s, { intrinsics: false }) },
        { name: 'uma, turn', run: (s) => enterExit(s, { sections: 'turn' }) },
        {
          name: 'uma, turn, typescript',
          run: (s) => enterExit(s, { sections: 'turn', intrinsics: false }),
        },
        { name: 'uma read(fn)', run: readFunction },
        { name: 'uma lock + unlock', run: lockUnlock },
        { name: 'C, GUS section', run: (s) => runNative(s, 'section') },
      ],
    },
  ],
}

export default question
