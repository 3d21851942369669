/**
 * The porthole: the only file that touches shared memory.
 *
 * Everything above speaks in word indices and in two families of verbs, kept apart by name:
 *
 *   load store add swap cas or and   atomic, sequentially consistent (the one strength JavaScript
 *                                    has). Legal on any word, at any time, from any worker.
 *   peek poke                        plain, and unordered with everything. Legal only on words that
 *                                    this worker owns, that are under a lock it holds, or that are
 *                                    frozen since they were published. 13 times cheaper than `load`.
 *
 * Time and patience (`pause`, `sleep`, `wait`, `now`) pass here too, because a model checker must own
 * every source of nondeterminism: it replaces this class by one with the same verbs, and the shipped
 * algorithms run under it unchanged. That is also why there is exactly one class of it per worker
 * in production: call sites that have seen one class stay monomorphic, and the seam costs nothing.
 * The class is this one, or the one in wasm.ts, whose atomic verbs are WebAssembly.
 *
 * Addresses are `number`s: word indices into the arena, 0 is null. Only this file, wasm.ts and
 * intrinsics.wat know bytes.
 */

import { Corruption, Misuse, show } from '../base/errors.ts'
import { now } from '../base/host.ts'
import { enterSection, findHash, findWord, lookUpWord } from './compound.ts'
import { BYTES_PER_WORD } from './units.ts'

export { BYTES_PER_WORD, LINE_WORDS, WORDS_PER_FLOAT } from './units.ts'

/** How the atomic and the compound verbs are done: see wasm.ts. */
export type IntrinsicsKind = 'wasm' | 'typescript'

export class Memory {
  /** The whole arena as 32-bit words. */
  readonly words: Int32Array<SharedArrayBuffer>
  /** The same bytes as 64-bit floats, for records and counters. */
  readonly floats: Float64Array<SharedArrayBuffer>
  /** The same bytes one by one, for text in records. */
  readonly bytes: Uint8Array<SharedArrayBuffer>
  /** A word of our own that nobody ever notifies: what `sleep` waits on. */
  private readonly sleepWord = new Int32Array(new SharedArrayBuffer(BYTES_PER_WORD))
  private readonly blocking = mayBlock(this.sleepWord)

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer, 0, Math.floor(buffer.byteLength / BYTES_PER_WORD))
    this.floats = new Float64Array(buffer, 0, this.words.length >> 1)
    this.bytes = new Uint8Array(buffer)
  }

  /** How this memory does its verbs. */
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

  /** Puts `value` and returns the one before. */
  swap(at: number, value: number): number {
    try {
      return Atomics.exchange(this.words, at, value)
    } catch (cause) {
      throw this.outside(at, cause)
    }
  }

  /** Puts `value` where `expected` stands; returns what stood there, so success is `=== expected`. */
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
   * What an access says that the host refused: damage, if the address is none. A handler costs the
   * fast path nothing; a comparison would.
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

  findWord(chainsAt: number, behind: number, key: number): number {
    return findWord(this, chainsAt, behind, key)
  }

  findHash(chainsAt: number, behind: number, hash: number): number {
    return findHash(this, chainsAt, behind, hash)
  }

  lookUpWord(wrAt: number, at: number, chainsAt: number, behind: number, key: number): number {
    return lookUpWord(this, wrAt, at, chainsAt, behind, key)
  }

  // ---- plain -------------------------------------------------------------------------------

  // An index outside the arena reads `undefined`, which the callers' `|0`s and comparisons treat as
  // "no", and storing there does nothing: bounds are checked where addresses come in, not at each
  // access. (The atomic verbs cannot go on without a word: they say Corruption.)
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

  /** Copies bytes out: the private copy is what TextDecoder may read in every host. */
  readBytes(at: number, offset: number, length: number): Uint8Array<ArrayBuffer> {
    const start = at * BYTES_PER_WORD + offset
    return new Uint8Array(this.bytes.subarray(start, start + length))
  }

  writeBytes(at: number, offset: number, from: Uint8Array): void {
    try {
      this.bytes.set(from, at * BYTES_PER_WORD + offset)
    } catch (cause) {
      throw this.outside(at + (offset + from.length) / BYTES_PER_WORD, cause)
    }
  }

  // ---- counters ----------------------------------------------------------------------------

  // A tally is a float of its worker's own: exact up to 2^53. Others read it while it moves; they
  // may see it a moment old, and only ever print it. `peekRacy` is the same for ordinary words.

  tally(at: number, by: number): void {
    this.floats[at >> 1] = (this.floats[at >> 1] as number) + by
  }

  tallied(at: number): number {
    return this.floats[at >> 1] as number
  }

  /** A plain look at a word that another worker may be writing: for print and for hints only. */
  peekRacy(at: number): number {
    return this.words[at] as number
  }

  // ---- patience ----------------------------------------------------------------------------

  /** A spin inside a bounded spin. */
  pause(): void {
    spinHint()
  }

  /** Whether `sleep` sleeps, and does not only spins. */
  get sleeps(): boolean {
    return this.blocking
  }

  /** Sleeps for `ms` where this thread may block; where it may not, spins once. */
  sleep(ms: number): void {
    if (this.blocking) Atomics.wait(this.sleepWord, 0, 0, ms)
    else spinHint()
  }

  /** Sleeps while the word holds `value`, at most `ms`. May return early: look again. */
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

/**
 * Whether this thread may block. It is tried, for nothing else tells: a page's main thread may not,
 * nor a worklet, which has no document either. There waits become bounded spins, and the async twins
 * are the better choice.
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

/** The memory of an arena's handle, or of what stands for one in a test. Misuse for anything else. */
export function memoryOf(call: string, arena: unknown): Memory {
  const memory = (arena as { readonly memory?: Memory | null } | null | undefined)?.memory
  // By its verbs: the model checker's is of another class.
  if (typeof memory?.peek === 'function' && typeof memory.cas === 'function') return memory
  throw new Misuse(`${call}: arena is ${show(arena)}; give what Arena.create or attach returned`)
}

/** `Atomics.pause` where the engine has it (V8 13 and later); nothing elsewhere. */
const spinHint: () => void = (Atomics as { pause?: () => void }).pause ?? (() => {})
