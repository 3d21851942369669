/**
 * What a type of field is, and what all of them share.
 *
 * A type knows three things: how much room it takes, which values it accepts (and how to say so
 * when it does not), and how to fetch and store such a value once it has been given a place. The
 * last is `bind`: called once per field when the schema is made, it returns functions that have the
 * offset baked in: the strictest content security policy has no objection, and nothing is allocated
 * per access. (Reading a record whole is another matter: see codec.ts.)
 *
 * Checks happen where values and addresses come in. A refused value is told in full - call, field,
 * value, what would do - except that a long text is quoted only at its beginning.
 *
 * The nine types themselves are in types.ts.
 */

import type { Item } from '../base/brands.ts'
import { Misuse, show } from '../base/errors.ts'
import { BYTES_PER_WORD, type Memory, memoryOf } from '../memory/memory.ts'
import { utf8Length } from './text.ts'

/** Whatever leads to shared memory: an arena, or in a test a bare `{ memory }`. */
export interface HasMemory {
  /** @internal */
  readonly memory: Memory
  /** What the declarations show instead: an arena has words. */
  readonly words?: object
}

/** Names of the field types, without the sizes of the sized ones. */
export type Kind = 'u32' | 'i32' | 'f32' | 'f64' | 'bool' | 'i64' | 'bytes' | 'utf8' | 'ref'

/**
 * How one field of one schema is fetched and stored. `store` trusts that the value was accepted.
 */
export interface Bound<T> {
  get(arena: HasMemory, item: Item): T
  store(memory: Memory, item: number, value: T): void
}

/** Bytes in a field of one word, and of two: also what they are aligned to. */
export const WORD: number = BYTES_PER_WORD
export const LONG: number = 2 * BYTES_PER_WORD

/** What a type takes of a record; by default its name is its kind and its values fill it. */
export interface Room {
  readonly name?: string
  readonly bytes: number
  readonly max?: number
  readonly align: number
}

/** A type of field: use `u32`, `utf8(64)` and the others; there is no making new ones outside. */
export class FieldType<T = unknown, K extends Kind = Kind> {
  /** Its type without a size, for example `utf8`. */
  readonly kind: K
  /** As it stands in a signature, for example `utf8(64)`. */
  readonly name: string
  /** Room it takes in a record. */
  readonly bytes: number
  /** Most bytes of a value: n of utf8(n) and bytes(n), and the same as `bytes` for the others. */
  readonly max: number
  /** 8, 4 or 1: the multiple of bytes at which it must start. */
  readonly align: number
  /** What it accepts, as a phrase for messages. */
  readonly wanted: string
  /** Whether `value` would come back as it went in. Never throws. */
  readonly accepts: (value: unknown) => boolean
  /** Accessors for a field that starts `start` bytes into the record. */
  readonly bind: (start: number) => Bound<T>

  /** @internal */
  constructor(
    kind: K,
    room: Room,
    wanted: string,
    accepts: (value: unknown) => boolean,
    bind: (start: number) => Bound<T>,
  ) {
    this.kind = kind
    this.name = room.name ?? kind
    this.bytes = room.bytes
    this.max = room.max ?? room.bytes
    this.align = room.align
    this.wanted = wanted
    this.accepts = accepts
    this.bind = bind
    Object.freeze(this)
  }
}

// ---- where records are -----------------------------------------------------------------------

/** The bits that a legal address may have: positive in 31 bits, and even. */
const ADDRESS_BITS = 0x7ffffffe

/**
 * `item` as an address, or Misuse. Following a null `ref` is the commonest slip, and an odd address
 * would make a 64-bit field land in its neighbour; both cost one comparison to exclude.
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
 * What an accessor throws that could not go on: Misuse if what it was given is no arena. A handler
 * costs the accessors nothing; a question would.
 */
export function noArena(error: unknown, arena: unknown): unknown {
  try {
    memoryOf('record', arena)
    return error
  } catch (misuse) {
    return misuse
  }
}

// ---- complaints ------------------------------------------------------------------------------

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
