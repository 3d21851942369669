/**
 * A small heap: an arena with room for two large blocks, and a board behind it.
 *
 * The witnesses are those of zones (zoneStage.ts). A reader follows a head in a section and reads
 * the block's canary plainly; whoever holds a block writes to it plainly. So a block that is used
 * again too early, or that two hold, is a race.
 */

import type { Arena, Heap, Item } from '#src/index.ts'
import type { Memory } from '#src/memory/memory.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise, type Stage } from './stage.ts'
import {
  assertHoldsNothing,
  checkArena,
  DOMAIN,
  endTurn,
  endTurnIfCut,
  reap,
  ZONE_STAGE,
} from './world.ts'

export const BLOCKS = 'blocks'
/** Room for two runs of 16 pages, which begin at multiples of 16 pages, and for the rest. */
const HEAP_STAGE: Stage = { ...ZONE_STAGE, words: 2 ** 16 }
const LINE = 16
const LINES = 8
const WORDS = HEAP_STAGE.words + LINES * LINE
/** The smallest block that is a run of pages. */
export const LARGE: number = 2 ** 15 + 1
/** So large that a slab has three: few steps to make one. */
export const SMALL_BLOCK = 1024
const CANARY = 1000
const HANDS = 3

/** What a thread does with the heap. */
export type HeapBody = (it: HeapWorker) => void

/** A worker of the heap, and its hand: a line of the board with the blocks that it holds. */
export class HeapWorker {
  readonly memory: Memory
  readonly heap: Heap
  readonly arena: Arena
  private readonly hand: number

  constructor(lib: Library, memory: Memory, number: number) {
    this.memory = memory
    this.arena = join(lib, memory)
    this.heap = this.arena.heap(BLOCKS)
    this.hand = lineAt(1 + number)
  }

  /** Follows the head, in a section. */
  look(): void {
    const { memory } = this
    this.arena.smr(DOMAIN).read(() => {
      const block = memory.load(HEAD)
      if (block === 0) return
      const value = memory.peek(block)
      if (value !== CANARY) throw new Error(`a reader found ${value}`)
    })
  }

  /** Puts another block where the head points to, and frees the old one. */
  replace(bytes: number): boolean {
    const { heap, memory } = this
    const block = heap.tryAllocSmr(bytes)
    if (block === 0) return false
    memory.poke(block, CANARY)
    const old = memory.swap(HEAD, block)
    if (old !== 0) heap.freeSmr(old as Item)
    return true
  }

  unlink(): void {
    const old = this.memory.swap(HEAD, 0)
    if (old !== 0) this.heap.freeSmr(old as Item)
  }

  /** Takes a block into the hand. False: there is none. */
  take(bytes: number): boolean {
    const { heap, memory } = this
    const block = heap.domain === undefined ? heap.tryAlloc(bytes) : heap.tryAllocSmr(bytes)
    if (block === 0) return false
    const free = this.places().find((at) => memory.peek(at) === 0)
    if (free === undefined) throw new Error('a hand is full')
    memory.poke(block, this.hand)
    memory.poke(free, block)
    return true
  }

  /** Frees the block that was taken last. */
  drop(): boolean {
    const { heap, memory } = this
    const last = this.places().findLast((at) => memory.peek(at) !== 0)
    if (last === undefined) return false
    const block = memory.peek(last) as Item
    if (memory.peek(block) !== this.hand) throw new Error(`somebody wrote to block ${block}`)
    memory.poke(last, 0)
    if (heap.domain === undefined) heap.free(block)
    else heap.freeSmr(block)
    return true
  }

  /** Takes all blocks there are, or so many, and frees them. Answers how many. */
  work(bytes: number, most: number): number {
    let taken = 0
    // Twice: the first time, what was pending may have been asked about too early.
    for (let round = 0; round < 2; round++) while (taken < most && this.take(bytes)) taken++
    while (this.drop());
    return taken
  }

  private places(): number[] {
    return Array.from({ length: LINE - 1 }, (_, i) => this.hand + i)
  }
}

function lineAt(line: number): number {
  return HEAP_STAGE.words + line * LINE
}
const HEAD = lineAt(0)

/** What the board says somebody can reach. */
function reachable(memory: Memory): number[] {
  const all = [memory.load(HEAD)]
  for (let at = lineAt(1); at < lineAt(1 + HANDS); at++) all.push(memory.peek(at))
  return all.filter((block) => block !== 0)
}

/** A thread with a hand of its own. */
export function heapThread(
  lib: Library,
  name: string,
  number: number,
  body: HeapBody,
  more: { first?: HeapBody; after?: string } = {},
): Thread<undefined> {
  const { after, first } = more
  return {
    ...thread({
      name,
      prepare(memory: Memory): HeapWorker {
        const hired = new HeapWorker(lib, memory, number)
        first?.(hired)
        return hired
      },
      body: (_memory: Memory, _control, hired: HeapWorker) => body(hired),
    }),
    ...(after === undefined ? {} : { after }),
  }
}

export interface HeapScene {
  readonly plain?: boolean
  /** What there is at the head in the beginning: a block of so many bytes. */
  readonly head?: number
  readonly thorough?: boolean
  readonly mayLeak?: number
}

/** A scenario over one small heap, with all the laws in the end. */
export function heapScene(
  lib: Library,
  name: string,
  threads: readonly Thread<undefined>[],
  { plain = false, head = 0, thorough = false, mayLeak = 0 }: HeapScene,
  more: Partial<Scenario<undefined>> = {},
): Scenario<undefined> {
  return scenario<undefined>({
    name,
    words: WORDS,
    setup(memory) {
      raise(lib, memory, HEAP_STAGE, (arena) => {
        const smr = arena.smr(DOMAIN)
        const heap = arena.heap(BLOCKS, plain ? {} : { smr })
        if (head === 0) return
        const block = heap.allocSmr(head)
        memory.poke(block, CANARY)
        memory.store(HEAD, block)
      })
      return undefined
    },
    threads,
    final(memory, _results, { dead }) {
      checkArena(lib, memory, {
        blocks: reachable(memory),
        mayLeak: mayLeak + dead.length,
        thorough,
      })
    },
    rules: { bound: 2 },
    ...more,
  })
}

// ---- deaths and exceptions --------------------------------------------------------------------

/** What somebody does who dies in it, or survives an exception. */
export interface HeapAction extends HeapScene {
  readonly name: string
  readonly body: HeapBody
  readonly first?: HeapBody
  /** Blocks of this size are what the heir wants. */
  readonly bytes: number
  /** How many of them there are, when all is in order. */
  readonly all: number
  /** A worker beside the two. */
  readonly other?: HeapBody
}

const VICTIM_SLOT = 0

/** Kill `victim`. The heir reaps it, and wants every block there is but one. */
export function heapDeath(lib: Library, action: HeapAction): Scenario<undefined> {
  const { all, body, bytes, first, name, other } = action
  const threads = [
    heapThread(lib, 'victim', 0, body, first === undefined ? {} : { first }),
    heapThread(
      lib,
      'heir',
      1,
      (it) => {
        reap(lib, it.arena, VICTIM_SLOT)
        // Beside a third worker what it holds is not for us to read.
        const known = other === undefined ? reachable(it.memory).length : 0
        const taken = it.work(bytes, all)
        if (other !== undefined || taken + known + 1 >= all) return
        throw new Error(`of ${all} blocks ${taken} are to be had, and ${known} are in use`)
      },
      { after: 'victim' },
    ),
    ...(other === undefined ? [] : [heapThread(lib, 'other', 2, other)]),
  ]
  const bound = other === undefined ? 0 : 1
  return heapScene(
    lib,
    name,
    threads,
    { ...action, thorough: true },
    {
      rules: { bound, maxVerbs: 30_000 },
    },
  )
}

/** Let a call of `survivor` throw. It goes on, leaves, and the heir wants every block but one. */
export function heapThrow(lib: Library, action: HeapAction): Scenario<undefined> {
  const { all, body, bytes, first, mayLeak = 1, name } = action
  const survivor = thread({
    name: 'survivor',
    prepare(memory: Memory): HeapWorker {
      const hired = new HeapWorker(lib, memory, 0)
      first?.(hired)
      return hired
    },
    body(memory: Memory, control, hired: HeapWorker) {
      control.attempt(() => body(hired))
      endTurnIfCut(control, hired.arena)
      hired.work(bytes, all)
      endTurn(hired.arena)
      assertHoldsNothing(memory, hired)
      hired.arena.detach()
    },
  })
  const heir = heapThread(
    lib,
    'heir',
    1,
    (it) => {
      const known = reachable(it.memory).length
      const taken = it.work(bytes, all)
      if (taken + known + 1 < all) throw new Error(`of ${all} blocks ${taken} are to be had`)
    },
    { after: 'survivor' },
  )
  return heapScene(
    lib,
    name,
    [survivor, heir],
    { ...action, thorough: true, mayLeak },
    {
      rules: { bound: 0, maxVerbs: 30_000 },
    },
  )
}
