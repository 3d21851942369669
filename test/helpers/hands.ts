/**
 * Hands on the clock: a test reads and sets the words of a domain that only the clock and its
 * readers should write, to bring about in one line what would take a billion steps or a sleep.
 */

import { MAX_DELTA, type Seq } from '#src/base/seq.ts'
import { DomainWords, ReaderWords } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import type { Smr } from '#src/smr/domain.ts'

export class Hands {
  readonly wrAt: number
  readonly rdAt: number
  readonly step: number
  private readonly smr: Smr
  private readonly memory: Memory

  constructor(smr: Smr) {
    this.smr = smr
    this.memory = smr.space.memory
    this.wrAt = smr.address + DomainWords.wr
    this.rdAt = smr.address + DomainWords.rd
    this.step = this.memory.peek(smr.address + DomainWords.step)
  }

  get wr(): number {
    return this.memory.load(this.wrAt)
  }

  set wr(to: number) {
    this.memory.store(this.wrAt, to)
  }

  get rd(): number {
    return this.memory.load(this.rdAt)
  }

  set rd(to: number) {
    this.memory.store(this.rdAt, to)
  }

  /** Address of the word that a worker's sections are published in. */
  seqAt(worker: number): number {
    return this.smr.address + DomainWords.WORDS + worker * ReaderWords.WORDS + ReaderWords.seq
  }

  seq(worker: number): number {
    return this.memory.load(this.seqAt(worker))
  }

  publish(worker: number, seq: number): void {
    this.memory.store(this.seqAt(worker), seq)
  }

  /** `by` steps later than `from`, round the circle. */
  later(from: number, by: number): Seq {
    return ((from + by * this.step) | 0) as Seq
  }

  /** Sets the write hand so that so many more steps reach the wrap limit. */
  nearLimit(steps: number): void {
    this.wr = (this.rd + Math.floor(MAX_DELTA / this.step - steps) * this.step) | 0
  }
}
