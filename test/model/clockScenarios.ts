/**
 * The hands of the shipped clock where the circle is small: steps as large as the library allows,
 * so that half the circle is ten advances away and the wrap guard five.
 *
 * A thread may sleep anywhere while others go round: between its scan and its CAS, between loading
 * the write hand and publishing it. What must hold all the time: the read hand moves forward only,
 * and never past where the write hand stood when an open section began.
 */

import { delta, leq, type Seq } from '#src/base/seq.ts'
import type { Goal, Smr } from '#src/index.ts'
import { DomainWords, ReaderWords } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise, SMALL, type Stage } from './stage.ts'
import { boardAt, DOMAIN, WORDS } from './world.ts'

const HEAD = boardAt(0)
const RECORD = boardAt(1)
const FRESH = 7
const REUSED = 99

/** The largest step that 3 workers may have. */
export const LARGEST_STEP = 200_000_000
const CIRCLE: Stage = { ...SMALL, sequence: { first: 2 ** 31 - 300_000_001, step: LARGEST_STEP } }
/** More than half the circle, and less than once around. */
const HALF = Math.ceil(2 ** 31 / LARGEST_STEP)
/** So many advances in a row bring the hands to the wrap guard. */
const GUARD = Math.ceil(2 ** 30 / LARGEST_STEP)

interface World {
  readonly domain: number
}
interface Worker extends World {
  readonly smr: Smr
}

export function clockScenarios(lib: Library): readonly Scenario<World>[] {
  const setup = (memory: Memory): World =>
    raise(lib, memory, CIRCLE, (arena) => {
      memory.poke(RECORD, FRESH)
      memory.store(HEAD, RECORD)
      return { domain: arena.smr(DOMAIN).address }
    })

  const prepare = (memory: Memory, world: World): Worker => {
    const arena = join(lib, memory)
    return { ...world, smr: arena.smr(DOMAIN) }
  }

  /** Goes round, and watches that the read hand does too. */
  const mover = (steps: number): Thread<World> =>
    thread({
      name: 'mover',
      prepare,
      body(memory: Memory, _control, worker: Worker) {
        const { smr } = worker
        let last = readHand(memory, worker)
        for (let i = 0; i < steps; i++) {
          smr.poll(smr.advance())
          last = forwardOnly(last, readHand(memory, worker))
        }
        smr.enter()
        // Not where it was published: a sleep in enter may have left that behind the read hand.
        const begun = memory.load(worker.domain + DomainWords.wr) as Seq
        for (let i = 0; i < 2; i++) {
          last = forwardOnly(last, readHand(memory, worker))
          if (!leq(last, begun)) throw new Error(`rd ${last} is past the section begun at ${begun}`)
        }
        smr.exit()
      },
    })

  /** One poll, in which it may sleep for any time; `poll` itself would refuse a goal so old. */
  const sleeper: Thread<World> = thread({
    name: 'sleeper',
    prepare,
    body(_memory: Memory, _control, { smr }: Worker) {
      smr.expired(smr.stamp())
    },
  })

  const reader = (times: number): Thread<World> =>
    thread({
      name: 'reader',
      prepare,
      body(memory: Memory, _control, { smr }: Worker) {
        for (let i = 0; i < times; i++) smr.read(() => look(memory))
      },
    })

  /** `first` advances before the unlink, each with a poll: so a sleep before it is a long one. */
  const writer = (first: number): Thread<World> =>
    thread({
      name: 'writer',
      prepare,
      body(memory: Memory, _control, worker: Worker) {
        const { smr } = worker
        for (let i = 0; i < first; i++) smr.poll(smr.advance())
        replace(memory, smr)
      },
    })

  /** Its section was opened before the hands went apart. */
  const parked: Thread<World> = thread({
    name: 'parked',
    prepare(memory: Memory, world: World): Worker {
      const worker = prepare(memory, world)
      worker.smr.enter()
      return worker
    },
    body(memory: Memory, _control, { smr }: Worker) {
      look(memory)
      look(memory)
      smr.exit()
      smr.read(() => look(memory))
    },
  })

  /** Finds the hands as far apart as they may get: its goals lie ahead of the write hand. */
  const atTheGuard = (advances = 0): Thread<World> =>
    thread({
      name: 'writer',
      prepare(memory: Memory, world: World): Worker {
        const worker = prepare(memory, world)
        for (let i = 0; i < GUARD; i++) worker.smr.stamp()
        return worker
      },
      body(memory: Memory, _control, { smr }: Worker) {
        for (let i = 0; i < advances; i++) smr.advance()
        replace(memory, smr)
      },
    })
  /** Its goal may lie ahead of the hand: then others move the hand, and in the end it does. */
  const committer = (name: string, take: (smr: Smr) => Goal): Thread<World> =>
    thread({
      name,
      prepare,
      body(memory: Memory, _control, { smr }: Worker) {
        memory.store(HEAD, 0)
        const goal = take(smr)
        while (!smr.poll(goal)) {
          smr.commit(goal)
          memory.pause()
        }
        memory.poke(RECORD, REUSED)
      },
    })

  const deferrer = committer('deferrer', (smr) => smr.deferredAdvance())
  const retirer = committer('retirer', (smr) => smr.advance())

  /** Moves the hand by a commit, which no mutant of `advance` can keep it from. */
  const pusher: Thread<World> = thread({
    name: 'pusher',
    prepare,
    body(_memory: Memory, _control, { smr }: Worker) {
      smr.commit(smr.deferredAdvance())
    },
  })

  /** Advances and polls as well. */
  const rival = (times: number): Thread<World> =>
    thread({
      name: 'rival',
      prepare,
      body(_memory: Memory, _control, { smr }: Worker) {
        for (let i = 0; i < times; i++) smr.poll(smr.advance())
      },
    })

  const scene = (
    name: string,
    threads: readonly Thread<World>[],
    more: Partial<Scenario<World>> = {},
  ): Scenario<World> => ({
    ...scenario<World>({ name, words: WORDS, setup, threads, describe }),
    ...more,
  })
  /** The unlink is a plain store: only a read-modify-write after it makes it happen before. */
  const plainUnlink: Partial<Scenario<World>> = {
    weakenStore: (at) => at === HEAD,
    rules: { bound: 2, delayed: true },
  }
  const bound2 = { rules: { bound: 2 } }
  const bound3 = { rules: { bound: 3 } }

  return [
    scene('a poller sleeps for half the circle', [sleeper, mover(HALF + 2)], bound2),
    scene('a reader sleeps in enter for half the circle', [reader(1), writer(HALF)], bound3),
    scene('a reader sleeps in enter for a quarter', [reader(1), writer(GUARD)], bound2),
    scene('goals ahead of the hand at the wrap guard', [parked, atTheGuard()], bound3),
    scene('many goals at the wrap guard', [parked, atTheGuard(HALF - GUARD)], bound2),
    scene('two writers at the wrap guard', [parked, atTheGuard(), rival(2)], bound2),
    scene('a deferred goal after a plain unlink', [reader(1), deferrer, rival(1)], plainUnlink),
    scene('a goal after a plain unlink', [reader(1), retirer, pusher], plainUnlink),
  ]
}

function replace(memory: Memory, smr: Smr): void {
  memory.store(HEAD, 0)
  const goal = smr.advance()
  while (!smr.poll(goal)) memory.pause()
  memory.poke(RECORD, REUSED)
}

function look(memory: Memory): void {
  const record = memory.load(HEAD)
  if (record === 0) return
  const value = memory.peek(record)
  if (value !== FRESH) throw new Error(`a reader found ${value} in the record`)
}

function readHand(memory: Memory, { domain }: World): Seq {
  return memory.load(domain + DomainWords.rd) as Seq
}

function forwardOnly(last: Seq, rd: Seq): Seq {
  if (delta(rd, last) < 0) throw new Error(`the read hand went back from ${last} to ${rd}`)
  return rd
}

function describe(at: number, { domain }: World): string | undefined {
  if (at === HEAD) return 'head'
  if (at === RECORD) return 'record'
  if (at === domain + DomainWords.wr) return 'domain.wr'
  if (at === domain + DomainWords.rd) return 'domain.rd'
  const reader = at - domain - DomainWords.WORDS
  return reader >= 0 && reader < 3 * ReaderWords.WORDS && reader % ReaderWords.WORDS === 0
    ? `reader ${reader / ReaderWords.WORDS}.seq`
    : undefined
}
