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
 * very near one half, and it is a bijection, so 32-bit integers never collide at all, and neither do
 * 64-bit integers that agree in one half.
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

import { type FieldType, refuse, WORD } from './field.ts'
import { highWord, lowWord } from './fields.ts'
import type { Memory } from './memory/memory.ts'
import { headBytes, pointAt, readLength, sameText, utf8Size } from './text.ts'

/** Field types that a table can be keyed by. */
export type KeyKind = 'u32' | 'i32' | 'i64' | 'utf8'

/** A key field, as a hash table sees it. Nothing here allocates, except to throw. */
export interface Key<T = unknown> {
  readonly type: KeyKind
  /** Name of the field. */
  readonly field: string
  /** @throws Misuse, in the name of `call`, unless the field could hold `value`. */
  check(call: string, value: unknown): void
  /** 32 well mixed bits, as a signed integer. The value must be one that `check` lets pass. */
  hash(value: T): number
  /** The hash of the key in the record at `item`: equal to `hash` of its value. */
  hashAt(memory: Memory, item: number): number
  /** Whether the record at `item` has this key: the whole key is compared. */
  equals(memory: Memory, item: number, value: T): boolean
}

// ---- hashing ---------------------------------------------------------------------------------

/** 32 bits to 32 bits, one to one, every bit of the input spread over the whole output. */
export function mix(bits: number): number {
  let h = bits
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** Keeps zero from mixing to zero, which would make an empty word look like a hash. */
const SEED = 0x1b873593
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
  private readonly at: number

  constructor(type: 'u32' | 'i32', field: string, definition: FieldType, start: number) {
    super(field, definition)
    this.type = type
    this.at = start / WORD
  }

  hash(value: number): number {
    return mix(value ^ SEED)
  }

  hashAt(memory: Memory, item: number): number {
    return mix(memory.peek(item + this.at) ^ SEED)
  }

  equals(memory: Memory, item: number, value: number): boolean {
    return memory.peek(item + this.at) === (value | 0)
  }
}

class LongKey extends FieldKey implements Key<bigint> {
  readonly type = 'i64'
  private readonly low: number
  private readonly high: number

  constructor(field: string, definition: FieldType, start: number) {
    super(field, definition)
    this.low = start / WORD
    this.high = this.low + 1
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

class TextKey extends FieldKey implements Key<string> {
  readonly type = 'utf8'
  private readonly start: number
  private readonly first: number
  private readonly max: number

  constructor(field: string, definition: FieldType, start: number, max: number) {
    super(field, definition)
    this.start = start
    this.first = start + headBytes(max)
    this.max = max
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

/** The key for a field that starts `start` bytes into its record; undefined: not a type for keys. */
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
