/**
 * A small zone to be quarrelled about: records of 512 bytes, so that a slab has 7 and death while
 * one is made is soon explored; buckets of 2; a limit so tight that everything comes round again.
 *
 * Two kinds of witnesses. A reader follows a head in a section and reads the record's canary
 * plainly: if the record is reused under it, its reads race with the next owner's writes, and the
 * canary is another head's. And whoever holds an item writes to it plainly: two hands on one item
 * race. What threads hold is written on the board, so that the end can be counted.
 */

import type { Item, Zone, ZoneOptions } from '#src/index.ts'
import type { Memory } from '#src/memory/memory.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { type Library, raise, type Stage } from './stage.ts'
import {
  boardAt,
  checkArena,
  DOMAIN,
  hire,
  type Laws,
  RECORDS,
  WORDS,
  type Worker,
  ZONE_STAGE,
} from './world.ts'

export const RECORD_BYTES = 512
/** Time is no thread's: a bucket's age is looked at where a scenario is about it. */
const SHAPE = { bytes: RECORD_BYTES, bucket: 2, sealAfterMs: 0, trimEveryMs: 0 } as const
const HEADS = 2
const HANDS = 6
const HELD = 15
/** Behind heads and hands: destructors that did not run because their worker died before them. */
const MISSED = boardAt(HEADS + HANDS)

/** Heads that readers follow. */
export type Head = 0 | 1
export function headAt(head: Head): number {
  return boardAt(head)
}
/** What a canary of this head's records says: never what another head's say, nor trash. */
const CANARY = 1000
function canary(head: Head): number {
  return CANARY * (head + 1)
}

/** A thread's own line of the board: how many items it holds, and which. */
export class Hand {
  private readonly memory: Memory
  private readonly at: number

  constructor(memory: Memory, number: number) {
    this.memory = memory
    this.at = boardAt(HEADS + number)
  }

  /** Says that the item is in this hand, and marks it as its own. False for 0. */
  take(item: number): boolean {
    if (item === 0) return false
    const free = this.places().find((at) => this.memory.peek(at) === 0)
    if (free === undefined) throw new Error('a hand has room for 15 items')
    this.memory.poke(free, item)
    this.memory.poke(item, this.at)
    use(this.memory, item)
    return true
  }

  /** The item that was taken last, out of this hand; 0 when it is empty. */
  drop(): number {
    const last = this.places().findLast((at) => this.memory.peek(at) !== 0)
    if (last === undefined) return 0
    const item = this.memory.peek(last)
    if (this.memory.peek(item) !== this.at) throw new Error(`somebody wrote to item ${item}`)
    this.memory.poke(last, 0)
    finish(this.memory, item)
    return item
  }

  items(): number[] {
    return this.places()
      .map((at) => this.memory.peek(at))
      .filter((item) => item !== 0)
  }

  private places(): number[] {
    return Array.from({ length: HELD }, (_, i) => this.at + i)
  }
}

/** Everything that the board says somebody can reach. */
export function reachable(memory: Memory): number[] {
  const heads = ([0, 1] as const).map((head) => memory.load(headAt(head)))
  const held = Array.from({ length: HANDS }, (_, number) => new Hand(memory, number).items())
  return [...heads.filter((item) => item !== 0), ...held.flat()]
}

// ---- the life of an item ----------------------------------------------------------------------

/** Word of an item that says how far its life has come. */
const STATE = 1
const LIVE = 1
const FREED = 2
const DESTROYED = 3
const INITIAL = 4
const GONE = 5

function use(memory: Memory, item: number): void {
  memory.poke(item + STATE, LIVE)
}

/** Right before the item is freed. */
function finish(memory: Memory, item: number): void {
  memory.poke(item + STATE, FREED)
}

/** Hooks that watch: an item is destroyed once after it was freed, and not handed out before. */
export function watching(memory: Memory): ZoneOptions {
  return {
    dtor(item) {
      const state = memory.peek(item + STATE)
      if (state !== FREED) throw new Error(`item ${item} is destroyed in state ${state}`)
      memory.poke(item + STATE, DESTROYED)
    },
    ctor(item) {
      if (memory.peek(item + STATE) === FREED) memory.add(MISSED, 1)
    },
  }
}

/** The same for all four hooks: nothing is handed out before its `init` or after its `fini`. */
export function lifelong(memory: Memory): ZoneOptions {
  const is = (item: number, ...states: number[]) => states.includes(memory.peek(item + STATE))
  return {
    ...watching(memory),
    init: (item) => memory.poke(item + STATE, INITIAL),
    ctor(item) {
      if (is(item, FREED)) memory.add(MISSED, 1)
      else if (!is(item, INITIAL, DESTROYED))
        throw new Error(`item ${item} is handed out in state ${memory.peek(item + STATE)}`)
    },
    fini(item) {
      if (is(item, FREED)) memory.add(MISSED, 1)
      else if (!is(item, INITIAL, DESTROYED)) throw new Error(`item ${item} goes too early`)
      memory.poke(item + STATE, GONE)
    },
  }
}

// ---- threads ----------------------------------------------------------------------------------

export type Body = (memory: Memory, worker: Worker, hand: Hand) => void

/** A worker with a hand of its own. */
export function worker(
  lib: Library,
  name: string,
  number: number,
  body: Body,
  more: { hooks?: (memory: Memory) => ZoneOptions; first?: Body; after?: string } = {},
): Thread<undefined> {
  const { hooks, first, after } = more
  return {
    ...thread({
      name,
      prepare(memory: Memory): Worker {
        const hired = hire(lib, memory, hooks?.(memory))
        first?.(memory, hired, new Hand(memory, number))
        return hired
      },
      body: (memory: Memory, _control, hired: Worker) =>
        body(memory, hired, new Hand(memory, number)),
    }),
    ...(after === undefined ? {} : { after }),
  }
}

/** Follows the heads, one section for each look. */
export function reading(times: number, ...heads: Head[]): Body {
  return (memory, { smr }) => {
    for (let i = 0; i < times; i++) {
      for (const head of heads) smr.read(() => look(memory, head))
    }
  }
}

function look(memory: Memory, head: Head): void {
  const item = memory.load(headAt(head))
  if (item === 0) return
  const value = memory.peek(item)
  if (value !== canary(head)) throw new Error(`a reader of head ${head} found ${value}`)
}

/** Puts another record where the head points to, and frees the old one. False: no item to be had. */
export function replace(memory: Memory, zone: Zone, head: Head): boolean {
  const item = zone.tryZallocSmr()
  if (item === 0) return false
  memory.poke(item, canary(head))
  use(memory, item)
  free(memory, zone, memory.swap(headAt(head), item))
  return true
}

/** `replace`, as often as that; patient when readers hold everything back, unless told otherwise. */
export function replacing(times: number, head: Head, tries = Number.POSITIVE_INFINITY): Body {
  return (memory, { zone }) => {
    for (let i = 0; i < times; i++) {
      for (let n = 0; n < tries && !replace(memory, zone, head); n++) memory.pause()
    }
  }
}

/**
 * Puts other records where both heads point to, with one allocation and one free; patient when
 * readers hold everything back.
 */
export function replacingBoth(times: number): Body {
  return (memory, { zone }) => {
    for (let i = 0; i < times; i++) {
      let items = tryBatch(zone, HEADS)
      for (; items.length === 0; items = tryBatch(zone, HEADS)) memory.pause()
      const old = ([0, 1] as const).map((head) => {
        const item = items[head] as Item
        memory.poke(item, canary(head))
        use(memory, item)
        return memory.swap(headAt(head), item) as Item
      })
      for (const item of old) finish(memory, item)
      zone.zfreeSmrBatch(old)
    }
  }
}

/** None when they are not to be had. */
function tryBatch(zone: Zone, count: number): Item[] {
  try {
    return zone.zallocSmrBatch(count)
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_UMA_SMR_EXHAUSTED') return []
    throw error
  }
}

/** Unlinks the record and frees it. */
export function unlink(memory: Memory, zone: Zone, head: Head): void {
  free(memory, zone, memory.swap(headAt(head), 0))
}

function free(memory: Memory, zone: Zone, item: number): void {
  if (item === 0) return
  finish(memory, item)
  zone.zfreeSmr(item as Item)
}

// ---- scenarios --------------------------------------------------------------------------------

export interface Small {
  readonly stage?: Stage
  readonly zone?: ZoneOptions
  /** Heads that point to a record at the beginning. */
  readonly heads?: readonly Head[]
  readonly plain?: boolean
  readonly hooks?: (memory: Memory) => ZoneOptions
  readonly laws?: Laws
  /** Items that one who dies may have in its hands. Default: one. */
  readonly hands?: number
}

/** A scenario over one small zone, with all the laws in the end. */
export function zoneScene(
  lib: Library,
  name: string,
  threads: readonly Thread<undefined>[],
  small: Small,
  more: Partial<Scenario<undefined>> = {},
): Scenario<undefined> {
  const {
    stage = ZONE_STAGE,
    zone: options = {},
    heads = [],
    plain = false,
    laws = {},
    hands = 1,
  } = small
  const hooks = (memory: Memory): ZoneOptions => small.hooks?.(memory) ?? {}
  return scenario<undefined>({
    name,
    words: WORDS,
    setup(memory) {
      raise(lib, memory, stage, (arena) => {
        const smr = arena.smr(DOMAIN)
        const kind = plain ? {} : { smr }
        const shape = { ...SHAPE, ...options, ...kind, ...hooks(memory) }
        const zone = arena.zone(RECORDS, shape)
        for (const head of heads) replace(memory, zone, head)
      })
      return undefined
    },
    threads,
    final(memory, _results, { dead }) {
      const missed = memory.load(MISSED)
      if (missed > dead.length) throw new Error(`${missed} items were not destroyed`)
      const known = reachable(memory)
      checkArena(lib, memory, {
        mayLeak: dead.length * hands,
        ...laws,
        hooks: hooks(memory),
        reachable: known,
      })
    },
    rules: { bound: 2 },
    ...more,
  })
}
