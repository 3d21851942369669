/**
 * Litmus scenarios: the smallest programs whose outcome a memory model must get right.
 *
 * They test the checker and not the library. Each is known from the literature, or from our own
 * prototype, and each states what must be found in it: nothing ('holds'), or the bug ('fails'). A
 * checker that fails one of these proves nothing about anything else.
 */

import type { Memory } from '#src/memory/memory.ts'
import { type Scenario, type Thread, thread } from './scenario.ts'

export const X = 1
export const Y = 2
export const Z = 3
export const DONE = 4
const WORDS = 16

const t = (name: string, body: (memory: Memory) => unknown): Thread<unknown> =>
  thread({ name, body: (memory: Memory) => body(memory) })

/** `forbidden`: results of the threads that must not occur together. */
export function litmus(
  name: string,
  bodies: readonly ((memory: Memory) => unknown)[],
  forbidden: string,
  more: Partial<Scenario> = {},
): Scenario {
  return {
    name,
    words: WORDS,
    setup: () => undefined,
    threads: bodies.map((body, i) => t(`t${i}`, body)),
    final(_memory, results) {
      const outcome = results.map((each) => String(each)).join(' ')
      if (outcome === forbidden) throw new Error(`outcome ${outcome}`)
    },
    ...more,
  }
}

/** Writes one word, then reads the other: not both may miss the other's write. */
const buffering = (write: 'store' | 'poke', read: 'load' | 'peek') => [
  (m: Memory) => {
    m[write](X, 1)
    return m[read](Y)
  },
  (m: Memory) => {
    m[write](Y, 1)
    return m[read](X)
  },
]

export const storeBuffering: Scenario = litmus('SB', buffering('store', 'load'), '0 0')
export const storeBufferingPlain: Scenario = litmus('SB, plain', buffering('poke', 'peek'), '0 0', {
  rules: { delayed: true, races: false },
  expect: 'fails',
})
export const storeBufferingWeak: Scenario = litmus(
  'SB, weakened',
  buffering('store', 'load'),
  '0 0',
  { weakenStore: () => true, expect: 'fails' },
)

const sendBy = (write: 'store' | 'poke') => (m: Memory) => {
  m.poke(X, 1)
  m[write](Y, 1)
}
const receiveBy = (read: 'load' | 'peek') => (m: Memory) => (m[read](Y) === 1 ? m.peek(X) : 1)

export const messagePassing: Scenario = litmus(
  'MP',
  [sendBy('store'), receiveBy('load')],
  'undefined 0',
)
export const messagePassingPlain: Scenario = litmus(
  'MP, plain flag',
  [sendBy('poke'), receiveBy('peek')],
  'undefined 0',
  {
    expect: 'fails',
    describe: (at) => (at === X ? 'mail.letter' : at === Y ? 'mail.flag' : undefined),
  },
)
export const messagePassingReordered: Scenario = litmus(
  'MP, plain flag, races ignored',
  [sendBy('poke'), receiveBy('peek')],
  'undefined 0',
  { rules: { delayed: true, races: false }, expect: 'fails' },
)

/** Two readers of two independent writers must not see them in opposite orders. */
export const iriw: Scenario = litmus(
  'IRIW',
  [
    (m) => m.store(X, 1),
    (m) => m.store(Y, 1),
    (m) => `${m.load(X)}${m.load(Y)}`,
    (m) => `${m.load(Y)}${m.load(X)}`,
  ],
  'undefined undefined 10 10',
)

/** A load must not see a store that depends on it. Late loads are not modelled at all. */
export const loadBuffering: Scenario = litmus(
  'LB',
  [
    (m) => {
      const seen = m.load(X)
      m.store(Y, 1)
      return seen
    },
    (m) => {
      const seen = m.load(Y)
      m.store(X, 1)
      return seen
    },
  ],
  '1 1',
)

/** Flags up, then look: at most one of two enters, and its plain accesses are its own. */
const dekker = (mine: number, other: number) => (m: Memory) => {
  m.store(mine, 1)
  if (m.load(other) === 0) m.poke(Z, m.peek(Z) + 1)
}
export const mutualExclusion: Scenario = litmus('Dekker', [dekker(X, Y), dekker(Y, X)], '')
export const mutualExclusionWeak: Scenario = litmus(
  'Dekker, one flag weakened',
  [dekker(X, Y), dekker(Y, X)],
  '',
  { weakenStore: (at) => at === X, expect: 'fails' },
)

/**
 * A store cuts the chain from the writer before; a read-modify-write continues it. The link is made
 * only when the first writer is known to be done, by a racy peek that orders nothing.
 */
const chain = (link: (m: Memory) => unknown) => [
  (m: Memory) => {
    m.poke(Z, 1)
    m.store(X, 1)
    m.poke(DONE, 1)
  },
  (m: Memory) => (m.peekRacy(DONE) === 1 ? link(m) : undefined),
  (m: Memory) => (m.load(X) === 2 ? m.peek(Z) : 1),
]
export const chainOfUpdates: Scenario = litmus(
  'chain of updates',
  chain((m) => m.cas(X, 1, 2)),
  'undefined 1 0',
)
export const chainCut: Scenario = litmus(
  'chain cut by a store',
  chain((m) => m.store(X, 2)),
  'undefined undefined 0',
  { expect: 'fails' },
)

const lost = (m: Memory) => m.store(X, m.load(X) + 1)
export const lostUpdate: Scenario = litmus('lost update', [lost, lost], '', {
  final(memory) {
    if (memory.load(X) !== 2) throw new Error('an update was lost')
  },
  expect: 'fails',
})

export const unfairSpin: Scenario = litmus(
  'spin without a spin',
  [
    (m) => {
      while (m.load(X) === 0) {}
    },
    (m) => m.store(X, 1),
  ],
  '',
  { expect: 'fails' },
)
export const fairSpin: Scenario = litmus(
  'spin with a spin',
  [
    (m) => {
      while (m.load(X) === 0) m.pause()
    },
    (m) => {
      for (let i = 0; i < 3; i++) m.add(Y, 1)
      m.store(X, 1)
    },
  ],
  '',
)
export const hopelessSpin: Scenario = litmus(
  'spin for what never comes',
  [
    (m) => {
      while (m.load(X) === 0) m.pause()
    },
    (m) => m.store(Y, 1),
  ],
  '',
  { expect: 'fails' },
)

const FOR_EVER = Number.POSITIVE_INFINITY
const deadly = (sleepOn: number, wakes: number) => (m: Memory) => {
  m.wait(sleepOn, 0, FOR_EVER)
  m.store(wakes, 1)
  m.notify(wakes, 1)
}
export const deadlock: Scenario = litmus(
  'two sleepers, each to be woken by the other',
  [deadly(X, Y), deadly(Y, X)],
  '',
  { expect: 'fails' },
)

const sleeperOn = (word: number) => (m: Memory) => {
  while (m.load(X) === 0) m.wait(word, 0, FOR_EVER)
}
const wakerOf = (word: number) => (m: Memory) => {
  m.store(X, 1)
  m.notify(word, 1)
}
export const wakeUp: Scenario = litmus('wake-up', [sleeperOn(X), wakerOf(X)], '')
export const lostWakeUp: Scenario = litmus(
  'wake-up lost between look and sleep',
  [sleeperOn(Y), wakerOf(Y)],
  '',
  { expect: 'fails' },
)

/** Sleeping and waking order plain accesses as well. */
export const handOver: Scenario = litmus(
  'hand-over by notify',
  [
    (m) => {
      m.wait(X, 0, FOR_EVER)
      return m.peek(Z)
    },
    (m) => {
      m.poke(Z, 7)
      m.store(X, 1)
      m.notify(X, 1)
    },
  ],
  '0 undefined',
)

export const litmusScenarios: readonly Scenario[] = [
  storeBuffering,
  storeBufferingPlain,
  storeBufferingWeak,
  messagePassing,
  messagePassingPlain,
  messagePassingReordered,
  iriw,
  loadBuffering,
  mutualExclusion,
  mutualExclusionWeak,
  chainOfUpdates,
  chainCut,
  lostUpdate,
  unfairSpin,
  fairSpin,
  hopelessSpin,
  deadlock,
  wakeUp,
  lostWakeUp,
  handOver,
]
