/**
 * Worker slots: who takes part in this arena, and under which number.
 *
 * A kernel indexes its per-CPU state by CPU number; workers have none, so each attachment claims a
 * slot and that is its number for life. A thread may attach more than once; each attachment counts
 * as a worker of its own. Slots are reused, so a slot number alone does not name a worker: the
 * slot's generation does, and it rises every time the slot changes hands.
 *
 * Two facts follow from the generation. A lock word that holds a token of an older generation was
 * left by a worker that is gone. And nothing done in the name of a dead worker can be mistaken for
 * a deed of its successor.
 *
 * Pollers ask `active`, one bit per attached slot, and look only at those: idle slots cost nothing.
 * A worker sets its bit before it first enters a section [A]. Against a poller's look at the bits:
 *   if our bit comes first, the poller sees it and looks at our section word;
 *   if the look comes first, it came after the poller's look at the write hand, so any section we
 *   enter afterwards loads a write hand at least as late as the poller's, and cannot find what was
 *   unlinked before it.
 *   Otherwise (a bit set after the first section) a poller would reuse what that section reads.
 */

import { Misuse } from '../errors.ts'
import { UNKNOWN_THREAD } from '../host.ts'
import { Header, MAX_WORKERS, Owner, WorkerSlot } from './layout.ts'
import type { Memory } from './memory.ts'

/** A lock word: bit 0 says somebody sleeps, then slot + 1, then the low bits of the generation. */
const SLOT_SHIFT = 1
const GENERATION_SHIFT = 10
const SLOT_MASK = (1 << (GENERATION_SHIFT - SLOT_SHIFT)) - 1
const GENERATION_MASK = (1 << 21) - 1
const SLOTS_PER_WORD = 32

export class Workers {
  readonly max: number
  private readonly memory: Memory
  private readonly at: number

  constructor(memory: Memory, at: number, max: number) {
    this.memory = memory
    this.at = at
    this.max = max
  }

  /** Claims a free slot. Misuse when there is none: more workers than the arena was made for. */
  claim(call: string, thread: number): number {
    const { memory, max } = this
    for (let slot = 0; slot < max; slot++) {
      const at = this.address(slot)
      if (memory.load(at + WorkerSlot.owner) !== Owner.free) continue
      if (memory.cas(at + WorkerSlot.owner, Owner.free, ownerOf(thread)) !== Owner.free) continue
      memory.or(this.activeWord(slot), bitOf(slot)) // [A]
      return slot
    }
    throw new Misuse(
      `${call}: all ${max} worker slots are taken; detach or reap one, or create the arena with a larger maxWorkers`,
      { maxWorkers: max },
    )
  }

  /** Gives the slot back. Its section words are 0 and its buckets are gone: the caller saw to it. */
  release(slot: number): void {
    const { memory } = this
    memory.and(this.activeWord(slot), ~bitOf(slot))
    memory.add(this.address(slot) + WorkerSlot.generation, 1)
    memory.store(this.address(slot) + WorkerSlot.owner, Owner.free)
  }

  /** Slots claimed by a thread, as the host numbers it. */
  claimedBy(thread: number): number[] {
    const owner = ownerOf(thread)
    return this.all().filter((slot) => this.owner(slot) === owner)
  }

  /** The number of the thread that claimed the slot; `UNKNOWN_THREAD` if nobody knows. */
  threadOf(slot: number): number {
    const owner = this.owner(slot)
    return owner >= Owner.firstThread ? owner - Owner.firstThread : UNKNOWN_THREAD
  }

  /** Whether the slot is anybody's: attached, attaching, leaving, or being reaped. */
  isClaimed(slot: number): boolean {
    return this.owner(slot) !== Owner.free
  }

  /**
   * Becomes the one who reaps the slot, in the name of the worker that signs with `token`. False
   * when somebody else is at it, or was faster. A reaper that died is taken over: every step of
   * reaping can be done twice.
   */
  beginReap(slot: number, token: number, from?: number): boolean {
    const { memory } = this
    const at = this.address(slot) + WorkerSlot.owner
    const seen = memory.load(at)
    if (from !== undefined && seen !== from && seen !== ~token) return false
    if (seen === Owner.free || seen === ~token) return seen === ~token
    if (seen < 0 && !this.isGone(~seen)) return false
    if (memory.cas(at, seen, ~token) !== seen) return false
    // From here on its locks are anybody's to take over.
    memory.add(this.address(slot) + WorkerSlot.generation, 1)
    return true
  }

  /** Slots that somebody was reaping who is gone himself. */
  abandoned(): { slot: number; owner: number }[] {
    return this.all()
      .map((slot) => ({ slot, owner: this.owner(slot) }))
      .filter(({ owner }) => owner < 0 && this.isGone(~owner))
  }

  private all(): number[] {
    return Array.from({ length: this.max }, (_, slot) => slot)
  }

  private owner(slot: number): number {
    return this.memory.load(this.address(slot) + WorkerSlot.owner)
  }

  isAttached(slot: number): boolean {
    return (this.memory.load(this.activeWord(slot)) & bitOf(slot)) !== 0
  }

  /** Slots that are attached now, in order. */
  attached(): number[] {
    return this.all().filter((slot) => this.isAttached(slot))
  }

  /**
   * The name of the worker that has the slot now: another one for each generation, so that a late
   * word about a dead worker is not taken for one about its successor.
   */
  idOf(slot: number): number {
    const generation = this.memory.load(this.address(slot) + WorkerSlot.generation)
    return (generation & GENERATION_MASK) * MAX_WORKERS + slot
  }

  /** How this worker signs lock words: never 0, different from every earlier owner of the slot. */
  token(slot: number): number {
    const generation = this.memory.load(this.address(slot) + WorkerSlot.generation)
    return ((generation & GENERATION_MASK) << GENERATION_SHIFT) | ((slot + 1) << SLOT_SHIFT)
  }

  /** Whether the worker that signed is gone, so that what it left behind may be taken over. */
  isGone(token: number): boolean {
    const slot = slotOf(token)
    return slot < 0 || slot >= this.max || this.token(slot) !== (token & ~1)
  }

  private address(slot: number): number {
    return this.at + slot * WorkerSlot.WORDS
  }

  private activeWord(slot: number): number {
    return Header.active + Math.floor(slot / SLOTS_PER_WORD)
  }
}

/** What the owner word of a slot claimed by this thread says. */
export function ownerOf(thread: number): number {
  return thread === UNKNOWN_THREAD ? Owner.unknownThread : thread + Owner.firstThread
}

export function slotOf(token: number): number {
  return ((token >> SLOT_SHIFT) & SLOT_MASK) - 1
}

function bitOf(slot: number): number {
  return 1 << (slot % SLOTS_PER_WORD)
}
