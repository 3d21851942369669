/**
 * What the scenarios of the clocks and sections share: a domain of any combination, a record that is
 * unlinked and written again, time that passes where a scenario wants it, and no event loop.
 *
 * Time is a word of the board on top of the model's own: who adds to it lets a lazy clock tick at
 * that very step, for all workers. The model's own time passes too, when all have nothing left but
 * to sleep. Turns end where a thread says so: `endTurn`.
 */

import type { Arena, Smr, SmrOptions } from '#src/index.ts'
import { DomainWords, ReaderWords } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import type { Scenario } from './scenario.ts'
import { join, type Library, raise, SMALL, type Stage } from './stage.ts'
import { boardAt, DOMAIN, WORDS } from './world.ts'

/** Where a reader starts, and what it may find there; two of each, for two writers. */
export interface Place {
  readonly head: number
  readonly record: number
}

export const ONE: Place = { head: boardAt(0), record: boardAt(1) }
export const OTHER: Place = { head: boardAt(2), record: boardAt(3) }
const TIME = boardAt(4)
/** What a scenario wants to say to itself, beside the protocol. */
export const SIGN: number = boardAt(5)

const FRESH = 7
const REUSED = 99
const TICK_MS = 1
const LIMIT = 2

export interface World {
  readonly domain: number
}

export interface Worker extends World {
  readonly arena: Arena
  readonly smr: Smr
  /** The memory as this worker's clock has it. */
  readonly memory: Memory
}

export interface Combo {
  readonly name: string
  readonly clock: 'default' | 'deferred' | 'lazy'
  readonly turn: boolean
  readonly options: SmrOptions
}

const KNOBS = { default: {}, deferred: { limit: LIMIT }, lazy: { tickMs: TICK_MS } } as const

export const COMBOS: readonly Combo[] = (['default', 'deferred', 'lazy'] as const).flatMap(
  (clock) =>
    (['fenced', 'turn'] as const).map((sections): Combo => {
      const options = { clock, sections, ...KNOBS[clock] }
      return { name: `${clock}, ${sections}`, clock, turn: sections === 'turn', options }
    }),
)

export function comboOf(name: string): Combo {
  const found = COMBOS.find((each) => each.name === name)
  if (found === undefined) throw new Error(`no combination is named ${name}`)
  return found
}

/** The largest step that three workers may have: five bring the hands to the wrap guard. */
export const STRIDE = 214_748_364
export const WIDE: Stage = { ...SMALL, sequence: { first: 2 ** 31 - 300_000_001, step: STRIDE } }

/** A domain of this combination, and both records in their places. */
export function build(lib: Library, memory: Memory, combo: Combo, stage: Stage = SMALL): World {
  return raise(lib, memory, stage, (arena) => {
    for (const { head, record } of [ONE, OTHER]) {
      memory.poke(record, FRESH)
      memory.store(head, record)
    }
    arena.space.turn.schedule = () => {}
    return { domain: arena.smr(DOMAIN, combo.options).address }
  })
}

/** A worker of it, whose clock may be `skew` ticks off. */
export function hire(lib: Library, memory: Memory, world: World, combo: Combo, skew = 0): Worker {
  const own = combo.clock === 'lazy' ? timed(memory, skew * TICK_MS) : memory
  const arena = join(lib, own)
  arena.space.turn.schedule = () => {}
  return { ...world, arena, smr: arena.smr(DOMAIN), memory: own }
}

function timed(memory: Memory, skewMs: number): Memory {
  const now = (): number => memory.now() + memory.load(TIME) * TICK_MS + skewMs
  return Object.assign(Object.create(memory) as Memory, { now })
}

/** So many ticks pass, for everybody. */
export function tick(memory: Memory, ticks: number): void {
  memory.add(TIME, ticks)
}

/** The running task of this worker is over. */
export function endTurn({ arena }: Worker): void {
  arena.space.turn.letGo()
}

/** Waits a little: for others, and on a lazy clock for time. */
export function rest(memory: Memory, combo: Combo): void {
  if (combo.clock === 'lazy') memory.sleep(TICK_MS)
  else memory.pause()
}

/** A section's look: what was in the record when it was linked, or no record at all. */
export function look(memory: Memory, { head }: Place = ONE): void {
  const record = memory.load(head)
  if (record === 0) return
  const value = memory.peek(record)
  if (value !== FRESH) throw new Error(`a reader found ${value} in the record`)
}

/** Unlinks, takes a goal, polls until nobody can look, and writes the record again. */
export function replace(worker: Worker, combo: Combo, { head, record }: Place = ONE): void {
  const { memory, smr } = worker
  memory.store(head, 0)
  const goal = smr.advance()
  while (!smr.poll(goal)) {
    // A deferred hand is moved by whoever needs it.
    if (combo.clock === 'deferred') smr.commit(goal)
    rest(memory, combo)
  }
  memory.poke(record, REUSED)
}

/** The same, by a worker who has nothing else to do. */
export function replaceAndWait({ memory, smr }: Worker, { head, record }: Place = ONE): void {
  memory.store(head, 0)
  smr.synchronize()
  memory.poke(record, REUSED)
}

export function reuse(memory: Memory, { record }: Place = ONE): void {
  memory.poke(record, REUSED)
}

const NAMES: ReadonlyMap<number, string> = new Map([
  [ONE.head, 'head'],
  [ONE.record, 'record'],
  [OTHER.head, 'other head'],
  [OTHER.record, 'other record'],
  [TIME, 'time'],
  [SIGN, 'sign'],
])

function describe(at: number, { domain }: World): string | undefined {
  const named = NAMES.get(at)
  if (named !== undefined) return named
  for (const word of ['wr', 'rd', 'tick', 'owed'] as const) {
    if (at === domain + DomainWords[word]) return `domain.${word}`
  }
  const reader = at - domain - DomainWords.WORDS
  return reader >= 0 &&
    reader % ReaderWords.WORDS === ReaderWords.seq &&
    reader < 4 * ReaderWords.WORDS
    ? `reader ${reader / ReaderWords.WORDS}.seq`
    : undefined
}

/** What every scenario of them has. */
export const SETTING: Pick<Scenario<World>, 'words' | 'describe'> = { words: WORDS, describe }

/** Loads of the head are plain ones: in a section that must do. */
export const PLAIN_HEAD: Partial<Scenario<World>> = { weakenLoad: (at) => at === ONE.head }

/** The unlink is a plain store: only a read-modify-write after it makes it happen before. */
export const PLAIN_UNLINK: Partial<Scenario<World>> = {
  weakenStore: (at) => at === ONE.head,
  rules: { bound: 2, delayed: true },
}
