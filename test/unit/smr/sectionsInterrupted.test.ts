/**
 * Calls that end in the middle: an exception at each of their steps, which the thread survives, and a
 * call that is cut off, so that not even its `finally` has any effect. Afterwards no section is open,
 * or the worker closes it in its next turn; nobody else's reclamation is held up; and the next section
 * of this worker protects what it reads.
 */

import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  type Arena,
  HashTable,
  type Item,
  record,
  type Smr,
  type SmrOptions,
  u32,
} from '#src/index.ts'
import type { Memory } from '#src/memory/memory.ts'
import { pair } from '../../helpers/company.ts'

const VERBS = [
  'load',
  'store',
  'add',
  'swap',
  'cas',
  'or',
  'and',
  'peekRacy',
  'peek',
  'poke',
  'tally',
  'enterSection',
  'findHash',
  'lookUpHash',
] as const satisfies readonly (keyof Memory)[]

class Stop extends RangeError {}

/**
 * How a call ends in the middle. An exception: the verb that fails does not happen, later ones do. Cut
 * off: nothing has any effect until the call is over.
 */
const ENDS = ['exception', 'cut off'] as const
type End = (typeof ENDS)[number]

/** Lets the `nth` verb of `act` fail, before it happens or after. False if there are not so many. */
function interrupt(
  memory: Memory,
  nth: number,
  end: End,
  after: boolean,
  act: () => void,
): boolean {
  let done = 0
  let off = false
  const own = VERBS.map((verb) => {
    const original = memory[verb] as (...args: number[]) => number
    const spy = (...args: number[]): number => {
      if (off) throw new Stop('cut off')
      if (done++ !== nth) return original.apply(memory, args)
      off = end === 'cut off'
      if (after) original.apply(memory, args)
      throw new Stop('Maximum call stack size exceeded')
    }
    return [verb, spy] as const
  })
  Object.assign(memory, Object.fromEntries(own))
  try {
    act()
  } catch {
    // What the caller survives.
  } finally {
    for (const [verb] of own) delete (memory as unknown as Record<string, unknown>)[verb]
  }
  return done > nth
}

const KINDS: readonly [string, SmrOptions][] = [
  ['fenced', { sections: 'fenced', sleepable: true }],
  ['turn', { sections: 'turn', sleepable: true }],
  ['lazy', { clock: 'lazy', sleepable: true }],
]

interface Scene {
  readonly a: Arena
  readonly smr: Smr
  readonly others: Smr
  readonly table: HashTable
  /** A step of the clock, for a hand that has moved since the last section. */
  step(): void
  /** The turn is over, and a later one of the worker's own comes. */
  turn(): void
}

function scene(options: SmrOptions): Scene {
  const [a, b] = pair({ checks: false })
  const due: (() => void)[] = []
  a.space.turn.schedule = (end) => due.push(end)
  a.space.turn.later = (act) => due.push(act)
  b.space.turn.schedule = (end) => due.push(end)
  let now = 1000
  for (const { memory } of [a, b]) vi.spyOn(memory, 'now').mockImplementation(() => now)
  const smr = a.smr('d', options)
  const table = HashTable.create(a, 't', {
    record: record({ id: u32 }),
    key: 'id',
    capacity: 4,
    smr,
  })
  table.set({ id: 1 })
  const others = b.smr('d')
  const step = (): void => {
    now += 10
    others.poll(others.advance())
  }
  const turn = (): void => {
    for (const each of due.splice(0)) each()
    a.space.watch.check()
  }
  turn()
  return { a, smr, others, table: table as unknown as HashTable, step, turn }
}

const ACTS: readonly [string, (scene: Scene) => void][] = [
  [
    'enter, exit',
    ({ smr }) => {
      smr.enter()
      smr.exit()
    },
  ],
  ['read', ({ smr }) => smr.read(() => 0)],
  ['read that reads', ({ smr, a }) => smr.read(() => a.memory.load(1))],
  ['two sections', ({ smr }) => smr.read(() => 0) + smr.read(() => 0)],
  [
    'offline, online',
    ({ smr }) => {
      smr.read(() => 0)
      smr.offline()
      smr.online()
    },
  ],
  ['an async section', ({ smr }) => smr.exitSleepable(smr.enterSleepable())],
  ['a labelled one', ({ smr }) => smr.exitSleepable(smr.enterSleepable('label'))],
  [
    'two that overlap',
    ({ smr }) => {
      const first = smr.enterSleepable('first')
      try {
        const second = smr.enterSleepable('second')
        try {
          smr.exitSleepable(first)
        } finally {
          smr.exitSleepable(second)
        }
      } finally {
        if (smr.entered) smr.exitSleepable(first)
      }
    },
  ],
  ['get', ({ table }) => table.get(1 as never)],
  ['has', ({ table }) => table.has(1 as never)],
  ['getMany', ({ table }) => table.getMany([1, 2] as never[])],
  ['hasMany', ({ table }) => table.hasMany([1, 2] as never[])],
  ['readMany', ({ table }) => table.readMany([1, 2] as never[], () => 1)],
  ['read of a table', ({ table }) => table.read(1 as never, () => 0)],
  ['poll', ({ smr }) => smr.poll(smr.advance())],
]

/** What an act may leave open that only its caller can close: his own enter, and his own tracker. */
const OWN = new Set(['enter, exit', 'an async section', 'a labelled one', 'two that overlap'])

afterEach(() => {
  vi.restoreAllMocks()
})

describe.each(KINDS)('%s sections', (_, options) => {
  describe.each(ENDS)('%s', (end) => {
    it.each(ACTS)('%s', (name, act) => {
      vi.stubGlobal('process', { ...process, emitWarning: () => {} })
      let steps = 0
      for (let more = true; more; steps++) {
        for (const after of [false, true]) {
          for (const moved of [false, true]) {
            const stage = scene(options)
            const { a, smr, step, turn } = stage
            const where = `step ${steps}, ${after ? 'after' : 'before'} it, hand moved: ${moved}`
            if (moved) {
              smr.read(() => 0)
              step()
            }
            more = interrupt(a.memory, steps, end, after, () => act(stage))
            if (!smr.inside) smr.online()
            // A lookup in the same turn, whatever is open: what it finds is protected.
            protects(stage, where)
            turn()
            if (smr.entered && OWN.has(name)) {
              protects(stage, where) // It is the caller's, who has not got to its end.
              continue
            }
            expect(smr.entered, where).toBe(false)
            expect(isMet(stage), where).toBe(true)
            protects(stage, where)
            turn()
            expect(shown(a, smr), where).toEqual([0, 0])
          }
        }
      }
      vi.unstubAllGlobals()
      expect(steps).toBeGreaterThan(1)
    })
  })
})

/** Whether others can reclaim: nothing of this worker is in their way. */
function isMet({ others, step }: Scene): boolean {
  const goal = others.advance()
  for (let i = 0; i < 4; i++) step()
  return others.poll(goal)
}

function shown({ memory }: Arena, smr: Smr): number[] {
  return [memory.load(smr.seqAt), memory.load(smr.seqAt + 1)]
}

/** A look at the table, from inside which nothing that was found may be given away. */
function protects({ table, others, step }: Scene, where: string): void {
  let checked = false
  table.read(1 as never, (_item: Item) => {
    const goal = others.advance()
    for (let i = 0; i < 4; i++) step()
    expect(others.poll(goal), where).toBe(false)
    checked = true
    return 0
  })
  expect(checked, where).toBe(true)
}
