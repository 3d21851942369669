/**
 * The clock of a domain: how its two hands move, and how a section publishes what the write hand
 * shows. Nothing here waits or scans readers. *When* the write hand moves is in pace.ts.
 *
 * The write hand is moved by read-modify-writes only. So a load that returns s happens after
 * *every* advance up to s, because each of them read from the one before; and so after everything
 * that their callers had unlinked.
 *
 * The read hand is forwarded by a CAS whose expected value was read before the scan that justifies
 * it. FreeBSD reads it again, in a critical section; a worker may be descheduled anywhere.
 */

import { delta, forward, lt, MAX_DELTA, type Seq } from '../base/seq.ts'
import { NEAR } from '../memory/compound.ts'
import { DomainWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'

export class Clock {
  /** One step of the write hand; even, so that a sequence stays odd and is never 0. */
  readonly step: number
  private readonly memory: Memory
  private readonly wrAt: number
  private readonly rdAt: number

  constructor(memory: Memory, domain: number) {
    this.memory = memory
    this.step = memory.peek(domain + DomainWords.step)
    this.wrAt = domain + DomainWords.wr
    this.rdAt = domain + DomainWords.rd
  }

  wr(): Seq {
    return this.memory.load(this.wrAt) as Seq
  }

  rd(): Seq {
    return this.memory.load(this.rdAt) as Seq
  }

  /** The wrap guard: whether the hands are near enough for the write hand to move on. */
  hasRoom(): boolean {
    const rd = this.rd()
    return delta(this.wr(), rd) < MAX_DELTA
  }

  /**
   * [W] Moves the write hand one step and returns the new value: a goal. It orders four
   *     operations: the caller's unlink, this add, the load of the write hand in a reader's enter,
   *     and that reader's loads of pointers.
   *     If the reader's load returns our goal or later, it read from this add or from a later
   *     step: the unlink happens before the reader's loads, and it cannot find the item.
   *     If it returns less, the reader has published less, and the scan [S2] refuses the goal.
   *     Otherwise (a plain store, or a goal taken by a load) the unlink is not ordered at all.
   */
  advance(): Seq {
    return forward(this.memory.add(this.wrAt, this.step) as Seq, this.step)
  }

  /**
   * A goal so many steps ahead of the write hand, which does not move: another call or time has to
   * move it there. It is a read-modify-write although it adds nothing: the step that moves the
   * hand reads from it, so the caller's unlink happens before that step, as it would before an
   * advance.
   */
  ahead(steps: number): Seq {
    return forward(this.memory.add(this.wrAt, 0) as Seq, steps * this.step)
  }

  /**
   * Moves the write hand from `wr`, which was loaded before, to a goal ahead of it. False if the
   * hand had moved already. Two cases, as in [W]; a lost race does no harm, since another has moved
   * it.
   */
  commit(wr: Seq, goal: Seq): boolean {
    return lt(wr, goal) && this.memory.cas(this.wrAt, wr, goal) === wr
  }

  /**
   * [S3] Moves the read hand from `rd` to `candidate`, which a scan that began by reading `rd` has
   *      found. If the CAS succeeds, nobody has forwarded the hand since: the scan still holds.
   *      If it fails, another worker has, after a scan of its own.
   *      Otherwise (a store, or a CAS from a value read after the scan) a poller that was
   *      descheduled for half the circle could move the hand backwards, or past a reader.
   *      Assumption: between that first load and the CAS the hand does not go once round and stand
   *      where it stood: 2^31 steps. Clocks with giant steps break it as soon as two workers poll;
   *      let one worker poll them, or take smaller steps.
   */
  forwardRead(rd: Seq, candidate: Seq): void {
    if (lt(rd, candidate)) this.memory.cas(this.rdAt, rd, candidate)
  }
}

// Publishing what the write hand shows, for every kind of section.
//
// [R1] Load the write hand, store what it showed, load it again.
//      If a poller's load of our word [S2] comes after the store, it finds our section and refuses
//      every later goal. If it comes before, so did its load of the write hand, and our second load
//      returns its goal or later: all that was unlinked for that goal happens before our reads.
//      Otherwise (no second load) our plain reads are not ordered with anything, and may find a
//      record that a poller has declared unreachable. (FreeBSD PR 265974 was this.)
//
// The fenced enter in sections.ts is this function as one verb, `enterSection` of compound.ts, for
// speed. There it may be WebAssembly: its atomics are as strong as JavaScript's and in one order
// with them, so the argument is the same.

/**
 * Publishes in the word `at` what the write hand shows, and returns it.
 *
 * [I] The worker may be descheduled here, arbitrarily long, before its store. If what it publishes
 *     is then too old to compare with, it publishes once more. The hand only moves forward, so the
 *     distance is unsigned, measured all the way round: by its sign, more than half a circle would
 *     look like a step back, and a scan would take what we published for a sequence still to come,
 *     which holds nothing back.
 */
export function publish(memory: Memory, wrAt: number, at: number): Seq {
  for (let wr = memory.load(wrAt); ; ) {
    memory.store(at, wr)
    const again = memory.load(wrAt)
    if ((again - wr) >>> 0 <= NEAR) return wr as Seq
    wr = again
  }
}
