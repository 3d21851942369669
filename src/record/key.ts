/**
 * Keys of hash tables: hashing and comparing one field of a record.
 *
 * A key has two forms: the value that a caller gives, and the bytes in a record. A `Key` handles
 * both without making a string or a BigInt: `hash(value)` and `hashAt(item)` agree, `equals`
 * compares the two in full.
 */

import type { Memory } from '../memory/memory.ts'
import { BYTES_PER_WORD } from '../memory/units.ts'
import { type FieldType, refuse, WORD } from './field.ts'
import { fold, hashHalves, hashText, hashWord, mix, type Seeds, seedsOf } from './hash.ts'
import {
  headBytes,
  isLoneSurrogate,
  isWellFormed,
  pointAt,
  readLength,
  sameText,
  utf8Byte,
  utf8Size,
} from './text.ts'
import { highWord, lowWord } from './types.ts'

/** Field types that a table can be keyed by. */
export type KeyKind = 'u32' | 'i32' | 'i64' | 'utf8'

/** A key field. Nothing here allocates, except to throw. */
export interface Key<T = unknown> {
  readonly type: KeyKind
  /** Name of the field. */
  readonly field: string
  /** Whether the key is one word: then no other key has its hash. */
  readonly isWord: boolean
  /**
   * @throws Misuse, for `call`, unless `value` is of the type of the field, and any record could have
   * it; text that is only too long is accepted.
   */
  check(call: string, value: unknown): void
  /**
   * The first step of a lookup: `check` and `hash`, in one pass.
   * `hits` then compares with this value; there must be no other `aim` in between.
   */
  aim(call: string, value: T): number
  /** `equals` for the value of the last `aim`. */
  hits(memory: Memory, item: number, value: T): boolean
  /** 32 well mixed bits, as a signed integer. `check` must accept the value. */
  hash(value: T): number
  /** The hash of the key in the record at `item`: equal to `hash` of its value. */
  hashAt(memory: Memory, item: number): number
  /** Whether the record at `item` has this key: the whole key is compared. */
  equals(memory: Memory, item: number, value: T): boolean
}

// ---- hashing ---------------------------------------------------------------------------------

const PLANE = 0x10000
const HIGH_SURROGATE = 0xd800
const LOW_SURROGATE = 0xdc00
const SURROGATE_BITS = 10
const SURROGATE_MASK = 0x3ff

function hashUtf8(
  memory: Memory,
  item: number,
  at: number,
  length: number,
  { start, step }: Seeds,
): number {
  const end = at + length
  let h = start
  let from = at
  while (from < end) {
    const point = pointAt(memory, item, from)
    from += utf8Size(point)
    if (point < PLANE) {
      h = fold(h, point, step)
    } else {
      h = fold(h, HIGH_SURROGATE | ((point - PLANE) >>> SURROGATE_BITS), step)
      h = fold(h, LOW_SURROGATE | (point & SURROGATE_MASK), step)
    }
  }
  return mix(h)
}

const BITS_PER_BYTE = 8
const WORD_SHIFT = 2
const ASCII_END = 0x80
/** Text of more bytes is rare as a key. */
const MOST_KEPT = 1024
const BYTE_MASK = 0xff

// ---- keys by type ----------------------------------------------------------------------------

/** One class per type, so that a table's call sites see one shape and are inlined. */
abstract class FieldKey {
  readonly field: string
  protected readonly definition: FieldType
  protected readonly seeds: Seeds

  constructor(field: string, definition: FieldType, seeds: Seeds) {
    this.field = field
    this.definition = definition
    this.seeds = seeds
  }

  check(call: string, value: unknown): void {
    if (!this.definition.accepts(value)) refuse(call, `key "${this.field}"`, this.definition, value)
  }
}

class WordKey extends FieldKey implements Key<number> {
  readonly type: 'u32' | 'i32'
  readonly isWord = true
  private readonly word: number
  private readonly signed: boolean

  constructor(
    type: 'u32' | 'i32',
    field: string,
    definition: FieldType,
    start: number,
    seeds: Seeds,
  ) {
    super(field, definition, seeds)
    this.type = type
    this.word = start / WORD
    this.signed = type === 'i32'
  }

  override check(call: string, value: unknown): void {
    if (typeof value === 'number' && (this.signed ? value | 0 : value >>> 0) === value) return
    super.check(call, value)
  }

  aim(call: string, value: number): number {
    this.check(call, value)
    return hashWord(value, this.seeds)
  }

  hits(memory: Memory, item: number, value: number): boolean {
    return this.equals(memory, item, value)
  }

  hash(value: number): number {
    return hashWord(value, this.seeds)
  }

  hashAt(memory: Memory, item: number): number {
    return hashWord(memory.peek(item + this.word), this.seeds)
  }

  equals(memory: Memory, item: number, value: number): boolean {
    return memory.peek(item + this.word) === (value | 0)
  }
}

class LongKey extends FieldKey implements Key<bigint> {
  readonly type = 'i64'
  readonly isWord = false
  private readonly low: number
  private readonly high: number

  constructor(field: string, definition: FieldType, start: number, seeds: Seeds) {
    super(field, definition, seeds)
    this.low = start / WORD
    this.high = this.low + 1
  }

  aim(call: string, value: bigint): number {
    this.check(call, value)
    return this.hash(value)
  }

  hits(memory: Memory, item: number, value: bigint): boolean {
    return this.equals(memory, item, value)
  }

  hash(value: bigint): number {
    return hashHalves(lowWord(value), highWord(value), this.seeds)
  }

  hashAt(memory: Memory, item: number): number {
    return hashHalves(memory.peek(item + this.low), memory.peek(item + this.high), this.seeds)
  }

  equals(memory: Memory, item: number, value: bigint): boolean {
    return (
      memory.peek(item + this.low) === lowWord(value) &&
      memory.peek(item + this.high) === highWord(value)
    )
  }
}

/**
 * The text given to `aim` or `hash` is kept in the layout of a record, with its length, so that a
 * comparison is one of whole words. Text that is longer than what is kept is compared by `sameText`.
 */
class TextKey extends FieldKey implements Key<string> {
  readonly type = 'utf8'
  readonly isWord = false
  private readonly start: number
  private readonly first: number
  private readonly max: number
  /** Longest text that is kept, in bytes. */
  private readonly most: number
  /** Word of the record in which the field starts, byte of it, and byte behind its length. */
  private readonly firstWord: number
  private readonly startByte: number
  private readonly lead: number
  /** The bits of that word that belong to the field. */
  private readonly firstMask: number
  /** The words of the field, private, and the same as bytes. */
  private readonly kept: Int32Array<ArrayBuffer>
  private readonly keptBytes: Uint8Array<ArrayBuffer>
  /** How many bytes of `kept` are in use, counted from its first word; 0: nothing is kept. */
  private bytes = 0
  /** The text that `kept` and `hashed` are of. Written last, for an exception may come before. */
  private text: string | undefined
  private hashed = 0

  constructor(field: string, definition: FieldType, start: number, max: number, seeds: Seeds) {
    super(field, definition, seeds)
    this.start = start
    this.first = start + headBytes(max)
    this.max = max
    this.most = Math.min(max, MOST_KEPT)
    this.firstWord = Math.floor(start / WORD)
    this.startByte = start % WORD
    this.lead = this.startByte + headBytes(max)
    this.firstMask = -1 << (this.startByte * BITS_PER_BYTE)
    this.kept = new Int32Array(Math.ceil((this.lead + this.most) / WORD))
    this.keptBytes = new Uint8Array(this.kept.buffer)
  }

  aim(call: string, value: string): number {
    if (typeof value !== 'string' || !this.keep(value)) this.check(call, value)
    return this.hashed
  }

  /** Text that is too long is no bad key: no record has it. */
  override check(call: string, value: unknown): void {
    if (typeof value !== 'string' || !isWellFormed(value)) super.check(call, value)
  }

  /** Hashes and keeps a text in one pass. False if it has a lone surrogate. */
  private keep(value: string): boolean {
    this.text = undefined
    this.bytes = 0
    const { length } = value
    if (length > this.most) return this.hashOnly(value)
    const { keptBytes, lead } = this
    const { start, step } = this.seeds
    let h = start
    let i = 0
    for (; i < length; i++) {
      const unit = value.charCodeAt(i)
      if (unit >= ASCII_END) break
      keptBytes[lead + i] = unit
      h = fold(h, unit, step)
    }
    if (i < length) return this.keepRest(value, i, h)
    this.keepLength(length)
    this.bytes = lead + length
    this.hashed = mix(h)
    this.text = value
    return true
  }

  /** Goes on at unit `from`, the first that is not ASCII, with the hash of those before. */
  private keepRest(value: string, from: number, before: number): boolean {
    const { keptBytes, lead, most } = this
    const { step } = this.seeds
    let h = before
    let bytes = from
    for (let i = from; i < value.length; i++) {
      const point = value.codePointAt(i) as number
      if (isLoneSurrogate(point)) return false
      const size = utf8Size(point)
      h = fold(h, value.charCodeAt(i), step)
      if (size === 4) h = fold(h, value.charCodeAt(++i), step)
      if (bytes + size > most) return this.hashOnly(value)
      for (let behind = size - 1; behind >= 0; behind--) {
        keptBytes[lead + bytes++] = utf8Byte(point, size, behind)
      }
    }
    this.keepLength(bytes)
    this.bytes = lead + bytes
    this.hashed = mix(h)
    this.text = value
    return true
  }

  private hashOnly(value: string): boolean {
    this.hashed = hashText(value, this.seeds)
    return isWellFormed(value)
  }

  private keepLength(length: number): void {
    this.keptBytes[this.startByte] = length
    if (this.max > BYTE_MASK) this.keptBytes[this.startByte + 1] = length >>> BITS_PER_BYTE
  }

  hits(memory: Memory, item: number, value: string): boolean {
    const { bytes, kept } = this
    if (bytes === 0) return this.compares(memory, item, value)
    const at = item + this.firstWord
    const last = (bytes - 1) >>> WORD_SHIFT
    // The bytes of the last word behind the text are not compared: in the record another field's,
    // here those of an earlier text.
    const lastMask = -1 >>> ((last * BYTES_PER_WORD + BYTES_PER_WORD - bytes) * BITS_PER_BYTE)
    if (last === 0) {
      return (((kept[0] as number) ^ memory.peek(at)) & this.firstMask & lastMask) === 0
    }
    if ((((kept[0] as number) ^ memory.peek(at)) & this.firstMask) !== 0) return false
    for (let i = 1; i < last; i++) if (kept[i] !== memory.peek(at + i)) return false
    return (((kept[last] as number) ^ memory.peek(at + last)) & lastMask) === 0
  }

  /** A verb that reads and writes asks twice for one key, and a writer compares the one it has hashed. */
  hash(value: string): number {
    if (value !== this.text) this.keep(value)
    return this.hashed
  }

  hashAt(memory: Memory, item: number): number {
    const length = readLength(memory, item, this.start, this.max)
    return hashUtf8(memory, item, this.first, length, this.seeds)
  }

  equals(memory: Memory, item: number, value: string): boolean {
    return value === this.text ? this.hits(memory, item, value) : this.compares(memory, item, value)
  }

  private compares(memory: Memory, item: number, value: string): boolean {
    const length = readLength(memory, item, this.start, this.max)
    return sameText(memory, item, this.first, length, value)
  }
}

/**
 * The key for a field that starts `start` bytes into its record; undefined: not a type for keys.
 */
export function keyAt(
  field: string,
  definition: FieldType,
  start: number,
  seed: number,
): Key | undefined {
  const seeds = seedsOf(seed)
  switch (definition.kind) {
    case 'u32':
    case 'i32':
      return new WordKey(definition.kind, field, definition, start, seeds)
    case 'i64':
      return new LongKey(field, definition, start, seeds)
    case 'utf8':
      return new TextKey(field, definition, start, definition.max, seeds)
    default:
      return undefined
  }
}
