/**
 * Queues to be walked while they are changed: what their scenarios share.
 *
 * Elements carry a key, and a queue's keys rise, so that a reader's walk is judged by itself: keys
 * must rise, those of elements that stay must all be there, and no others but those that come and go.
 * A removed element is reclaimed the hard way: its writer advances, polls until nobody can stand on
 * it, and scribbles over all its words plainly. A reader that still does is detected by the key and
 * by the race that its look then is.
 */

import type { Item, Smr, SmrQueue, SmrTailQ } from '#src/index.ts'
import type { Memory } from '#src/memory/memory.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'
import { DOMAIN, WORDS, ZONE_STAGE } from './world.ts'

/** A key, `next` and `prev`, and one word that no queue touches. */
const KEY = 0
const LINK = 1
const ITEM_WORDS = 4
const WORD_BYTES = 4
const SCRIBBLE = -1
const SPARES = 2
/** The lock that makes writers take turns where there are two. */
const WRITERS = 'writers'

export const KINDS = ['SmrSList', 'SmrList', 'SmrStailQ', 'SmrTailQ'] as const
export type Kind = (typeof KINDS)[number]

export function hasTail(kind: Kind): boolean {
  return kind === 'SmrStailQ' || kind === 'SmrTailQ'
}

/** Addresses only: the world is shared. */
export interface World {
  /** Heads of the two queues. */
  readonly heads: readonly number[]
  /** Elements by key, of either queue. */
  readonly elements: ReadonlyMap<number, Item>
  /** Items that are in no queue. */
  readonly spares: readonly Item[]
}

/** A worker in front of both queues. */
export class Hand {
  readonly smr: Smr
  readonly queue: SmrQueue
  readonly other: SmrQueue
  readonly arena: ReturnType<typeof join>
  private readonly memory: Memory
  private readonly world: World
  private spares = 0

  constructor(lib: Library, kind: Kind, memory: Memory, world: World) {
    this.arena = join(lib, memory)
    this.smr = this.arena.smr(DOMAIN)
    this.memory = memory
    this.world = world
    this.queue = queueAt(lib, kind, memory, world.heads[0])
    this.other = queueAt(lib, kind, memory, world.heads[1])
  }

  /** The element that had this key in the beginning. */
  element(key: number): Item {
    const item = this.world.elements.get(key)
    if (item === undefined) throw new Error(`no element has key ${key}`)
    return item
  }

  /** A new element: its words are written plainly, its publication has to carry them. */
  fresh(key: number, spare = this.spares++): Item {
    const item = this.world.spares[spare]
    if (item === undefined) throw new Error('no spare is left')
    this.memory.poke(item + KEY, key)
    return item
  }

  insertTail(item: Item): void {
    ;(this.queue as SmrTailQ).insertTail(item)
  }

  /** Uses removed elements again, when nobody can stand on them. */
  reclaim(...keys: number[]): void {
    const goal = this.smr.advance()
    while (!this.smr.poll(goal)) this.memory.pause()
    for (const key of keys) {
      const item = this.element(key)
      for (let i = 0; i < ITEM_WORDS; i++) this.memory.poke(item + i, SCRIBBLE)
    }
  }

  locked(fn: () => void): void {
    const lock = this.arena.lock(WRITERS)
    lock.lock()
    fn()
    lock.unlock()
  }

  /** The keys that a reader meets in one section. */
  walk(queue: SmrQueue): number[] {
    const keys: number[] = []
    this.smr.enter()
    for (let it = queue.enteredFirst(); it !== 0; it = queue.enteredNext(it)) {
      keys.push(this.memory.peek(it + KEY))
    }
    this.smr.exit()
    return keys
  }
}

function queueAt(lib: Library, kind: Kind, memory: Memory, head = 0): SmrQueue {
  return new lib[kind]({ memory }, { head, link: LINK })
}

// ---- threads ----------------------------------------------------------------------------------

/** What a walk may meet. */
export interface Sight {
  readonly must?: readonly number[]
  readonly may?: readonly number[]
  /** All of these or none. */
  readonly together?: readonly number[]
}

export function reader(lib: Library, kind: Kind, name: string, which: 0 | 1, sight: Sight) {
  return writer(lib, kind, name, (hand) => {
    judge(hand.walk(which === 0 ? hand.queue : hand.other), sight)
  })
}

export function writer(
  lib: Library,
  kind: Kind,
  name: string,
  body: (hand: Hand) => void,
): Thread<World> {
  return thread({
    name,
    prepare: (memory: Memory, world: World) => {
      const hand = new Hand(lib, kind, memory, world)
      hand.arena.lock(WRITERS)
      return hand
    },
    body: (_memory, _control, hand: Hand) => body(hand),
  })
}

function judge(keys: readonly number[], { must = [], may = [], together = [] }: Sight): void {
  const wrong = (what: string): Error => new Error(`a reader met ${keys.join(', ')}: ${what}`)
  for (const [i, key] of keys.entries()) {
    if (i > 0 && key <= (keys[i - 1] ?? 0)) throw wrong('not in order')
    if (![...must, ...may, ...together].includes(key)) throw wrong(`${key} was never there`)
  }
  for (const key of must) if (!keys.includes(key)) throw wrong(`${key} is missing`)
  const met = together.filter((key) => keys.includes(key)).length
  if (met > 0 && met < together.length) throw wrong('only some of what comes together')
}

// ---- scenarios --------------------------------------------------------------------------------

export interface Scene {
  readonly name: string
  /** Keys of the elements in either queue. */
  readonly queue: readonly number[]
  readonly other?: readonly number[]
  readonly threads: readonly Thread<World>[]
  /** Keys in the first queue in the end, in each order that is right. */
  readonly ends?: readonly (readonly number[])[]
}

export function queueScene(
  lib: Library,
  kind: Kind,
  { name, queue, other = [], threads, ends = [] }: Scene,
  more: Partial<Scenario<World>> = {},
): Scenario<World> {
  return scenario<World>({
    name: `${kind}: ${name}`,
    words: WORDS,
    setup: (memory) =>
      raise(lib, memory, ZONE_STAGE, (arena) => {
        arena.smr(DOMAIN)
        arena.lock(WRITERS)
        const zone = arena.zone('elements', { bytes: ITEM_WORDS * WORD_BYTES })
        const heads = [zone.zalloc(), zone.zalloc()]
        const elements = new Map<number, Item>()
        for (const [i, keys] of [queue, other].entries()) {
          const made = queueAt(lib, kind, memory, heads[i])
          made.init()
          for (const key of keys.toReversed()) {
            const item = zone.zalloc()
            memory.poke(item + KEY, key)
            elements.set(key, item)
            made.insertHead(item)
          }
        }
        return { heads, elements, spares: Array.from({ length: SPARES }, () => zone.zalloc()) }
      }),
    threads,
    final(memory, _results, { world }) {
      const made = queueAt(lib, kind, memory, world.heads[0])
      made.check()
      const keys = [...made.serialized()].map((item) => memory.peek(item + KEY)).join()
      if (ends.length > 0 && !ends.some((each) => each.join() === keys))
        throw new Error(`the queue holds ${keys}`)
    },
    describe(at, world) {
      for (const [key, item] of world.elements) {
        if (at >= item && at < item + ITEM_WORDS)
          return `element ${key}.${['key', 'next', 'prev'][at - item] ?? 'rest'}`
      }
      const head = world.heads.findIndex((each) => at === each || at === each + 1)
      if (head < 0) return undefined
      return `queue ${head}.${at === world.heads[head] ? 'first' : 'last'}`
    },
    ...more,
  })
}
