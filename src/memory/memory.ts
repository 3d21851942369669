/**
 * Access to shared memory: the only file that calls Atomics, and that reads or writes the arena.
 *
 * Everything above uses word indices and two families of verbs, kept apart by name:
 *
 *   load store add swap cas or and   atomic, sequentially consistent (the one strength JavaScript
 *                                    has). Legal on any word, at any time, from any worker.
 *   peek poke                        plain, and not ordered with anything. Legal only on words that
 *                                    this worker owns, that are under a lock it holds, or that are
 *                                    frozen since they were published. 13 times cheaper than
 *                                    `load`.
 *
 * Time and sleeping (`pause`, `sleep`, `wait`, `now`) are here too, because a model checker must
 * control every source of nondeterminism: it replaces this class by one with the same verbs, and
 * runs the shipped algorithms unchanged. Production has one class per worker, so call sites stay
 * monomorphic and the indirection costs nothing: this one, or the one in wasm.ts, whose atomic
 * verbs are WebAssembly.
 *
 * Addresses are `number`s: word indices into the arena, 0 is null. Only this file and
 * intrinsics.wat turn them into byte addresses.
 */

import { Corruption, Misuse, show } from '../base/errors.ts'
import { now } from '../base/host.ts'
import { enterSection, findHash, findMany, floorWord, lookUpHash } from './compound.ts'
import { type HostBuffer, host } from './hostText.ts'
import { BYTES_PER_WORD } from './units.ts'

export { BYTES_PER_WORD, LINE_WORDS, WORDS_PER_FLOAT } from './units.ts'

/** How the atomic and the compound verbs are implemented: see wasm.ts. */
export type IntrinsicsKind = 'wasm' | 'typescript'

export class Memory {
  /** The whole arena as 32-bit words. */
  readonly words: Int32Array<SharedArrayBuffer>
  /** The same bytes as 64-bit floats, for records and counters. */
  readonly floats: Float64Array<SharedArrayBuffer>
  /** The same bytes one by one, for text in records. */
  readonly bytes: Uint8Array<SharedArrayBuffer>
  /** The same bytes for the host's own text, where it has such: see hostText.ts. */
  readonly host: HostBuffer | undefined
  /** A private word that is never notified: `sleep` waits on it. */
  private readonly sleepWord = new Int32Array(new SharedArrayBuffer(BYTES_PER_WORD))
  private readonly blocking = mayBlock(this.sleepWord)

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer, 0, Math.floor(buffer.byteLength / BYTES_PER_WORD))
    this.floats = new Float64Array(buffer, 0, this.words.length >> 1)
    this.bytes = new Uint8Array(buffer)
    this.host = host.text?.over(buffer)
  }

  /** How this memory implements its verbs. */
  get intrinsics(): IntrinsicsKind {
    return 'typescript'
  }

  // ---- atomic ------------------------------------------------------------------------------

  load(at: number): number {
    try {
      return Atomics.load(this.words, at)
    } catch (cause) {
      throw this.outside(at, cause)
    }
  }

  store(at: number, value: number): void {
    try {
      Atomics.store(this.words, at, value)
    } catch (cause) {
      throw this.outside(at, cause)
    }
  }

  /** Adds and returns the value before. */
  add(at: number, value: number): number {
    try {
      return Atomics.add(this.words, at, value)
    } catch (cause) {
      throw this.outside(at, cause)
    }
  }

  /** Stores `value` and returns the one before. */
  swap(at: number, value: number): number {
    try {
      return Atomics.exchange(this.words, at, value)
    } catch (cause) {
      throw this.outside(at, cause)
    }
  }

  /**
   * Stores `value` if the word is `expected`. Returns the word before: success is `=== expected`.
   */
  cas(at: number, expected: number, value: number): number {
    try {
      return Atomics.compareExchange(this.words, at, expected, value)
    } catch (cause) {
      throw this.outside(at, cause)
    }
  }

  /** Sets bits and returns the word before. */
  or(at: number, bits: number): number {
    try {
      return Atomics.or(this.words, at, bits)
    } catch (cause) {
      throw this.outside(at, cause)
    }
  }

  /** Keeps only `bits` and returns the word before. */
  and(at: number, bits: number): number {
    try {
      return Atomics.and(this.words, at, bits)
    } catch (cause) {
      throw this.outside(at, cause)
    }
  }

  /**
   * The error for an access that the host refused: Corruption if the address is outside the arena.
   * A handler costs the fast path nothing; a comparison would.
   */
  protected outside(at: unknown, cause: unknown): unknown {
    const words = this.words.length
    if (typeof at === 'number' && at >= 0 && at < words) return cause
    return new Corruption(
      `memory: word ${show(at)} is no word of this arena of ${words}: what led there is damaged`,
      { address: show(at), words },
    )
  }

  // ---- several in one: see compound.ts -----------------------------------------------------

  enterSection(wrAt: number, at: number): number {
    return enterSection(this, wrAt, at)
  }

  findHash(chainsAt: number, behind: number, hash: number): number {
    return findHash(this, chainsAt, behind, hash)
  }

  lookUpHash(wrAt: number, at: number, chainsAt: number, behind: number, hash: number): number {
    return lookUpHash(this, wrAt, at, chainsAt, behind, hash)
  }

  findMany(at: number, count: number, chainsAt: number, shift: number, behind: number): void {
    findMany(this, at, count, chainsAt, shift, behind)
  }

  floorWord(changesAt: number, rootAt: number, word: number, flip: number, key: number): number {
    return floorWord(this, changesAt, rootAt, word, flip, key)
  }

  // ---- plain -------------------------------------------------------------------------------

  // An index outside the arena reads `undefined`, which callers' `|0`s and comparisons treat as
  // "no", and a store there does nothing: bounds are checked where addresses come in, not at each
  // access. (The atomic verbs throw Corruption.)
  peek(at: number): number {
    return this.words[at] as number
  }

  poke(at: number, value: number): void {
    this.words[at] = value
  }

  fill(at: number, words: number, value: number): void {
    this.words.fill(value, at, at + words)
  }

  /** A 64-bit float at an even word address. */
  peekFloat(at: number): number {
    return this.floats[at >> 1] as number
  }

  pokeFloat(at: number, value: number): void {
    this.floats[at >> 1] = value
  }

  /** Byte `offset` of the words at `at`. */
  peekByte(at: number, offset: number): number {
    return this.bytes[at * BYTES_PER_WORD + offset] as number
  }

  pokeByte(at: number, offset: number, value: number): void {
    this.bytes[at * BYTES_PER_WORD + offset] = value
  }

  /** Copies bytes out, since not every host lets TextDecoder read shared memory. */
  readBytes(at: number, offset: number, length: number): Uint8Array<ArrayBuffer> {
    const start = at * BYTES_PER_WORD + offset
    return this.bytes.slice(start, start + length) as Uint8Array<ArrayBufferLike> as Own
  }

  writeBytes(at: number, offset: number, from: Uint8Array): void {
    try {
      this.bytes.set(from, at * BYTES_PER_WORD + offset)
    } catch (cause) {
      throw this.outside(at + (offset + from.length) / BYTES_PER_WORD, cause)
    }
  }

  // ---- counters ----------------------------------------------------------------------------

  // A tally is a float that only its worker writes: exact up to 2^53. Others read it while it
  // changes and may see an old value; they only print it. `peekRacy` is the same for ordinary
  // words.

  tally(at: number, by: number): void {
    this.floats[at >> 1] = (this.floats[at >> 1] as number) + by
  }

  tallied(at: number): number {
    return this.floats[at >> 1] as number
  }

  /** A plain load of a word that another worker may be writing: for print and for hints only. */
  peekRacy(at: number): number {
    return this.words[at] as number
  }

  // ---- time and sleeping -----------------------------------------------------------------------

  /** One spin of a bounded number. */
  pause(): void {
    spinHint()
  }

  /** Whether `sleep` really sleeps, and does not only spin. */
  get sleeps(): boolean {
    return this.blocking
  }

  /** Sleeps for `ms` where this thread may block; where it may not, spins once. */
  sleep(ms: number): void {
    if (this.blocking) Atomics.wait(this.sleepWord, 0, 0, ms)
    else spinHint()
  }

  /** Sleeps while the word holds `value`, at most `ms`. May return early: load the word again. */
  wait(at: number, value: number, ms: number): void {
    if (this.blocking) Atomics.wait(this.words, at, value, ms)
    else spinHint()
  }

  /** Wakes at most `count` sleepers of `wait`. */
  notify(at: number, count: number): void {
    Atomics.notify(this.words, at, count)
  }

  /** Milliseconds; the same clock in every worker of the process. */
  now(): number {
    return now()
  }
}

/** A slice of a view of shared memory is private. */
type Own = Uint8Array<ArrayBuffer>

/**
 * Whether this thread may block. It tries, since nothing else tells: the main thread of a page may
 * not, nor may a worklet. There waits become bounded spins, and the async verbs are better.
 */
function mayBlock(word: Int32Array<SharedArrayBuffer>): boolean {
  try {
    Atomics.wait(word, 0, 0, 0)
    return true
  } catch {
    return false
  }
}

/** An object with the arena's memory: an `Arena`, or in a test a bare `{ memory }`. */
export interface HasMemory {
  /** @internal */
  readonly memory: Memory
  /** Shown in the package's declarations instead of `memory`: an arena has words. */
  readonly words?: object
}

/** The memory of an arena, or of what a test uses in its place. Misuse for anything else. */
export function memoryOf(call: string, arena: unknown): Memory {
  const memory = (arena as { readonly memory?: Memory | null } | null | undefined)?.memory
  // Not by `instanceof`: the model checker's memory is of another class.
  if (typeof memory?.peek === 'function' && typeof memory.cas === 'function') return memory
  throw new Misuse(`${call}: arena is ${show(arena)}; give what Arena.create or attach returned`)
}

/** `Atomics.pause` where the engine has it (V8 13 and later); nothing elsewhere. */
const spinHint: () => void = (Atomics as { pause?: () => void }).pause ?? (() => {})
