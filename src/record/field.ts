/**
 * Types of fields: what they have in common. Nine types are in types.ts, and numbers that
 * change in place in atomic.ts.
 *
 * A type says how much room it takes, which values it accepts, and how to load and store a value at
 * an offset. The last is `bind`: called once per field when the schema is made, it returns closures
 * over the offset, so that no code is generated and nothing is allocated per access. (For whole
 * records see codec.ts.)
 *
 * Values and addresses are checked where they come in. The error for a refused value has the call,
 * the field, the value and what is accepted; of a long text only the beginning.
 */

import type { Item } from '../base/brands.ts'
import { Misuse, show } from '../base/errors.ts'
import { BYTES_PER_WORD, type HasMemory, type Memory, memoryOf } from '../memory/memory.ts'
import { utf8Length } from './text.ts'

/** Names of the field types, without sizes. */
export type FieldKind =
  | 'u32'
  | 'i32'
  | 'f32'
  | 'f64'
  | 'bool'
  | 'i64'
  | 'bytes'
  | 'utf8'
  | 'ref'
  | 'atomic'
  | 'text'
  | 'data'
  | 'json'

/** Loads and stores one field of one schema. For `store` the value must have been accepted. */
export interface Bound<T> {
  get(arena: HasMemory, item: Item): T
  store(memory: Memory, item: number, value: T): void
}

/** Bytes in a field of one word, and of two; also their alignment. */
export const WORD: number = BYTES_PER_WORD
export const LONG: number = 2 * BYTES_PER_WORD

/** The room that a type takes in a record. Default: `name` is the kind, `max` is `bytes`. */
export interface Room {
  readonly name?: string
  readonly bytes: number
  readonly max?: number
  readonly align: number
}

/** A type of field: `u32`, `utf8(64)` and the others. Users cannot make new ones. */
export class FieldType<T = unknown, K extends FieldKind = FieldKind> {
  /** Its type without a size, for example `utf8`. */
  readonly kind: K
  /** The name in a signature, for example `utf8(64)`. */
  readonly name: string
  /** Room it takes in a record. */
  readonly bytes: number
  /** Most bytes of a value: n of utf8(n) and bytes(n), and the same as `bytes` for the others. */
  readonly max: number
  /** 8, 4 or 1: the multiple of bytes at which it must start. */
  readonly align: number
  /** What it accepts, for messages. */
  readonly wanted: string
  /** Whether `value` would be read back unchanged. Never throws. */
  readonly accepts: (value: unknown) => boolean
  /** Accessors for a field that starts `start` bytes into the record. */
  readonly bind: (start: number) => Bound<T>
  /**
   * Of fields without a maximum: what is to be stored for `value`, undefined if it is refused. Runs once
   * for each value. @internal
   */
  readonly take: ((value: unknown) => unknown) | undefined

  /** @internal */
  constructor(
    kind: K,
    room: Room,
    wanted: string,
    accepts: (value: unknown) => boolean,
    bind: (start: number) => Bound<T>,
    take?: (value: unknown) => unknown,
  ) {
    this.kind = kind
    this.name = room.name ?? kind
    this.bytes = room.bytes
    this.max = room.max ?? room.bytes
    this.align = room.align
    this.wanted = wanted
    this.accepts = accepts
    this.bind = bind
    this.take = take
    Object.freeze(this)
  }
}

// ---- addresses -------------------------------------------------------------------------------

/** The bits that a legal address may have: positive in 31 bits, and even. */
const ADDRESS_BITS = 0x7ffffffe

/**
 * `item` as an address, or Misuse. Following a null `ref` is the most common mistake, and at an odd
 * address a 64-bit field would overlap its neighbour; one comparison excludes both.
 */
export function addressOf(item: Item): number {
  if (typeof item !== 'number' || (item & ADDRESS_BITS) !== item || item === 0) badItem(item)
  return item
}

function badItem(item: number): never {
  const what = item === 0 ? 'null (0)' : show(item)
  throw new Misuse(`record: item is ${what}; give the address of a record, positive and even`, {
    item: show(item),
  })
}

/**
 * The error of an accessor that failed: Misuse if `arena` is none. A handler costs the accessors
 * nothing; a check would.
 */
export function noArena(error: unknown, arena: unknown): unknown {
  try {
    memoryOf('record', arena)
    return error
  } catch (misuse) {
    return misuse
  }
}

// ---- errors ----------------------------------------------------------------------------------

/** Most characters of a refused text that a message repeats. */
const QUOTED = 40

function describe(value: unknown): string {
  if (ArrayBuffer.isView(value)) return `${show(value)} of ${plural(value.byteLength)}`
  if (typeof value !== 'string') return show(value)
  const bytes = utf8Length(value)
  const quote = value.length > QUOTED ? `${show(value.slice(0, QUOTED))}...` : show(value)
  return `${quote} (${bytes < 0 ? 'with a lone surrogate' : `${plural(bytes)} in UTF-8`})`
}

function plural(bytes: number): string {
  return bytes === 1 ? '1 byte' : `${bytes} bytes`
}

/** Throws Misuse: `value` is not what field `field` of type `type` may hold. */
export function refuse(call: string, field: string, type: FieldType, value: unknown): never {
  const what = describe(value)
  throw new Misuse(`${call}: ${field} is ${what}; give ${type.wanted}`, {
    field,
    type: type.name,
    value: what,
    wanted: type.wanted,
  })
}
