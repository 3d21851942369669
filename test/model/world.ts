/**
 * What the scenarios of the floors share: workers with their handles, a board that is not part of
 * the arena, and the laws that hold when all is over.
 *
 * The board is a few words behind the arena's last. Threads keep there what a program keeps in
 * structures of its own: heads of lists, the items they hold, how often a destructor has run. So a
 * final check knows which items somebody can reach, whatever became of the threads.
 */

import { HEAP_ZONE } from '#src/heap/heap.ts'
import type { Arena, Item, Smr, Zone, ZoneOptions } from '#src/index.ts'
import {
  DepotWords,
  DomainWords,
  Entry,
  Header,
  HeapWords,
  KegWords,
  Named,
  ReaderWords,
  zoneParts,
} from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import type { Control } from './history.ts'
import { join, type Library, SMALL, type Stage } from './stage.ts'

export const DOMAIN = 'domain'
export const RECORDS = 'records'

/** Four slots: three threads, and the final check. */
export const ZONE_STAGE: Stage = { ...SMALL, maxWorkers: 4 }
export const CHECKED_STAGE: Stage = { ...ZONE_STAGE, checks: true }

/** Steps so large that a few retires go round the circle, and meet the wrap guard. */
export const WRAP_STAGE: Stage = {
  ...ZONE_STAGE,
  sequence: { first: 2 ** 31 - 300_000_001, step: 170_000_000 },
}

/** The board: as many words as a scenario may want, in lines of their own. */
const BOARD_WORDS = 2 ** 9
export const BOARD: number = SMALL.words
export const WORDS: number = SMALL.words + BOARD_WORDS
const LINE = 16

/** Word 0 of line `line` of the board: no other line's words are near. */
export function boardAt(line: number): number {
  return BOARD + line * LINE
}

/** A worker with everything that most scenarios use. */
export interface Worker {
  readonly arena: Arena
  readonly smr: Smr
  readonly zone: Zone
}

/** Attaches a worker, who opens the domain and the zone. Call it in `prepare`. */
export function hire(lib: Library, memory: Memory, hooks: ZoneOptions = {}): Worker {
  const arena = join(lib, memory)
  return { arena, smr: arena.smr(DOMAIN), zone: arena.zone(RECORDS, hooks) }
}

/** Reaps a slot as `arena.reap` does, which refuses slots of its own thread: here all are. */
export function reap(lib: Library, arena: Arena, slot: number): boolean {
  return lib.reapSlot(arena.space, slot).reaped
}

/** What a final check is told. */
export interface Laws {
  /** Hooks and the like, which every opener of a zone has to bring. */
  readonly hooks?: ZoneOptions
  /** Items of the zone `RECORDS` that somebody can reach. */
  readonly reachable?: readonly number[]
  /** Blocks of heaps that somebody can reach. */
  readonly blocks?: readonly number[]
  /** How many items may be neither free nor reachable: one for each worker that died. */
  readonly mayLeak?: number
  /** Reap everybody, reclaim everything: then every item is in its slab, live or lost. */
  readonly thorough?: boolean
}

/** Throws unless the arena is in order: every lock free, every page and every item in one place. */
export function checkArena(lib: Library, memory: Memory, laws: Laws = {}): void {
  const arena = join(lib, memory)
  checkLocks(arena)
  const { space } = arena
  if (laws.thorough) {
    for (const slot of space.workers.attached()) if (slot !== space.slot) reap(lib, arena, slot)
  }
  for (const { kind, name, address } of space.directory.list()) {
    if (kind === Named.zone && !name.startsWith(HEAP_ZONE)) checkItems(arena, name, laws)
    else if (kind === Named.heap) checkHeap(arena, name, laws)
    else if (kind === Named.domain) checkSections(arena, name, address)
  }
  lib.checkPages(memory, space.pages)
  // What is being made belongs to whoever makes it, and nobody does any more.
  const reserved = space.pages.runs().filter((run) => run.state === 'reserved').length
  if (laws.thorough && reserved > 0) throw new Error(`${reserved} runs are reserved for ever`)
}

function checkItems(arena: Arena, name: string, laws: Laws): void {
  const ours = name === RECORDS
  const zone = arena.zone(name, ours ? laws.hooks : {})
  zone.check()
  const reachable = ours ? (laws.reachable ?? []) : []
  const lost = zone.audit(reachable as Item[]).leaked.length
  const { live } = zone.stats()
  if (live !== reachable.length + lost) {
    throw new Error(`zone ${name}: ${live} live, ${reachable.length} reachable, ${lost} lost`)
  }
  if (lost > (laws.mayLeak ?? 0)) throw new Error(`zone ${name}: ${lost} items are lost`)
  if (!laws.thorough) return
  zone.reclaim('all', { timeoutMs: 0 })
  const { remaining } = zone.reclaim('all', { timeoutMs: 0 })
  if (remaining > 0) throw new Error(`zone ${name}: ${remaining} free items cannot be reclaimed`)
  zone.check()
  if (zone.stats().live !== live) throw new Error(`zone ${name}: reclaiming changed what is live`)
}

function checkHeap(arena: Arena, name: string, laws: Laws): void {
  const heap = arena.heap(name)
  heap.check()
  const reachable = laws.blocks ?? []
  const lost = heap.audit(reachable as Item[]).leaked.length
  const { blocks } = heap.stats()
  if (blocks !== reachable.length + lost)
    throw new Error(`heap ${name}: ${blocks} live, ${reachable.length} reachable, ${lost} lost`)
  if (lost > (laws.mayLeak ?? 0)) throw new Error(`heap ${name}: ${lost} blocks are lost`)
  if (!laws.thorough) return
  heap.reclaim('all', { timeoutMs: 0 })
  heap.reclaim('all', { timeoutMs: 0 })
  const { pending } = heap.stats()
  if (pending > 0) throw new Error(`heap ${name}: ${pending} free blocks cannot be reclaimed`)
  heap.check()
}

function checkSections(arena: Arena, name: string, address: number): void {
  for (let slot = 0; slot < arena.space.maxWorkers; slot++) {
    const reader = address + DomainWords.WORDS + slot * ReaderWords.WORDS
    const seq = arena.memory.load(reader + ReaderWords.seq)
    if (seq !== 0) throw new Error(`domain ${name}: the section of worker ${slot} is still open`)
  }
}

/**
 * The turn ends, and the worker looks after what calls that were ended have left. What it reports is not
 * ours to print, and would be kept, schedule by schedule, until the process has a turn of its own.
 */
export function endTurn({ space }: Arena): void {
  quietly(() => space.watch.check())
}

/** What is lost, or was cut off, is said to the host; here it is so in every other schedule. */
export function quietly(action: () => void): void {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    action()
  } finally {
    process.emitWarning = emitWarning
  }
}

/** After a cut at once: a section that it has left open is closed by nobody else. */
export function endTurnIfCut(control: Control, arena: Arena): void {
  if (control.wasCut) endTurn(arena)
}

/** Throws when this worker holds a lock, or is in a section, which it should not be any more. */
export function assertHoldsNothing(memory: Memory, { arena: { space } }: { arena: Arena }): void {
  for (const word of lockWords(space.memory)) {
    const owner = memory.peekRacy(word) & ~1
    if (owner === space.locks.signature) throw new Error(`the survivor holds the lock at ${word}`)
  }
  for (const { kind, name, address } of space.directory.list()) {
    if (kind !== Named.domain) continue
    const reader = address + DomainWords.WORDS + space.slot * ReaderWords.WORDS
    if (memory.peekRacy(reader + ReaderWords.seq) === 0) continue
    throw new Error(`domain ${name}: the survivor's section is still open`)
  }
}

/** A lock that a living worker holds after all have ended would block everybody for ever. */
function checkLocks({ memory, space }: Arena): void {
  for (const word of lockWords(memory)) {
    const owner = memory.load(word)
    if (owner !== 0 && !space.workers.isGone(owner))
      throw new Error(`the lock at word ${word} is held for ever: ${owner}`)
  }
}

/** All locks there are. */
function lockWords(memory: Memory): number[] {
  const words = [Header.directoryLock, Header.pageLock, Header.tableLock]
  for (let i = 0; i < memory.peek(Header.names); i++) {
    const entry = memory.peek(Header.directoryAt) + i * Entry.WORDS
    const kind = memory.load(entry + Entry.kind)
    if (kind === Named.lock) words.push(entry + Entry.word)
    if (kind === Named.heap) words.push(memory.peek(entry + Entry.address) + HeapWords.lock)
    if (kind !== Named.zone) continue
    const parts = zoneParts(memory.peek(entry + Entry.address), memory.peek(Header.maxWorkers))
    words.push(parts.depot + DepotWords.lock)
    for (const keg of [parts.keg, parts.buckets]) words.push(keg + KegWords.lock)
  }
  return words
}
