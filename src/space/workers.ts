/**
 * Worker slots: which workers are attached to this arena, and under which numbers.
 *
 * A kernel indexes its per-CPU state by CPU number; here each attachment claims a slot, and that is
 * its number for life. A thread may attach more than once; each attachment counts as a worker of
 * its own. Slots are reused, so a slot number alone does not name a worker: the generation of the
 * slot does too, and it rises every time the slot changes hands.
 *
 * Two facts follow from the generation. A lock word with a token of an older generation was left by
 * a worker that is gone. And no action in the name of a dead worker can be mistaken for one of its
 * successor.
 *
 * The generation is the one word that says what a slot is, and each change is one step of it. (An
 * owner word is *of* a generation if it was written in it.)
 *
 *   even, owner word of an earlier generation   free         claim: CAS of the owner word
 *   even, owner word of this generation         its worker   leave: generation + 2
 *   odd                                         gone         buried: generation + 1 (CAS)
 *                                                            reaped: generation + 1
 *
 * To *bury* a worker is to declare it gone [B]: a CAS from the generation in which it was seen. Two
 * cases: the generation still stands, then from this store on the worker is gone for everybody, and
 * its locks may be taken over; or the worker has been buried, has left, or has a successor, then
 * the CAS fails and nothing happens. Otherwise (by the number of the slot, or of the thread) a
 * second reaper that was descheduled could bury the successor, which is alive. What is buried is
 * reaped with the directory locked, by one worker at a time; if the reaper dies or throws, the
 * generation stays odd, and the next one continues.
 *
 * Pollers load `active`, one bit per attached slot, and scan only those slots: idle ones cost
 * nothing. A worker sets its bit before it first enters a section [A]. Against a poller's load:
 *   if our bit comes first, the poller sees it and loads our section word;
 *   if the load comes first, it came after the poller's load of the write hand, so any section that
 *   we enter afterwards loads a write hand at least as late as the poller's, and cannot find what
 *   was unlinked before it.
 *   Otherwise (a bit set after the first section) a poller would reuse what that section reads.
 *
 * Supervision is in shared memory too, so that every worker knows of it: a list of which worker
 * (the *warden*) supervises which thread (its *ward*). Each slot has room for one element of that
 * list, about any two workers.
 */

import { Misuse } from '../base/errors.ts'
import { UNKNOWN_THREAD } from '../base/host.ts'
import { Header, LABEL_WORDS, MAX_WORKERS, WorkerSlot } from '../memory/layout.ts'
import { BYTES_PER_WORD, type Memory } from '../memory/memory.ts'
import { packText, unpackText } from '../memory/utf8.ts'
import { Claim } from './claims.ts'

/**
 * A token: bit 0 is the sleepers' bit of a lock, then slot + 1, then low bits of the generation.
 */
const SLOT_SHIFT = 1
const GENERATION_SHIFT = 10
const SLOT_MASK = (1 << (GENERATION_SHIFT - SLOT_SHIFT)) - 1
const GENERATION_MASK = (1 << 21) - 1
const SLOTS_PER_WORD = 32

/**
 * An owner word: low bits of the generation above those of the thread's number + 1, 0 for an
 * unknown thread. Threads whose numbers differ by 2^23 - 1 are taken for one; no process makes that
 * many.
 */
const THREAD_BITS = 23
const THREADS = 2 ** THREAD_BITS - 1
const OWNER_GENERATIONS = 2 ** (31 - THREAD_BITS)

const NOBODY = 0
const UNTOLD = 0

/** A worker: its slot with the generation in which it was seen. */
export interface Seen {
  readonly slot: number
  readonly generation: number
}

export class Workers {
  readonly max: number
  private readonly memory: Memory
  private readonly at: number

  constructor(memory: Memory, at: number, max: number) {
    this.memory = memory
    this.at = at
    this.max = max
  }

  // ---- coming and going --------------------------------------------------------------------

  /**
   * Claims a free slot, and records it in `claim`. Misuse when there is none: more workers than the
   * arena was made for.
   */
  claim(call: string, thread: number, claim: Claim = new Claim()): number {
    const { memory, max } = this
    for (let slot = 0; slot < max; slot++) {
      const at = this.address(slot) + WorkerSlot.owner
      // The owner first. If the CAS succeeds nobody has claimed the slot since this load; so it was
      // free when the generation was loaded, and stays of this generation until somebody claims it.
      // Otherwise (the generation first) the owner may be of a later one, and two have the slot.
      const seen = memory.load(at)
      const generation = this.generation(slot)
      if (!isEven(generation) || isOf(seen, generation)) continue
      const owner = ownerOf(generation, thread)
      claim.workers = this
      claim.generation = generation
      if (memory.cas(at, seen, owner) !== seen) continue
      claim.slot = slot
      memory.store(this.address(slot) + WorkerSlot.heir, NOBODY)
      memory.or(this.activeWord(slot), bitOf(slot)) // [A]
      return slot
    }
    const gone = this.unreaped().map((seen) => this.nameOf(seen))
    const which = gone.length === 0 ? '' : ` (workers ${gone.join(', ')} are gone and not reaped)`
    throw new Misuse(
      `${call}: all ${max} worker slots are taken${which}; detach or reap one, or create the arena with a larger maxWorkers`,
      { maxWorkers: max },
    )
  }

  /**
   * Gives the slot back: for the worker of `generation`, or for its reaper if that is odd. The
   * caller has cleared its section words and emptied its caches. False when the slot is another's
   * by now.
   */
  release(slot: number, generation: number = this.generation(slot)): boolean {
    const { memory } = this
    if (this.generation(slot) !== generation) return false
    memory.and(this.activeWord(slot), ~bitOf(slot))
    return this.step(slot, generation, isEven(generation) ? 2 : 1)
  }

  /**
   * Declares the worker of `generation` gone [B]; any worker may then reap it. False when that was
   * done before, or the slot is another's by now.
   */
  bury({ slot, generation }: Seen): boolean {
    return (
      isOf(this.owner(slot), generation) && isEven(generation) && this.step(slot, generation, 1)
    )
  }

  /**
   * Makes the worker with `token` the one that reaps this one (its *heir*). Undefined when there is
   * nothing to reap, or a living worker has set out to do it.
   *
   * The heir's word only keeps two workers from reaping one after the other; what is safe rests on
   * the lock of the directory, under which the second one finds that the worker is not buried any
   * more. But the heir's token must not stay in the word: if the successor of the dead worker is
   * buried in turn, others would leave it to that heir as long as it lives.
   */
  beginReap(slot: number, token: number, generation = this.generation(slot)): Seen | undefined {
    const { memory } = this
    const at = this.address(slot) + WorkerSlot.heir
    if (isEven(generation)) {
      if (!this.bury({ slot, generation })) return undefined
      memory.store(at, token)
      return { slot, generation: (generation + 1) | 0 }
    }
    const heir = memory.load(at)
    if (heir !== token && !this.isGone(heir)) return undefined
    if (memory.cas(at, heir, token) !== heir) return undefined
    if (this.isBuried({ slot, generation })) return { slot, generation }
    // It was reaped meanwhile: we must not be the heir of its successor.
    this.cancelReap({ slot, generation }, token)
    return undefined
  }

  /** The heir does not reap it after all: any worker may. */
  cancelReap({ slot }: Seen, token: number): void {
    this.memory.cas(this.address(slot) + WorkerSlot.heir, token, NOBODY)
  }

  /** Whether the worker is gone, and not reaped yet. */
  isBuried({ slot, generation }: Seen): boolean {
    return !isEven(generation) && this.generation(slot) === generation
  }

  /** Whether the worker that had the slot is gone, and not reaped yet. */
  isDead(slot: number): boolean {
    return !isEven(this.generation(slot))
  }

  /** Workers that are gone, without a living heir. */
  unreaped(): Seen[] {
    const all = this.all().map((slot) => ({ slot, generation: this.generation(slot) }))
    return all.filter(({ slot, generation }) => {
      if (isEven(generation)) return false
      return this.isGone(this.memory.load(this.address(slot) + WorkerSlot.heir))
    })
  }

  // ---- who has a slot ------------------------------------------------------------------------

  generation(slot: number): number {
    return this.memory.load(this.address(slot) + WorkerSlot.generation)
  }

  /** Workers of a thread, as the host numbers it. */
  claimedBy(thread: number): Seen[] {
    return this.claimed().filter(({ slot, generation }) => {
      return this.owner(slot) === ownerOf(generation, thread)
    })
  }

  /** Whether the worker in the slot is one of this thread's. */
  isOfThread(slot: number, thread: number): boolean {
    return this.claimedBy(thread).some((each) => each.slot === slot)
  }

  /** Whether the slot is in use: attached, attaching, leaving, or to be reaped. */
  isClaimed(slot: number): boolean {
    const generation = this.generation(slot)
    return !isEven(generation) || isOf(this.owner(slot), generation)
  }

  isAttached(slot: number): boolean {
    return (this.memory.load(this.activeWord(slot)) & bitOf(slot)) !== 0
  }

  /** Slots that are attached now, in order. */
  attached(): number[] {
    return this.all().filter((slot) => this.isAttached(slot))
  }

  /** The same without those that are gone, and not reaped yet. */
  living(): number[] {
    return this.attached().filter((slot) => isEven(this.generation(slot)))
  }

  /**
   * The id of the worker that has the slot now, or of the next one if it is gone. Each generation
   * has another id, so late news of a dead worker is not taken for news of its successor.
   */
  idOf(slot: number): number {
    return nameOf(slot, this.generation(slot))
  }

  /** The id of a worker that was seen. */
  nameOf({ slot, generation }: Seen): number {
    return nameOf(slot, isEven(generation) ? generation : generation - 1)
  }

  /**
   * The worker with this id, if the slot is still its own, or it has died and was not reaped yet.
   */
  named(workerId: number): Seen | undefined {
    const slot = workerId % MAX_WORKERS
    const generation = this.generation(slot)
    const alive = isEven(generation) ? generation : generation - 1
    return nameOf(slot, alive) === workerId ? { slot, generation } : undefined
  }

  /** The worker's token in lock words: never 0, different from every earlier owner of the slot. */
  token(slot: number): number {
    return tokenOf(slot, this.generation(slot))
  }

  /** Whether the worker with this token is gone, so that what it left may be taken over. */
  isGone(token: number): boolean {
    const slot = slotOf(token)
    return slot < 0 || slot >= this.max || this.token(slot) !== (token & ~1)
  }

  // ---- what a worker says of itself -----------------------------------------------------------

  /**
   * Writes down the label of the slot's worker, and the time. [N] The generation is stored last,
   * and there is one worker of it, which calls this once. Two cases for a reader that loads it
   * before and after the text: both are the generation of the slot, then the text between is that
   * worker's, complete; or not, then it is being written, or is that of an earlier worker, and the
   * reader drops it. Otherwise (only the load before) it could return the text of a successor.
   */
  introduce(slot: number, label: string): void {
    const { memory } = this
    const at = this.address(slot)
    const { bytes, packed } = packText(label, LABEL_WORDS)
    memory.store(at + WorkerSlot.told, UNTOLD)
    memory.store(at + WorkerSlot.since, clockWord(memory))
    memory.store(at + WorkerSlot.labelBytes, bytes)
    packed.forEach((word, i) => {
      memory.store(at + WorkerSlot.label + i, word)
    })
    memory.store(at + WorkerSlot.told, (this.generation(slot) + 1) | 0)
  }

  /** Its label, and how long it has been there; undefined while it is attaching. */
  introduced(slot: number): { label: string; forMs: number } | undefined {
    const { memory } = this
    const at = this.address(slot)
    const generation = this.generation(slot)
    // Odd, so that it is not 0, as the words of a fresh arena are.
    const told = isEven(generation) ? (generation + 1) | 0 : generation
    if (memory.load(at + WorkerSlot.told) !== told) return undefined
    const forMs = (clockWord(memory) - memory.load(at + WorkerSlot.since)) >>> 0
    const bytes = Math.min(memory.load(at + WorkerSlot.labelBytes), LABEL_WORDS * BYTES_PER_WORD)
    const label = unpackText(bytes, (i) => memory.load(at + WorkerSlot.label + i))
    return memory.load(at + WorkerSlot.told) === told ? { label, forMs } : undefined // [N]
  }

  /** The thread of the slot's worker, UNKNOWN_THREAD if its host did not say. */
  threadOf(slot: number): number {
    const low = this.owner(slot) & THREADS
    return low === 0 ? UNKNOWN_THREAD : low - 1
  }

  // ---- who supervises whom -------------------------------------------------------------------

  /** Notes that the worker with `token` supervises the thread. False: the list is full. */
  watch(token: number, thread: number): boolean {
    const { memory } = this
    for (const at of this.places()) {
      if (memory.load(at + WorkerSlot.warden) !== NOBODY) continue
      if (memory.cas(at + WorkerSlot.warden, NOBODY, token) !== NOBODY) continue
      memory.store(at + WorkerSlot.ward, thread + 1)
      return true
    }
    return false
  }

  /** The worker with `token` no longer supervises the thread. */
  unwatch(token: number, thread: number): void {
    const at = this.watches(token).find((each) => each.thread === thread)?.at
    if (at === undefined) return
    this.memory.store(at + WorkerSlot.ward, 0)
    this.memory.store(at + WorkerSlot.warden, NOBODY)
  }

  /** Threads that the worker supervises, or did when it died. */
  wardsOf(token: number): number[] {
    // -1: it died before it had written which thread it was about.
    return this.watches(token)
      .map(({ thread }) => thread)
      .filter((thread) => thread >= 0)
  }

  /** The worker no longer supervises any thread. */
  unwatchAll(token: number): void {
    for (const { at } of this.watches(token)) {
      this.memory.store(at + WorkerSlot.ward, 0)
      this.memory.store(at + WorkerSlot.warden, NOBODY)
    }
  }

  /** From now on `to` supervises what `from` did. Called by `from`, or when it is gone. */
  handOver(from: number, to: number): void {
    for (const { at } of this.watches(from)) this.memory.store(at + WorkerSlot.warden, to)
  }

  /** The slot of a living worker that supervises the one in this slot; undefined if none does. */
  wardenOf(slot: number): number | undefined {
    const { memory } = this
    const generation = this.generation(slot)
    const owner = this.owner(slot)
    for (const at of this.places()) {
      const warden = memory.load(at + WorkerSlot.warden)
      const ward = memory.load(at + WorkerSlot.ward)
      if (warden === NOBODY || ward === 0 || owner !== ownerOf(generation, ward - 1)) continue
      if (!this.isGone(warden)) return slotOf(warden)
    }
    return undefined
  }

  private watches(token: number): { at: number; thread: number }[] {
    const { memory } = this
    return this.places()
      .filter((at) => memory.load(at + WorkerSlot.warden) === token)
      .map((at) => ({ at, thread: memory.load(at + WorkerSlot.ward) - 1 }))
  }

  // ---- words ---------------------------------------------------------------------------------

  /** The word in which the slot's worker notes that runs of pages are reserved by it. */
  reservingAt(slot: number): number {
    return this.address(slot) + WorkerSlot.reserving
  }

  private step(slot: number, generation: number, by: number): boolean {
    const at = this.address(slot) + WorkerSlot.generation
    return this.memory.cas(at, generation, (generation + by) | 0) === generation
  }

  private claimed(): Seen[] {
    return this.all()
      .map((slot) => ({ slot, generation: this.generation(slot) }))
      .filter(({ generation }) => isEven(generation))
  }

  private all(): number[] {
    return Array.from({ length: this.max }, (_, slot) => slot)
  }

  private places(): number[] {
    return this.all().map((slot) => this.address(slot))
  }

  private owner(slot: number): number {
    return this.memory.load(this.address(slot) + WorkerSlot.owner)
  }

  private address(slot: number): number {
    return this.at + slot * WorkerSlot.WORDS
  }

  private activeWord(slot: number): number {
    return Header.active + Math.floor(slot / SLOTS_PER_WORD)
  }
}

/** The owner word of a slot that a thread has claimed in this generation. */
export function ownerOf(generation: number, thread: number): number {
  const low = thread === UNKNOWN_THREAD ? 0 : 1 + (thread % THREADS)
  return ageOf(generation) * 2 ** THREAD_BITS + low
}

/** Whether the owner word was written in this generation. */
function isOf(owner: number, generation: number): boolean {
  return owner >>> THREAD_BITS === ageOf(generation)
}

/** Not 0 in the first generation, since the owner words of a fresh arena are 0. */
function ageOf(generation: number): number {
  return ((generation >>> 1) + 1) % OWNER_GENERATIONS
}

function isEven(generation: number): boolean {
  return (generation & 1) === 0
}

/** The id of the worker of this generation, or of the next one if it is odd. */
function nameOf(slot: number, generation: number): number {
  return (((generation + 1) >>> 1) & GENERATION_MASK) * MAX_WORKERS + slot
}

/** The token of the worker of this generation. */
export function tokenOf(slot: number, generation: number): number {
  return ((generation & GENERATION_MASK) << GENERATION_SHIFT) | ((slot + 1) << SLOT_SHIFT)
}

export function slotOf(token: number): number {
  return ((token >> SLOT_SHIFT) & SLOT_MASK) - 1
}

/** Milliseconds on a circle of 2^32: 49 days. */
function clockWord(memory: Memory): number {
  return Math.floor(memory.now()) | 0
}

function bitOf(slot: number): number {
  return 1 << (slot % SLOTS_PER_WORD)
}
