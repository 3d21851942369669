/**
 * The scan over the readers' words: what have open sections observed? It only loads.
 *
 * The order of the loads is the algorithm: first the read hand, then the write hand, then the bits
 * of attached workers, then each worker's word. So the write hand that bounds the candidate is
 * older than every load of a reader's word, and a reader that was found outside will, when it
 * enters, load a write hand at least as late as ours.
 */

import { INVALID, lt, type Seq } from '../base/seq.ts'
import { Header, MAX_WORKERS, ReaderWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'

const SLOTS_PER_WORD = 32
const NOBODY = -1

export class Readers {
  private readonly memory: Memory
  private readonly at: number
  private readonly maskWords: number
  private readonly sleepable: boolean
  /** Slot of the reader whose section bounded the last scan; `NOBODY` if none did. */
  holder = NOBODY

  /** `sleepable`: each reader has a second word, the oldest of its async sections. */
  constructor(memory: Memory, at: number, maxWorkers: number, sleepable: boolean) {
    this.memory = memory
    this.sleepable = sleepable
    this.at = at
    this.maskWords = Math.ceil(Math.min(maxWorkers, MAX_WORKERS) / SLOTS_PER_WORD)
  }

  /** Address of one worker's words. */
  address(slot: number): number {
    return this.at + slot * ReaderWords.WORDS
  }

  /**
   * The oldest sequence that any open section has observed; `wr` if none is older. `rd` and `wr`
   * were loaded before this call, in that order.
   */
  oldest(rd: Seq, wr: Seq): Seq {
    const { memory } = this
    let candidate = wr
    this.holder = NOBODY
    for (let i = 0; i < this.maskWords; i++) {
      for (let bits = memory.load(Header.active + i); bits !== 0; bits &= bits - 1) {
        const slot = i * SLOTS_PER_WORD + (31 - Math.clz32(bits & -bits))
        const seq = this.observed(slot, rd)
        if (seq === INVALID || !lt(seq, candidate)) continue
        candidate = seq
        this.holder = slot
      }
    }
    return candidate
  }

  /**
   * What the open sections of one reader have observed, INVALID if there is none. A worker may
   * have a synchronous one and async ones open: the older of its two words counts.
   */
  observed(slot: number, rd: Seq): Seq {
    const at = this.address(slot)
    const seq = this.look(at + ReaderWords.seq, rd)
    if (!this.sleepable) return seq
    const other = this.look(at + ReaderWords.asyncSeq, rd)
    return other !== INVALID && (seq === INVALID || lt(other, seq)) ? other : seq
  }

  /**
   * [S2] Loads one word of a reader. The worker may have been descheduled between loading the
   *      write hand and publishing it [I]; what it then publishes can lie behind the read hand.
   *      Pinned to the read hand, it holds back all that is not yet reclaimed; what was reclaimed
   *      it cannot reach, by its second load [R1].
   *      Otherwise (not pinned) the candidate would fall behind the read hand and, half a circle
   *      later, look like the future.
   */
  private look(at: number, rd: Seq): Seq {
    const seq = this.memory.load(at) as Seq
    return seq !== INVALID && lt(seq, rd) ? rd : seq
  }

  /** Slots whose open sections keep `goal` from being met: for messages and stall reports. */
  holders(rd: Seq, goal: Seq, slots: readonly number[]): number[] {
    return slots.filter((slot) => {
      const seq = this.observed(slot, rd)
      return seq !== INVALID && lt(seq, goal)
    })
  }
}
