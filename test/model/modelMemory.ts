/**
 * The verbs of `Memory`, played by the model: shipped code runs under it unchanged.
 *
 * Every verb has the same five beats. *Recall*: while the thread is being re-run, the log answers
 * and nothing else happens. *Turn*: verbs that others could notice ask the engine, which may run
 * other threads first; quiet ones (plain accesses) only do so where the rules want it. *Check*: the
 * vector clocks object to an access that races. *Act*. *Done*: the answer is logged, and a thread
 * whose last step this was stops.
 *
 * A plain access need not be a preemption point: if it races with nobody, it commutes with all that
 * others may do meanwhile, and if it races, the clocks say so in some schedule of the others' atomics.
 *
 * Exempt from the check: `tally` and `tallied` (a counter of its worker's own, read by others for
 * print), `glance` (the same for ordinary words; under the rule `stale` it may miss writes that do
 * not happen before it), and words whose atomics the scenario has weakened. What is checked is
 * checked by the word: two workers that poke different bytes of one word are said to race.
 */

import type { Memory } from '../../src/memory/memory.ts'
import type { Engine } from './engine.ts'
import type { ModelThread } from './thread.ts'
import * as verbs from './verbs.ts'

/** How virtual time passes for a thread that only breathes. */
const BREATH_MS = 0.01
const WORD_BYTES = 4
const WORD_BITS = 32
const BYTE = 0xff
const BYTE_BITS = 8

/** Marks in `weak`: which atomics of a word are to be treated as plain ones. */
export const WEAK_STORE = 1
export const WEAK_LOAD = 2

export class ModelMemory {
  readonly words: Int32Array<ArrayBuffer>
  readonly weak: Uint8Array
  describe: (at: number) => string | undefined = () => undefined
  private readonly engine: Engine
  /** One float seen as two words. */
  private readonly float = new Float64Array(1)
  private readonly halves = new Int32Array(this.float.buffer)

  constructor(engine: Engine) {
    this.engine = engine
    this.words = engine.cells.words
    this.weak = new Uint8Array(this.words.length)
  }

  /** The one place where the model passes for the real thing. */
  asMemory(): Memory {
    return this as unknown as Memory
  }

  // ---- atomic ------------------------------------------------------------------------------

  load(at: number): number {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) return t.recall(verbs.LOAD, at)
    engine.turn(t)
    const value = this.readAtomic(t, at)
    engine.done(t, verbs.LOAD, at, value)
    return value
  }

  store(at: number, value: number): void {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) {
      t.recall(verbs.STORE, at)
      return
    }
    engine.turn(t)
    if ((this.weakness(t, at) & WEAK_STORE) === 0) this.writeAtomic(t, at, value)
    else this.writePlain(t, at, value)
    engine.done(t, verbs.STORE, at, 0)
  }

  add(at: number, value: number): number {
    return this.update(verbs.ADD, at, value, 0)
  }

  swap(at: number, value: number): number {
    return this.update(verbs.SWAP, at, value, 0)
  }

  cas(at: number, expected: number, value: number): number {
    return this.update(verbs.CAS, at, value, expected)
  }

  or(at: number, bits: number): number {
    return this.update(verbs.OR, at, bits, 0)
  }

  and(at: number, bits: number): number {
    return this.update(verbs.AND, at, bits, 0)
  }

  private update(verb: number, at: number, operand: number, expected: number): number {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) return t.recall(verb, at)
    engine.turn(t)
    const old = this.readAtomic(t, at)
    // A compare-and-swap that fails is a read, and orders as one.
    if (verb !== verbs.CAS || old === (expected | 0)) {
      this.writeAtomic(t, at, result(verb, old, operand))
    }
    engine.done(t, verb, at, old)
    return old
  }

  private readAtomic(t: ModelThread, at: number): number {
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

  private writeAtomic(t: ModelThread, at: number, value: number): void {
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
    clocks.release(t.index, at)
    if (cells.write(at, value, t.stamp(), t.index + 1)) engine.changed(t)
  }

  // ---- plain -------------------------------------------------------------------------------

  peek(at: number): number {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) return t.recall(verbs.PEEK, at)
    engine.quietTurn(t)
    const value = this.readPlain(t, at)
    engine.done(t, verbs.PEEK, at, value)
    return value
  }

  poke(at: number, value: number): void {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) {
      t.recall(verbs.POKE, at)
      return
    }
    engine.quietTurn(t)
    this.writePlain(t, at, value)
    engine.done(t, verbs.POKE, at, 0)
  }

  /** Two steps, so that a death in the middle is met. */
  fill(at: number, words: number, value: number): void {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) {
      t.recall(verbs.FILL, at)
      return
    }
    engine.quietTurn(t)
    const half = words >> 1
    for (let i = 0; i < words; i++) {
      if (i === half && i > 0) engine.step(t)
      this.writePlain(t, at + i, value)
    }
    engine.done(t, verbs.FILL, at, 0)
  }

  peekFloat(at: number): number {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) return this.recallFloat(t, verbs.PEEK_FLOAT, at)
    engine.quietTurn(t)
    this.halves[0] = this.readPlain(t, at)
    this.halves[1] = this.readPlain(t, at + 1)
    return this.doneFloat(t, verbs.PEEK_FLOAT, at)
  }

  pokeFloat(at: number, value: number): void {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) {
      t.recall(verbs.POKE_FLOAT, at)
      return
    }
    engine.quietTurn(t)
    this.float[0] = value
    const high = this.halves[1] as number
    this.writePlain(t, at, this.halves[0] as number)
    this.writePlain(t, at + 1, high)
    engine.done(t, verbs.POKE_FLOAT, at, 0)
  }

  peekByte(at: number, offset: number): number {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) return t.recall(verbs.PEEK_BYTE, at)
    engine.quietTurn(t)
    const byte = byteOf(this.readPlain(t, wordOf(at, offset)), offset)
    engine.done(t, verbs.PEEK_BYTE, at, byte)
    return byte
  }

  pokeByte(at: number, offset: number, value: number): void {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) {
      t.recall(verbs.POKE_BYTE, at)
      return
    }
    engine.quietTurn(t)
    this.mendByte(t, at, offset, value)
    engine.done(t, verbs.POKE_BYTE, at, 0)
  }

  readBytes(at: number, offset: number, length: number): Uint8Array<ArrayBuffer> {
    const { engine } = this
    const t = engine.current
    const bytes = new Uint8Array(length)
    if (t.cursor < t.logged) {
      t.recall(verbs.READ_BYTES, at)
      for (let i = 0; i < length; i++) bytes[i] = t.recallMore()
      return bytes
    }
    engine.quietTurn(t)
    for (let i = 0; i < length; i++) {
      bytes[i] = byteOf(this.readPlain(t, wordOf(at, offset + i)), offset + i)
    }
    engine.done(t, verbs.READ_BYTES, at, length)
    if (!engine.unlogged) for (const byte of bytes) t.recordMore(byte)
    return bytes
  }

  writeBytes(at: number, offset: number, from: Uint8Array): void {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) {
      t.recall(verbs.WRITE_BYTES, at)
      return
    }
    engine.quietTurn(t)
    const half = from.length >> 1
    for (let i = 0; i < from.length; i++) {
      if (i === half && i > 0) engine.step(t)
      this.mendByte(t, at, offset + i, from[i] as number)
    }
    engine.done(t, verbs.WRITE_BYTES, at, 0)
  }

  private mendByte(t: ModelThread, at: number, offset: number, value: number): void {
    const word = wordOf(at, offset)
    const shift = shiftOf(offset)
    const rest = this.ownView(t, word) & ~(BYTE << shift)
    this.writePlain(t, word, rest | ((value & BYTE) << shift))
  }

  private readPlain(t: ModelThread, at: number): number {
    const { engine } = this
    const weakness = this.weakness(t, at)
    if (!engine.scheduled) return this.words[at] as number
    if (weakness === 0) this.judge(t, at, 'plain read', engine.clocks.plainRead(t.index, at))
    return this.visible(t, at)
  }

  private writePlain(t: ModelThread, at: number, value: number): void {
    const { engine } = this
    const { clocks, cells, buffers } = engine
    const weakness = this.weakness(t, at)
    if (!engine.scheduled) {
      cells.write(at, value, 0, 0)
      return
    }
    if (weakness === 0) this.judge(t, at, 'plain write', clocks.plainWrite(t.index, at))
    else clocks.exemptWrite(t.index, at)
    if (engine.rules.delayed) {
      buffers.put(t.index, at, value | 0)
      engine.changed(t)
      return
    }
    clocks.drop(at)
    if (cells.write(at, value, 0, t.index + 1)) engine.changed(t)
  }

  /** What `t` reads: its own store if it has a late one, else what has become visible. */
  private visible(t: ModelThread, at: number): number {
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
  private readStale(t: ModelThread, at: number): number {
    const { engine } = this
    const { cells, clocks } = engine
    const value = this.visible(t, at)
    const writer = (cells.writers[at] as number) - 1
    if (writer < 0 || writer === t.index || value !== cells.words[at]) return value
    if (cells.before[at] === value || !clocks.mayMiss(t.index, writer, at)) return value
    return engine.choose(2) === 0 ? value : (cells.before[at] as number)
  }

  // ---- counters and hints ------------------------------------------------------------------

  tally(at: number, by: number): void {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) {
      t.recall(verbs.TALLY, at)
      return
    }
    engine.quietTurn(t)
    this.weakness(t, at)
    this.float[0] = (engine.cells.floats[at >> 1] as number) + by
    const high = this.halves[1] as number
    engine.cells.write(at, this.halves[0] as number, 0, 0)
    engine.cells.write(at + 1, high, 0, 0)
    engine.done(t, verbs.TALLY, at, 0)
  }

  tallied(at: number): number {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) return this.recallFloat(t, verbs.TALLIED, at)
    engine.quietTurn(t)
    this.weakness(t, at)
    this.float[0] = engine.cells.floats[at >> 1] as number
    return this.doneFloat(t, verbs.TALLIED, at)
  }

  glance(at: number): number {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) return t.recall(verbs.GLANCE, at)
    engine.quietTurn(t)
    this.weakness(t, at)
    const stale = engine.scheduled && engine.rules.stale
    const value = stale ? this.readStale(t, at) : this.visible(t, at)
    engine.done(t, verbs.GLANCE, at, value)
    return value
  }

  // ---- patience ----------------------------------------------------------------------------

  pause(): void {
    this.rest(verbs.PAUSE, BREATH_MS)
  }

  nap(ms: number): void {
    this.rest(verbs.NAP, this.engine.rules.blocking ? ms : BREATH_MS)
  }

  private rest(verb: number, ms: number): void {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) {
      t.recall(verb, 0)
      return
    }
    engine.breathe(t, ms)
    engine.done(t, verb, 0, 0)
  }

  wait(at: number, value: number, ms: number): void {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) {
      t.recall(verbs.WAIT, at)
      return
    }
    if (!engine.rules.blocking) {
      engine.breathe(t, BREATH_MS)
    } else {
      engine.turn(t)
      if (!t.begun && this.readAtomic(t, at) === (value | 0) && engine.scheduled) {
        engine.sleep(t, at, ms)
      }
      t.begun = false
    }
    engine.done(t, verbs.WAIT, at, 0)
  }

  notify(at: number, count: number): void {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) {
      t.recall(verbs.NOTIFY, at)
      return
    }
    engine.turn(t)
    engine.done(t, verbs.NOTIFY, at, engine.scheduled ? engine.wake(t, at, count) : 0)
  }

  now(): number {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) return this.recallFloat(t, verbs.NOW, 0)
    engine.quietTurn(t)
    this.float[0] = engine.time
    return this.doneFloat(t, verbs.NOW, 0)
  }

  // ---- what the verbs share ----------------------------------------------------------------

  private doneFloat(t: ModelThread, verb: number, at: number): number {
    const value = this.float[0] as number
    const high = this.halves[1] as number
    this.engine.done(t, verb, at, this.halves[0] as number)
    if (!this.engine.unlogged) t.recordMore(high)
    return value
  }

  private recallFloat(t: ModelThread, verb: number, at: number): number {
    this.halves[0] = t.recall(verb, at)
    this.halves[1] = t.recallMore()
    return this.float[0] as number
  }

  /** How the scenario has weakened this word; an error when there is no such word. */
  private weakness(t: ModelThread, at: number): number {
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

function result(verb: number, old: number, operand: number): number {
  switch (verb) {
    case verbs.ADD:
      return old + operand
    case verbs.OR:
      return old | operand
    case verbs.AND:
      return old & operand
    default:
      return operand
  }
}

// Typed arrays have the byte order of the machine, and every machine that runs JavaScript today is
// little-endian.

function wordOf(at: number, offset: number): number {
  return at + Math.floor(offset / WORD_BYTES)
}

function shiftOf(offset: number): number {
  return (offset * BYTE_BITS) % WORD_BITS
}

function byteOf(word: number, offset: number): number {
  return (word >>> shiftOf(offset)) & BYTE
}
