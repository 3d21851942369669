/**
 * What a hash table wants to know about the field it is keyed by.
 *
 * A table meets a key in two forms: as the value that a caller asks for, and as the bytes in the
 * records it walks past. A `Key` answers for both - `hash(value)` and `hashAt(item)` agree bit for
 * bit, `equals` compares the two in full - without making a string or a BigInt on the way.
 *
 * The table takes the TOP bits of a hash as an index, so that a bigger table refines a smaller one.
 * Real keys are 1, 2, 3, ... and user-1, user-2, ...: they differ in their low bits only. Hence one
 * finisher for all, `mix` (murmur3's fmix32): each input bit turns each output bit with probability
 * very near one half, and it is a bijection, so 32-bit integers never collide at all, and neither
 * do 64-bit integers that agree in one half.
 *
 * Text is folded in unit by unit - rotate, xor, multiply: the fastest chain that leaves nothing
 * behind in the high bits (without the rotation, keys that differ only in the case of their letters
 * collided 16 times as often as chance) - and then mixed. The units are UTF-16, as JavaScript holds
 * them, because the asking side is the hot one; the stored UTF-8 is turned into units on the fly,
 * and for ASCII the two are the same.
 *
 * All workers must agree on a hash, so there is no secret seed in it: who lets strangers choose the
 * keys lets them choose collisions too, and should map such keys to numbers of his own first.
 */

import { mix, SEED } from '../memory/compound.ts'
import type { Memory } from '../memory/memory.ts'
import { BYTES_PER_WORD } from '../memory/units.ts'
import { type FieldType, refuse, WORD } from './field.ts'
import { headBytes, pointAt, readLength, sameText, utf8Size } from './text.ts'
import { highWord, lowWord } from './types.ts'

export { mix } from '../memory/compound.ts'

/** Field types that a table can be keyed by. */
export type KeyKind = 'u32' | 'i32' | 'i64' | 'utf8'

/** A key field, as a hash table sees it. Nothing here allocates, except to throw. */
export interface Key<T = unknown> {
  readonly type: KeyKind
  /** Name of the field. */
  readonly field: string
  /** Whether the key is one word: its hash is one to one, and is all there is to compare. */
  readonly isWord: boolean
  /** @throws Misuse, in the name of `call`, unless the field could hold `value`. */
  check(call: string, value: unknown): void
  /**
   * `check` and, for keys of more than a word, `hash` in one pass: how a lookup begins. Then `hits`
   * compares with this very value, and nothing else may be aimed at in between.
   */
  aim(call: string, value: T): number
  /** `equals` for the value aimed at last. */
  hits(memory: Memory, item: number, value: T): boolean
  /** 32 well mixed bits, as a signed integer. The value must be one that `check` lets pass. */
  hash(value: T): number
  /** The hash of the key in the record at `item`: equal to `hash` of its value. */
  hashAt(memory: Memory, item: number): number
  /** Whether the record at `item` has this key: the whole key is compared. */
  equals(memory: Memory, item: number, value: T): boolean
}

// ---- hashing ---------------------------------------------------------------------------------

/** 2^32 divided by the golden ratio: odd, and without a pattern in its bits. */
const GOLDEN = 0x9e3779b1

function fold(h: number, unit: number): number {
  return Math.imul(((h << 5) | (h >>> 27)) ^ unit, GOLDEN)
}

function hashText(text: string): number {
  let h = SEED
  for (let i = 0; i < text.length; i++) h = fold(h, text.charCodeAt(i))
  return mix(h)
}

const PLANE = 0x10000
const HIGH_SURROGATE = 0xd800
const LOW_SURROGATE = 0xdc00
const SURROGATE_BITS = 10
const SURROGATE_MASK = 0x3ff

function hashUtf8(memory: Memory, item: number, at: number, length: number): number {
  const end = at + length
  let h = SEED
  let from = at
  while (from < end) {
    const point = pointAt(memory, item, from)
    from += utf8Size(point)
    if (point < PLANE) {
      h = fold(h, point)
    } else {
      h = fold(h, HIGH_SURROGATE | ((point - PLANE) >>> SURROGATE_BITS))
      h = fold(h, LOW_SURROGATE | (point & SURROGATE_MASK))
    }
  }
  return mix(h)
}

const BITS_PER_BYTE = 8
const WORD_SHIFT = 2
const ASCII_END = 0x80
/**
 * Longer text, in bytes, is rare as a key, and comparing it as it is costs little beside hashing.
 */
const MOST_KEPT = 255

/** Bijective in either half while the other one stays. */
function hashHalves(low: number, high: number): number {
  return mix(low ^ mix(high ^ SEED))
}

// ---- the three sorts of key ------------------------------------------------------------------

/** One class each, so that a table's call sites see one shape, and inline it. */
abstract class FieldKey {
  readonly field: string
  protected readonly definition: FieldType

  constructor(field: string, definition: FieldType) {
    this.field = field
    this.definition = definition
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

  constructor(type: 'u32' | 'i32', field: string, definition: FieldType, start: number) {
    super(field, definition)
    this.type = type
    this.word = start / WORD
    this.signed = type === 'i32'
  }

  override check(call: string, value: unknown): void {
    if (typeof value === 'number' && (this.signed ? value | 0 : value >>> 0) === value) return
    super.check(call, value)
  }

  /** The key itself: the verbs of memory that look for a word hash it on the way. */
  aim(call: string, value: number): number {
    this.check(call, value)
    return value
  }

  hits(memory: Memory, item: number, value: number): boolean {
    return this.equals(memory, item, value)
  }

  hash(value: number): number {
    return mix(value ^ SEED)
  }

  hashAt(memory: Memory, item: number): number {
    return mix(memory.peek(item + this.word) ^ SEED)
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

  constructor(field: string, definition: FieldType, start: number) {
    super(field, definition)
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
    return hashHalves(lowWord(value), highWord(value))
  }

  hashAt(memory: Memory, item: number): number {
    return hashHalves(memory.peek(item + this.low), memory.peek(item + this.high))
  }

  equals(memory: Memory, item: number, value: bigint): boolean {
    return (
      memory.peek(item + this.low) === lowWord(value) &&
      memory.peek(item + this.high) === highWord(value)
    )
  }
}

/**
 * The text aimed at is kept as it would lie in the words of a record, length and all, so that
 * `hits` compares whole words. Where that does not pay - long text, or other than ASCII - it is
 * compared the ordinary way.
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
  /** Bits of that word which are the field's. */
  private readonly firstMask: number
  /** The words of the field, private, and the same as bytes. */
  private readonly kept: Int32Array<ArrayBuffer>
  private readonly keptBytes: Uint8Array<ArrayBuffer>
  /** How many bytes of `kept` are in use, counted from its first word; 0: nothing is kept. */
  private bytes = 0

  constructor(field: string, definition: FieldType, start: number, max: number) {
    super(field, definition)
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
    this.bytes = 0
    if (typeof value !== 'string' || value.length > this.most) return this.aimAnyway(call, value)
    const { keptBytes, lead } = this
    const { length } = value
    // `most` has made sure that a second byte of length, if there is one, is the zero it was.
    keptBytes[this.startByte] = length
    let h = SEED
    let seen = 0
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i)
      seen |= unit
      keptBytes[lead + i] = unit
      h = fold(h, unit)
    }
    if (seen >= ASCII_END) return this.aimAnyway(call, value)
    this.bytes = lead + length
    return mix(h)
  }

  private aimAnyway(call: string, value: string): number {
    this.check(call, value)
    return hashText(value)
  }

  hits(memory: Memory, item: number, value: string): boolean {
    const { bytes, kept } = this
    if (bytes === 0) return this.equals(memory, item, value)
    const at = item + this.firstWord
    const last = (bytes - 1) >>> WORD_SHIFT
    // What the last word holds behind the text is another field's, or of an earlier text here.
    const lastMask = -1 >>> ((last * BYTES_PER_WORD + BYTES_PER_WORD - bytes) * BITS_PER_BYTE)
    if (last === 0) {
      return (((kept[0] as number) ^ memory.peek(at)) & this.firstMask & lastMask) === 0
    }
    if ((((kept[0] as number) ^ memory.peek(at)) & this.firstMask) !== 0) return false
    for (let i = 1; i < last; i++) if (kept[i] !== memory.peek(at + i)) return false
    return (((kept[last] as number) ^ memory.peek(at + last)) & lastMask) === 0
  }

  hash(value: string): number {
    return hashText(value)
  }

  hashAt(memory: Memory, item: number): number {
    return hashUtf8(memory, item, this.first, readLength(memory, item, this.start, this.max))
  }

  equals(memory: Memory, item: number, value: string): boolean {
    const length = readLength(memory, item, this.start, this.max)
    return sameText(memory, item, this.first, length, value)
  }
}

/**
 * The key for a field that starts `start` bytes into its record; undefined: not a type for keys.
 */
export function keyAt(field: string, definition: FieldType, start: number): Key | undefined {
  switch (definition.kind) {
    case 'u32':
    case 'i32':
      return new WordKey(definition.kind, field, definition, start)
    case 'i64':
      return new LongKey(field, definition, start)
    case 'utf8':
      return new TextKey(field, definition, start, definition.max)
    default:
      return undefined
  }
}
