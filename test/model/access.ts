/**
 * Reading and writing one word, with all that the model wants to know about it.
 *
 * The verbs come here when it is their turn. Each access is checked by the vector clocks, sees or
 * misses delayed stores, and leaves its mark: the writer's clock, a stamp, a change that wakes those
 * who spin. In setup, preparation and the final check (`engine.scheduled` is false) a word is
 * just a word.
 */

import type { Engine } from './engine.ts'
import type { ModelThread } from './thread.ts'

const WORD_BYTES = 4
const WORD_BITS = 32
const BYTE = 0xff
const BYTE_BITS = 8

/** Marks in `weak`: which atomics of a word are to be treated as plain ones. */
export const WEAK_STORE = 1
export const WEAK_LOAD = 2

export class Access {
  readonly words: Int32Array<ArrayBuffer>
  readonly weak: Uint8Array
  describe: (at: number) => string | undefined = () => undefined
  private readonly engine: Engine

  constructor(engine: Engine) {
    this.engine = engine
    this.words = engine.cells.words
    this.weak = new Uint8Array(this.words.length)
  }

  readAtomic(t: ModelThread, at: number): number {
    const { engine } = this
    const weakness = this.weakness(t, at)
    if (!engine.scheduled) return this.words[at] as number
    if ((weakness & WEAK_LOAD) !== 0) return this.readStale(t, at)
    const { clocks, cells } = engine
    if (weakness === 0) this.judge(t, at, 'atomic read', clocks.atomicRead(t.index, at))
    const value = this.visible(t, at)
    clocks.acquire(t.index, at)
    t.mix(cells.stamps[at] as number)
    return value
  }

  writeAtomic(t: ModelThread, at: number, value: number): void {
    const { engine } = this
    const { clocks, cells, buffers } = engine
    if (!engine.scheduled) {
      cells.write(at, value, 0, 0)
      return
    }
    // All earlier stores of this thread are ordered before whatever reads this one.
    if (buffers.total > 0) {
      buffers.drain(engine, t.index)
      buffers.reveal(engine, t.index, at)
    }
    if (this.weak[at] === 0) {
      this.judge(t, at, 'atomic write', clocks.atomicWrite(t.index, at))
    } else clocks.exemptWrite(t.index, at)
    if (engine.rules.hostile) engine.past.note(at, value, t.index)
    clocks.release(t.index, at)
    if (cells.write(at, value, t.stamp(), t.index + 1)) engine.changed(t)
  }

  mendByte(t: ModelThread, at: number, offset: number, value: number): void {
    const word = wordOf(at, offset)
    const shift = shiftOf(offset)
    const rest = this.ownView(t, word) & ~(BYTE << shift)
    this.writePlain(t, word, rest | ((value & BYTE) << shift))
  }

  readPlain(t: ModelThread, at: number): number {
    const { engine } = this
    const weakness = this.weakness(t, at)
    if (!engine.scheduled) return this.words[at] as number
    if (weakness === 0) this.judge(t, at, 'plain read', engine.clocks.plainRead(t.index, at))
    return this.visible(t, at)
  }

  writePlain(t: ModelThread, at: number, value: number): void {
    const { engine } = this
    const { clocks, cells, buffers } = engine
    const weakness = this.weakness(t, at)
    if (!engine.scheduled) {
      cells.write(at, value, 0, 0)
      return
    }
    if (weakness === 0) this.judge(t, at, 'plain write', clocks.plainWrite(t.index, at))
    else clocks.exemptWrite(t.index, at)
    if (engine.rules.delayed || weakness !== 0) {
      buffers.put(t.index, at, value | 0)
      engine.changed(t)
      return
    }
    clocks.drop(at)
    if (engine.rules.hostile) engine.past.note(at, value, t.index)
    if (cells.write(at, value, 0, t.index + 1)) engine.changed(t)
  }

  /** What `t` reads: its own store if it has a late one, else what has become visible. */
  visible(t: ModelThread, at: number): number {
    const { engine } = this
    const { buffers } = engine
    if (buffers.total === 0) return this.words[at] as number
    buffers.reveal(engine, t.index, at)
    return buffers.read(t.index, at)
  }

  private ownView(t: ModelThread, at: number): number {
    return this.engine.buffers.total === 0
      ? (this.words[at] as number)
      : this.engine.buffers.read(t.index, at)
  }

  /** A read that may miss the last write, unless that happens before it. */
  readStale(t: ModelThread, at: number): number {
    const { engine } = this
    const { cells, clocks } = engine
    const value = this.visible(t, at)
    const writer = (cells.writers[at] as number) - 1
    if (writer < 0 || writer === t.index || value !== cells.words[at]) return value
    if (cells.before[at] === value || !clocks.mayMiss(t.index, writer, at)) return value
    return engine.choose(2) === 0 ? value : (cells.before[at] as number)
  }

  /** A read that may find anything that it is not forbidden to. */
  readHostile(t: ModelThread, at: number): number {
    const { engine } = this
    const value = this.visible(t, at)
    // A late store of its own.
    if (value !== engine.cells.words[at]) return value
    const values = engine.past.visibleTo(t.index, at)
    return values[engine.choose(values.length)] as number
  }

  /** How the scenario has weakened this word; an error when there is no such word. */
  weakness(t: ModelThread, at: number): number {
    const weakness = this.weak[at]
    if (weakness === undefined) this.engine.fail(t, `word ${at} lies outside the arena`)
    return weakness as number
  }

  private judge(t: ModelThread, at: number, access: string, other: number): void {
    if (other < 0 || !this.engine.rules.races) return
    const name = this.describe(at)
    const place = name === undefined ? `word ${at}` : `word ${at} (${name})`
    const kind = this.engine.clocks.kindOf(t.index, other, at)
    const who = this.engine.threads[other]?.name
    this.engine.fail(t, `race: ${access} of ${place} is not ordered with the ${kind} by ${who}`)
  }
}

// Typed arrays have the byte order of the machine, and every machine that runs JavaScript today is
// little-endian.

export function wordOf(at: number, offset: number): number {
  return at + Math.floor(offset / WORD_BYTES)
}

function shiftOf(offset: number): number {
  return (offset * BYTE_BITS) % WORD_BITS
}

export function byteOf(word: number, offset: number): number {
  return (word >>> shiftOf(offset)) & BYTE
}
