/**
 * What happens after a time limit: workers are held up in the middle of everything, others lose their
 * patience with the locks they hold, and go on.
 *
 * A verb that throws Exhausted has done nothing, and one that has done something does not throw it: an
 * item whose free has failed is still the caller's, a record whose `set` has failed was never there.
 * So everybody counts what was done, and in the end not one item is lost. Explored under the rule
 * `impatience`.
 */

import type { Item, Smr } from '#src/index.ts'
import type { Memory } from '#src/memory/memory.ts'
import type { Rules } from './rules.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'
import { boardAt, checkArena, quietly, WORDS, type Worker, ZONE_STAGE } from './world.ts'
import { type Body, watching, worker, zoneScene } from './zoneStage.ts'

/** Two looks at a lock that is held, so that patience is soon over. */
const PATIENCE_MS = 40
const COUNTER = boardAt(0)
const RULES: Rules = { bound: 1, impatience: 1 }

/** Does it, or hears that it was not done in time. */
function inTime(action: () => void): boolean {
  try {
    action()
    return true
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_UMA_SMR_EXHAUSTED') throw error
    return false
  }
}

/** A verb that need not happen. */
const perhaps =
  (action: (hired: Worker) => void): Body =>
  (_memory, hired) =>
    void inTime(() => action(hired))

const takes =
  (times: number): Body =>
  (_memory, { zone }, hand) => {
    for (let i = 0; i < times; i++) {
      let item = 0
      inTime(() => {
        item = zone.tryZallocSmr()
      })
      hand.take(item)
    }
  }

/** Frees what it holds; what cannot be freed in time stays in the hand. */
const frees: Body = (_memory, { zone }, hand) => {
  for (let left = hand.items().length; left > 0; left--) {
    const item = hand.drop()
    if (!inTime(() => zone.zfreeSmr(item as Item))) {
      hand.take(item)
      return
    }
  }
}

const takesPlainly =
  (times: number): Body =>
  (_memory, { zone }, hand) => {
    for (let i = 0; i < times; i++) {
      let item = 0
      inTime(() => {
        item = zone.tryZalloc()
      })
      hand.take(item)
    }
  }

const freesPlainly: Body = (_memory, { zone }, hand) => {
  for (let left = hand.items().length; left > 0; left--) {
    const item = hand.drop()
    if (!inTime(() => zone.zfree(item as Item))) {
      hand.take(item)
      return
    }
  }
}

const then =
  (...bodies: Body[]): Body =>
  (memory, hired, hand) => {
    for (const body of bodies) body(memory, hired, hand)
  }

const churns = then(takes(3), frees, takes(3), frees)

interface Duel {
  readonly name: string
  readonly first?: Body
  readonly one: Body
  readonly other: Body
  readonly plain?: boolean
}

const DUELS: readonly Duel[] = [
  { name: 'allocation and free', one: churns, other: churns },
  {
    name: 'seal',
    first: then(takes(3), frees),
    one: churns,
    other: perhaps(({ zone }) => zone.seal()),
  },
  {
    name: 'reclaim',
    first: then(takes(5), frees),
    one: then(takes(3), frees),
    other: perhaps(({ zone }) => void zone.reclaim('all', { timeoutMs: 0 })),
  },
  {
    name: 'detach',
    first: then(takes(3), frees, takes(1), frees),
    one: churns,
    // Not in time: it has left all the same, and whoever comes next takes over what it had.
    other: (memory, hired, hand) => {
      frees(memory, hired, hand)
      quietly(() => hired.arena.detach())
    },
  },
  {
    name: 'plain items',
    plain: true,
    one: then(takesPlainly(4), freesPlainly),
    other: then(takesPlainly(4), freesPlainly),
  },
]

export function timeLimitScenarios(lib: Library): readonly Scenario<undefined>[] {
  return [lockInTime(lib), waitInTime(lib), ...DUELS.map((duel) => duelScene(lib, duel))]
}

function duelScene(lib: Library, { name, first, one, other, plain }: Duel): Scenario<undefined> {
  const hooks = plain === true ? {} : { hooks: watching }
  const impatient = (body: Body | undefined): { first: Body } => ({
    first(memory, hired, hand) {
      body?.(memory, hired, hand)
      hired.arena.space.locks.patienceMs = PATIENCE_MS
    },
  })
  return zoneScene(
    lib,
    `not in time: ${name}`,
    [
      worker(lib, 'one', 0, one, { ...hooks, ...impatient(first) }),
      worker(lib, 'other', 1, other, { ...hooks, ...impatient(first) }),
    ],
    { plain: plain === true, ...hooks, zone: { limit: 8 }, laws: { thorough: true } },
    { rules: RULES },
  )
}

/** Each counts what it has done under the lock; the lock's own count is the same. */
function lockInTime(lib: Library): Scenario<undefined> {
  const counting = (name: string): Thread<undefined> =>
    thread({
      name,
      prepare(memory: Memory, _world: undefined) {
        return join(lib, memory).lock('lock')
      },
      body(memory: Memory, _control, lock: ReturnType<ReturnType<typeof join>['lock']>) {
        const counted = (): boolean =>
          inTime(() =>
            lock.withLock(() => memory.poke(COUNTER, memory.peek(COUNTER) + 1), {
              timeoutMs: PATIENCE_MS,
            }),
          )
        return [counted(), counted()].filter((done) => done).length
      },
    })
  return scenario<undefined>({
    name: 'not in time: a lock',
    words: WORDS,
    setup(memory) {
      raise(lib, memory, ZONE_STAGE, (arena) => void arena.lock('lock'))
      return undefined
    },
    threads: ['one', 'two', 'three'].map(counting),
    final(memory, results) {
      const done = (results as number[]).reduce((sum, each) => sum + each, 0)
      const counted = memory.peek(COUNTER)
      if (counted !== done) throw new Error(`counted ${counted}, done ${done}`)
      checkArena(lib, memory)
    },
    rules: RULES,
  })
}

const HEAD = boardAt(1)
const RECORD = boardAt(2)
const FRESH = 7

/** A wait that says no in time, or yes: then nobody looks any more. */
function waitInTime(lib: Library): Scenario<undefined> {
  const prepare = (memory: Memory, _world: undefined): Smr => join(lib, memory).smr('domain')
  return scenario<undefined>({
    name: 'not in time: a wait for readers',
    words: WORDS,
    setup(memory) {
      raise(lib, memory, ZONE_STAGE, (arena) => void arena.smr('domain'))
      memory.poke(RECORD, FRESH)
      memory.store(HEAD, RECORD)
      return undefined
    },
    threads: [
      thread({
        name: 'reader',
        prepare,
        body(memory: Memory, _control, smr: Smr) {
          smr.read(() => {
            if (memory.load(HEAD) === 0) return
            memory.sleep(PATIENCE_MS / 2)
            const value = memory.peek(RECORD)
            if (value !== FRESH) throw new Error(`a reader found ${value} in the record`)
          })
        },
      }),
      thread({
        name: 'writer',
        prepare,
        body(memory: Memory, _control, smr: Smr) {
          memory.store(HEAD, 0)
          const goal = smr.advance()
          const waits = [
            smr.wait(goal, { timeoutMs: PATIENCE_MS }),
            smr.synchronize({ timeoutMs: 1 }),
          ]
          if (waits.includes(true)) memory.poke(RECORD, 0)
          return waits.join()
        },
      }),
    ],
    final: (memory) => checkArena(lib, memory),
    rules: RULES,
  })
}
