/**
 * Atomic fields: numbers of 32 bits that change in place, while the rest of a record never does.
 *
 *   value   the number, or SEAL
 *   kept    the number, while `value` is SEAL
 *
 * An addition is one CAS on `value`, without a lock. But records are replaced, and an addition to one
 * that has been replaced would be lost. So whoever takes a record out of its place, which wants a lock,
 * first seals its atomic fields: from then on `kept` is the number, and every CAS of an addition fails.
 *
 * [A1] A seal is a CAS from the value that was stored to `kept` before. Against an addition's CAS [A2]:
 *      if the addition comes first, the seal fails, and is tried again with the sum;
 *      if the seal comes first, the addition finds SEAL and changes nothing: it looks its key up again.
 *      Otherwise (a plain store, or `kept` written from an older load) a sum would be thrown away.
 * [A3] A reader loads `value`, and if that is SEAL, `kept`. Against a seal:
 *      if its first load comes before the CAS, it has the number;
 *      if it comes after, `kept` was stored before, and is the number.
 *      Otherwise (`kept` stored after the CAS) it would read what `kept` was at an earlier seal. What it
 *      finds in `kept` when the field has been opened and sealed again meanwhile was the number at some
 *      moment between its two loads: `kept` is stored with what `value` is at that time, or else while
 *      the field is sealed.
 * [A4] A change under the lock is one store to `kept` of a sealed field; then the field may be opened,
 *      by a store of the same number to `value`. Readers find the new number from the first store on. A
 *      death between the two leaves it sealed, which is no harm: readers read `kept`, and who wants to
 *      add takes the lock, and opens it.
 *
 * So each of the 2^32 numbers can be held, SEAL too: it is kept. Then additions take the lock.
 *
 * What a seal stands for beyond the lock. A record's version (writer.ts) says which record it is. As long
 * as a record is sealed it says more: who changes or opens a field that he has found sealed gives the
 * record a new version first. So who seals a record, and later finds the version that it had then, knows
 * that nothing was added in between. A version alone says nothing about additions.
 */

import type { Item } from '../base/brands.ts'
import { integer, Misuse, show } from '../base/errors.ts'
import type { HasMemory, Memory } from '../memory/memory.ts'
import { addressOf, FieldType, noArena, WORD } from './field.ts'
import { i32, u32 } from './types.ts'

/** In `value`: the number is in `kept`. As unlikely a number as any. */
export const SEAL: number = 0x80000001 | 0
/** From `value` to `kept`. */
const KEPT = 1
/**
 * How often a CAS is tried again. Each failure is another worker's success; it is rare beyond a few.
 */
const MOST_TRIES = 100
const MOST_SEAL_TRIES = 100_000

// ---- the two words ---------------------------------------------------------------------------

/** The number in the field at `at`, as a signed word. */
export function heldAt(memory: Memory, at: number): number {
  const value = memory.load(at)
  return value === SEAL ? memory.load(at + KEPT) : value // [A3]
}

/**
 * Adds, and returns the sum as a signed word. SEAL: nothing was added, because the field is sealed, or
 * would hold SEAL, or changes too often.
 */
export function addAt(memory: Memory, at: number, delta: number): number {
  for (let i = 0; i < MOST_TRIES; i++) {
    const value = memory.load(at)
    const sum = (value + delta) | 0
    if (value === SEAL || sum === SEAL) return SEAL
    if (memory.cas(at, value, sum) === value) return sum // [A2]
  }
  return SEAL
}

/**
 * Stores `value` if the field holds `expected`. Returns the number before, as a signed word. SEAL:
 * nothing was done, as in `addAt`.
 */
export function exchangeAt(memory: Memory, at: number, expected: number, value: number): number {
  if (value === SEAL) {
    const before = memory.load(at)
    return before === expected ? SEAL : before
  }
  // An `expected` of SEAL must not open a field that is sealed.
  if (expected === SEAL) return memory.load(at)
  return memory.cas(at, expected, value) // [A2]
}

/** Whether the field is sealed. */
export function isSealed(memory: Memory, at: number): boolean {
  return memory.load(at) === SEAL
}

/**
 * Seals the field, if it is not. The lock is held. False: others add to it all the time, and it is open.
 */
export function sealAt(memory: Memory, at: number): boolean {
  for (let i = 0; i < MOST_SEAL_TRIES; i++) {
    const value = memory.load(at)
    if (value === SEAL) return true
    memory.store(at + KEPT, value)
    if (memory.cas(at, value, SEAL) === value) return true // [A1]
  }
  return false
}

/** The number in a field that is sealed. The lock is held. */
export function keptAt(memory: Memory, at: number): number {
  return memory.load(at + KEPT)
}

/** Changes a field that is sealed, and leaves it so. The lock is held. */
export function keepAt(memory: Memory, at: number, value: number): void {
  memory.store(at + KEPT, value) // [A4]
}

/** Opens a field that is sealed. The lock is held. */
export function openAt(memory: Memory, at: number): void {
  memory.store(at, memory.load(at + KEPT))
}

// ---- the type --------------------------------------------------------------------------------

/** An atomic field of a record. */
export interface AtomicField {
  readonly name: string
  /** Words from the start of the record to `value`. */
  readonly offset: number
  /** What it holds: u32 or i32. */
  readonly definition: FieldType
  readonly isSigned: boolean
}

const SIGNED = i32.name
const nameOf = (of: FieldType): string => `atomic(${of.name})`

/**
 * A number that changes in place: `table.add` and `table.compareExchange` do so as one step, without
 * replacing the record, and no change is lost. `of` is `u32` or `i32`, and says which numbers. Takes two
 * words. Otherwise as a field of that type; it cannot be a key. Never blocks; legal anywhere.
 * @throws Misuse when `of` is another type.
 */
export function atomic(
  of: FieldType<number, 'u32'> | FieldType<number, 'i32'>,
): FieldType<number, 'atomic'> {
  if (of !== u32 && of !== i32) {
    const what = of instanceof FieldType ? (of as FieldType).name : show(of)
    throw new Misuse(`atomic: type is ${what}; give u32 or i32`, { type: what })
  }
  const isSigned = of === i32
  return new FieldType(
    'atomic',
    { name: nameOf(of), bytes: 2 * WORD, align: WORD },
    of.wanted,
    of.accepts,
    (start) => {
      const at = start / WORD
      return {
        get: (arena, item) => {
          try {
            const held = heldAt(arena.memory, addressOf(item) + at)
            return isSigned ? held : held >>> 0
          } catch (error) {
            throw noArena(error, arena)
          }
        },
        // Before publication, so that plain stores do.
        store: (memory, item, value) => {
          memory.poke(item + at, value | 0)
          memory.poke(item + at + KEPT, value | 0)
        },
      }
    },
  )
}

/** The field, if it is an atomic one. */
export function atomicField(
  name: string,
  definition: FieldType,
  offset: number,
): AtomicField | undefined {
  if (definition.kind !== 'atomic') return undefined
  return { name, offset, definition, isSigned: definition.name === `atomic(${SIGNED})` }
}

// ---- additions -------------------------------------------------------------------------------

const LEAST_DELTA = -(2 ** 31)
const MOST_DELTA = 2 ** 32 - 1

/** Misuse unless it can be added. */
export function checkDelta(call: string, delta: unknown): void {
  integer(call, 'delta', delta, LEAST_DELTA, MOST_DELTA)
}

/** `schema.add.field`. */
export type Adder = (arena: HasMemory, item: Item, delta: number) => number | undefined

export function adderOf({ name, offset, isSigned }: AtomicField): Adder {
  const call = `record.add.${name}`
  return (arena, item, delta) => {
    checkDelta(call, delta)
    const at = addressOf(item) + offset
    try {
      const sum = addAt(arena.memory, at, delta)
      if (sum === SEAL) return undefined
      return isSigned ? sum : sum >>> 0
    } catch (error) {
      throw noArena(error, arena)
    }
  }
}
