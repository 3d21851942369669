/**
 * How the two hands move. Nothing here waits, and nothing here looks at a reader. *When* the write
 * hand moves is another matter: see pace.ts.
 *
 * The write hand is moved by read-modify-writes only. That is what makes one load of it worth so
 * much: a load that returns s happens after *every* advance up to s, because each of them read from
 * the one before, and so after everything their callers had unlinked.
 *
 * The read hand is forwarded by a CAS whose expected value was read before the scan that justifies
 * it. FreeBSD re-reads it and relies on a critical section against long naps; a worker may nap
 * anywhere.
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
   * [W] Moves the write hand one step and returns where it now stands: a goal. Four operations:
   *     the caller's unlink, this add, a reader's load of the write hand in enter, that reader's
   *     loads of pointers.
   *     If the reader's load returns our goal or later, it read from this add or from one that did:
   *     the unlink happens before its loads, and it cannot find the item.
   *     If it returns less, the reader has published less, and the scan [S2] refuses the goal.
   *     Otherwise (a plain store, or a goal taken by a load) the unlink is ordered with nothing.
   */
  advance(): Seq {
    return forward(this.memory.add(this.wrAt, this.step) as Seq, this.step)
  }

  /**
   * A goal so many steps ahead of the write hand, without moving it: somebody or some time has to
   * move it there. Still a read-modify-write, although it adds nothing: whoever moves the hand
   * afterwards reads from it, so the caller's unlink happens before that step, as it would before
   * an advance.
   */
  ahead(steps: number): Seq {
    return forward(this.memory.add(this.wrAt, 0) as Seq, steps * this.step)
  }

  /**
   * Moves the write hand from `wr`, where it was seen, to a goal ahead of it; false if it had moved
   * already. Two cases, as in [W]: a lost race is no harm, for then somebody else has moved it.
   */
  commit(wr: Seq, goal: Seq): boolean {
    return lt(wr, goal) && this.memory.cas(this.wrAt, wr, goal) === wr
  }

  /**
   * [S3] Moves the read hand from `rd` to `candidate`, which a scan that began by reading `rd` has
   *      found. If the CAS succeeds, nobody has forwarded the hand since, and the scan still holds.
   *      If it fails, somebody else has, with a scan of his own.
   *      Otherwise (a store, or a CAS from a value read after the scan) a poller that napped for
   *      half the circle could move the hand backwards, or past a reader.
   *      Assumption: no nap between that first load and the CAS lasts so long that the hand goes
   *      round and stands, to the step, where it stood: 2^31 steps. Clocks with giant steps break
   *      it as soon as two workers poll; give them to one poller, or take smaller steps.
   */
  forwardRead(rd: Seq, candidate: Seq): void {
    if (lt(rd, candidate)) this.memory.cas(this.rdAt, rd, candidate)
  }
}

// Publishing what the write hand shows: the one action behind every kind of section.
//
// [R1] Load the write hand, store what it showed, load it again.
//      If a poller's look at our word [S2] comes after the store, it sees us and refuses every later
//      goal. If it comes before, so did its load of the write hand, and our second load returns its
//      goal or a later one: all that was unlinked for it happens before our reads.
//      Otherwise (no second load) our plain reads are ordered with nothing, and may find a record
//      that a poller has declared unreachable. (FreeBSD PR 265974 was this.)
//
// The fenced enter in sections.ts is this function in one verb, `enterSection` of memory/compound.ts,
// for speed. There it may be WebAssembly: its atomics are as strong as ours and in one order with
// them, and the second load is in the same call, so the argument is the same word for word.

/**
 * Publishes in the word `at` what the write hand shows, and returns it.
 *
 * [I] A worker may nap before its store for so long that what it publishes is too old to compare
 *     with: then once more. The hand only moves forward, so the distance is measured all the way
 *     round (unsigned): by its sign a nap of more than half a circle would look like a step back, and
 *     a scan would take what we published for a sequence still to come, which holds nothing back.
 */
export function publish(memory: Memory, wrAt: number, at: number): Seq {
  for (let wr = memory.load(wrAt); ; ) {
    memory.store(at, wr)
    const again = memory.load(wrAt)
    if ((again - wr) >>> 0 <= NEAR) return wr as Seq
    wr = again
  }
}
