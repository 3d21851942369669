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
 * Compound verbs are no steps: they are the library's own code over the verbs here, of the library
 * that the scenario runs, which may be a mutant.
 *
 * Exempt from the check: `tally` and `tallied` (a counter of its worker's own, read by others for
 * print), `peekRacy` (the same for ordinary words; under the rule `stale` it is a preemption point and
 * may miss a write that does not happen before it), and words whose atomics the scenario has weakened. What is checked is
 * checked by the word: two workers that poke different bytes of one word are said to race.
 */

import * as compound from '#src/memory/compound.ts'
import type { Memory } from '#src/memory/memory.ts'
import { type Access, byteOf, WEAK_STORE, wordOf } from './access.ts'
import type { Engine } from './engine.ts'
import type { ModelThread } from './thread.ts'
import * as verbs from './verbs.ts'

/** How virtual time passes for a thread that only spins. */
const SPIN_MS = 0.01

/** The functions of compound.ts, shipped or mutated. */
export type Compound = typeof compound

/** Lets `memory`, if it is the model's, do its compound verbs as this library does. */
export function lendCompound(memory: Memory, verbs: Compound): void {
  if (memory instanceof ModelMemory) memory.compound = verbs
}

export class ModelMemory {
  readonly words: Int32Array<ArrayBuffer>
  compound: Compound = compound
  protected readonly engine: Engine
  private readonly access: Access
  /** One float seen as two words. */
  private readonly float = new Float64Array(1)
  private readonly halves = new Int32Array(this.float.buffer)

  constructor(engine: Engine, access: Access) {
    this.engine = engine
    this.access = access
    this.words = access.words
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
    const value = this.access.readAtomic(t, at)
    engine.done(t, verbs.LOAD, at, value)
    return value
  }

  store(at: number, value: number): void {
    const { engine } = this
    const t = engine.current
    if (t.recalled(verbs.STORE, at)) return
    engine.turn(t)
    if ((this.access.weakness(t, at) & WEAK_STORE) === 0) this.access.writeAtomic(t, at, value)
    else this.access.writePlain(t, at, value)
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
    const old = this.access.readAtomic(t, at)
    // A compare-and-swap that fails is a read, and orders as one.
    if (verb !== verbs.CAS || old === (expected | 0)) {
      this.access.writeAtomic(t, at, result(verb, old, operand))
    }
    engine.done(t, verb, at, old)
    return old
  }

  // ---- compound ----------------------------------------------------------------------------

  enterSection(wrAt: number, at: number): number {
    return this.compound.enterSection(this.asMemory(), wrAt, at)
  }

  findHash(...at: [chainsAt: number, behind: number, hash: number]): number {
    return this.compound.findHash(this.asMemory(), ...at)
  }

  lookUpHash(
    ...at: [wrAt: number, at: number, chainsAt: number, behind: number, hash: number]
  ): number {
    return this.compound.lookUpHash(this.asMemory(), ...at)
  }

  findMany(
    ...at: [at: number, count: number, chainsAt: number, shift: number, behind: number]
  ): void {
    this.compound.findMany(this.asMemory(), ...at)
  }

  floorWord(
    ...at: [changesAt: number, rootAt: number, word: number, flip: number, key: number]
  ): number {
    return this.compound.floorWord(this.asMemory(), ...at)
  }

  // ---- plain -------------------------------------------------------------------------------

  peek(at: number): number {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) return t.recall(verbs.PEEK, at)
    engine.quietTurn(t)
    const value = this.access.readPlain(t, at)
    engine.done(t, verbs.PEEK, at, value)
    return value
  }

  poke(at: number, value: number): void {
    const { engine } = this
    const t = engine.current
    if (t.recalled(verbs.POKE, at)) return
    engine.quietTurn(t)
    this.access.writePlain(t, at, value)
    engine.done(t, verbs.POKE, at, 0)
  }

  /** Two steps, so that a death in the middle is met. */
  fill(at: number, words: number, value: number): void {
    const { engine } = this
    const t = engine.current
    if (t.recalled(verbs.FILL, at)) return
    engine.quietTurn(t)
    const half = words >> 1
    for (let i = 0; i < words; i++) {
      if (i === half && i > 0) engine.step(t)
      this.access.writePlain(t, at + i, value)
    }
    engine.done(t, verbs.FILL, at, 0)
  }

  peekFloat(at: number): number {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) return this.recallFloat(t, verbs.PEEK_FLOAT, at)
    engine.quietTurn(t)
    this.halves[0] = this.access.readPlain(t, at)
    this.halves[1] = this.access.readPlain(t, at + 1)
    return this.doneFloat(t, verbs.PEEK_FLOAT, at)
  }

  pokeFloat(at: number, value: number): void {
    const { engine } = this
    const t = engine.current
    if (t.recalled(verbs.POKE_FLOAT, at)) return
    engine.quietTurn(t)
    this.float[0] = value
    const high = this.halves[1] as number
    this.access.writePlain(t, at, this.halves[0] as number)
    this.access.writePlain(t, at + 1, high)
    engine.done(t, verbs.POKE_FLOAT, at, 0)
  }

  peekByte(at: number, offset: number): number {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) return t.recall(verbs.PEEK_BYTE, at)
    engine.quietTurn(t)
    const byte = byteOf(this.access.readPlain(t, wordOf(at, offset)), offset)
    engine.done(t, verbs.PEEK_BYTE, at, byte)
    return byte
  }

  pokeByte(at: number, offset: number, value: number): void {
    const { engine } = this
    const t = engine.current
    if (t.recalled(verbs.POKE_BYTE, at)) return
    engine.quietTurn(t)
    this.access.mendByte(t, at, offset, value)
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
      bytes[i] = byteOf(this.access.readPlain(t, wordOf(at, offset + i)), offset + i)
    }
    engine.done(t, verbs.READ_BYTES, at, length)
    if (!engine.unlogged) for (const byte of bytes) t.recordMore(byte)
    return bytes
  }

  writeBytes(at: number, offset: number, from: Uint8Array): void {
    const { engine } = this
    const t = engine.current
    if (t.recalled(verbs.WRITE_BYTES, at)) return
    engine.quietTurn(t)
    const half = from.length >> 1
    for (let i = 0; i < from.length; i++) {
      if (i === half && i > 0) engine.step(t)
      this.access.mendByte(t, at, offset + i, from[i] as number)
    }
    engine.done(t, verbs.WRITE_BYTES, at, 0)
  }

  // ---- counters and hints ------------------------------------------------------------------

  tally(at: number, by: number): void {
    const { engine } = this
    const t = engine.current
    if (t.recalled(verbs.TALLY, at)) return
    engine.quietTurn(t)
    this.access.weakness(t, at)
    this.float[0] = (engine.cells.floats[at >> 1] as number) + by
    const low = this.halves[0] as number
    const high = this.halves[1] as number
    if (engine.rules.hostile && engine.scheduled) {
      engine.past.note(at, low, t.index)
      engine.past.note(at + 1, high, t.index)
    }
    engine.cells.write(at, low, 0, 0)
    engine.cells.write(at + 1, high, 0, 0)
    engine.done(t, verbs.TALLY, at, 0)
  }

  tallied(at: number): number {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) return this.recallFloat(t, verbs.TALLIED, at)
    const hostile = engine.scheduled && engine.rules.hostile
    if (hostile) engine.turn(t)
    else engine.quietTurn(t)
    this.access.weakness(t, at)
    if (hostile) {
      const low = this.access.readHostile(t, at)
      this.halves[1] = this.access.readHostile(t, at + 1)
      this.halves[0] = low
    } else this.float[0] = engine.cells.floats[at >> 1] as number
    return this.doneFloat(t, verbs.TALLIED, at)
  }

  peekRacy(at: number): number {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) return t.recall(verbs.PEEK_RACY, at)
    const stale = engine.scheduled && engine.rules.stale
    const hostile = engine.scheduled && engine.rules.hostile
    if (stale || hostile) engine.turn(t)
    else engine.quietTurn(t)
    this.access.weakness(t, at)
    const { access } = this
    const value = hostile
      ? access.readHostile(t, at)
      : stale
        ? access.readStale(t, at)
        : access.visible(t, at)
    engine.done(t, verbs.PEEK_RACY, at, value)
    return value
  }

  // ---- patience ----------------------------------------------------------------------------

  pause(): void {
    this.rest(verbs.PAUSE, SPIN_MS)
  }

  sleep(ms: number): void {
    this.rest(verbs.SLEEP, this.engine.rules.blocking ? ms : SPIN_MS)
  }

  private rest(verb: number, ms: number): void {
    const { engine } = this
    const t = engine.current
    if (t.recalled(verb, 0)) return
    engine.giveWay(t, ms)
    engine.done(t, verb, 0, 0)
  }

  wait(at: number, value: number, ms: number): void {
    const { engine } = this
    const t = engine.current
    if (t.recalled(verbs.WAIT, at)) return
    if (!engine.rules.blocking) {
      engine.giveWay(t, SPIN_MS)
    } else {
      engine.turn(t)
      if (!t.begun && this.access.readAtomic(t, at) === (value | 0) && engine.scheduled) {
        engine.sleep(t, at, ms)
      }
      t.begun = false
    }
    engine.done(t, verbs.WAIT, at, 0)
  }

  notify(at: number, count: number): void {
    const { engine } = this
    const t = engine.current
    if (t.recalled(verbs.NOTIFY, at)) return
    engine.turn(t)
    engine.done(t, verbs.NOTIFY, at, engine.scheduled ? engine.wake(t, at, count) : 0)
  }

  now(): number {
    const { engine } = this
    const t = engine.current
    if (t.cursor < t.logged) return this.recallFloat(t, verbs.NOW, 0)
    engine.quietTurn(t)
    this.float[0] = engine.waiting.time
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
