/**
 * FreeBSD's pctrie, part of `uma-smr/freebsd`: the lookups of PCTRIE_DEFINE_SMR by their own names,
 * over an ordered table.
 *
 *     const ranges = pctrie_init(arena, 'ranges', Range, 'start')
 *     smr_enter(ranges.smr)
 *     const item = pctrie_lookup_unlocked(ranges, 170)
 *     smr_exit(ranges.smr)
 *
 * Sources: sys/sys/pctrie.h and sys/kern/subr_pctrie.c. The same: names, order of arguments, what is
 * found, and that unlocked lookups run in the caller's section. Different, besides what each function
 * says:
 *
 *   - A value is a record, which the tree copies in and owns: `pctrie_insert` takes an object, and what
 *     is removed is freed by the tree, when no reader can see it.
 *   - A key is a field of the record, of any type that an ordered table can have; there it has 64 bits.
 *   - Writers need no lock of the caller's: the tree has one, and it is robust.
 *   - Lookups of the nearest key are legal beside writers. There they want the writers' lock.
 *   - The smr is the tree's own, and no argument.
 */

import type { Arena } from '../arena/arena.ts'
import { type Item, NULL_ITEM } from '../base/brands.ts'
import { Exhausted, integer, Misuse, show } from '../base/errors.ts'
import type { OrderKeyNames } from '../order/key.ts'
import { OrderedTable } from '../order/table.ts'
import type { Fields, Schema, ValueOf, Values } from '../record/record.ts'
import type { smr_t } from './smr9.ts'

/** What `pctrie_insert` returns when there is no memory. */
export const ENOMEM = 12

/** A tree, for one worker. */
export type pctrie<F extends Fields, N extends OrderKeyNames<F>> = OrderedTable<F, N>

/** As many keys as any tree can have. */
const MOST = 2 ** 31 - 1

/** The fields that have a next key. */
type Consecutive = number | bigint

/**
 * Makes the tree of this name, or opens it if there is one: `key` is the field of the records that they
 * are in the order of. Misuse for another record, or key, than it was made with; Exhausted when there is
 * no memory for it. Blocks on the directory's lock, and while another worker makes a table; legal inside
 * a section.
 */
export function pctrie_init<const F extends Fields, const N extends OrderKeyNames<F>>(
  arena: Arena,
  name: string,
  record: Schema<F>,
  key: N,
  smr?: smr_t,
): pctrie<F, N> {
  try {
    return OrderedTable.create(arena, name, { record, key, ...(smr && { smr }) })
  } catch (error) {
    if (!(error instanceof Misuse && 'table' in error.facts)) throw error
    return OrderedTable.open(arena, name, { record, key })
  }
}

/** Whether the tree is empty, or was a moment ago. Misuse after detach. Never blocks; legal in a section. */
export function pctrie_is_empty<F extends Fields, N extends OrderKeyNames<F>>(
  ptree: pctrie<F, N>,
): boolean {
  return checked('pctrie_is_empty', ptree).size === 0
}

/**
 * Puts a record: 0, or ENOMEM, and nothing has changed. Misuse if its key is there, where the kernel
 * panics, for a record that does not fit, and inside a section of the tree's domain. Blocks as
 * `table.set`.
 */
export function pctrie_insert<F extends Fields, N extends OrderKeyNames<F>>(
  ptree: pctrie<F, N>,
  val: Readonly<Values<F>>,
): number {
  try {
    if (checked('pctrie_insert', ptree).insert(val)) return 0
  } catch (error) {
    // Not a lock that could not be had in time.
    if (error instanceof Exhausted && !('lock' in error.facts)) return ENOMEM
    throw error
  }
  throw new Misuse(`pctrie_insert: tree ${show(ptree.name)}: the key is present; remove it first`, {
    table: ptree.name,
  })
}

/**
 * A copy of the record with this key, or null. Misuse for a key of another type. Never blocks; legal in
 * a section.
 */
export function pctrie_lookup<F extends Fields, N extends OrderKeyNames<F>>(
  ptree: pctrie<F, N>,
  key: ValueOf<F[N]>,
): Values<F> | null {
  return checked('pctrie_lookup', ptree).get(key) ?? null
}

/**
 * A copy of the record with the least key that is not less, or null: `table.ceiling`, which says when it
 * blocks. Misuse for a key of another type; legal in a section.
 */
export function pctrie_lookup_ge<F extends Fields, N extends OrderKeyNames<F>>(
  ptree: pctrie<F, N>,
  key: ValueOf<F[N]>,
): Values<F> | null {
  return checked('pctrie_lookup_ge', ptree).ceiling(key) ?? null
}

/**
 * A copy of the record with the greatest key that is not greater, or null: `table.floor`, which says when
 * it blocks. Misuse for a key of another type; legal in a section.
 */
export function pctrie_lookup_le<F extends Fields, N extends OrderKeyNames<F>>(
  ptree: pctrie<F, N>,
  key: ValueOf<F[N]>,
): Values<F> | null {
  return checked('pctrie_lookup_le', ptree).floor(key) ?? null
}

/**
 * The record with this key where it lies, 0 if there is none. Only in a section of the tree's domain,
 * and valid in it: Misuse outside, and for a key of another type. Never blocks.
 */
export function pctrie_lookup_unlocked<F extends Fields, N extends OrderKeyNames<F>>(
  ptree: pctrie<F, N>,
  key: ValueOf<F[N]>,
): Item {
  return checked('pctrie_lookup_unlocked', ptree).find(key)
}

/**
 * Fills `value` with the records of the keys `index`, `index` + 1 and so on, as far as they are there
 * one after the other, at most `count`; returns how many. Only for integer keys. Each was there at some
 * moment of the call, not all at the same one, as in the kernel. Only in a section of the tree's domain:
 * Misuse outside, and for a key of another type. Never blocks.
 */
export function pctrie_lookup_range_unlocked<F extends Fields, N extends OrderKeyNames<F>>(
  ptree: pctrie<F, N>,
  index: ValueOf<F[N]> & Consecutive,
  value: Item[],
  count: number,
): number {
  const call = 'pctrie_lookup_range_unlocked'
  const table = checked(call, ptree)
  table.smr.assertEntered()
  integer(call, 'count', count, 0, MOST)
  let found = 0
  for (const key of following(call, table, index, count)) {
    const item = table.find(key as ValueOf<F[N]>)
    if (item === NULL_ITEM) break
    value[found++] = item
  }
  return found
}

/**
 * `pctrie_lookup_range_unlocked` in a section of its own, with copies. Misuse for a key of another type.
 * Never blocks; legal in a section.
 */
export function pctrie_lookup_range<F extends Fields, N extends OrderKeyNames<F>>(
  ptree: pctrie<F, N>,
  index: ValueOf<F[N]> & Consecutive,
  value: Values<F>[],
  count: number,
): number {
  const call = 'pctrie_lookup_range'
  const table = checked(call, ptree)
  integer(call, 'count', count, 0, MOST)
  let found = 0
  for (const key of following(call, table, index, count)) {
    const record = table.get(key as ValueOf<F[N]>)
    if (record === undefined) break
    value[found++] = record
  }
  return found
}

/**
 * Puts a record in the place of the one with its key, and returns a copy of that. Misuse if there is
 * none, where the kernel panics, and inside a section of the tree's domain. Blocks as `table.update`.
 */
export function pctrie_replace<F extends Fields, N extends OrderKeyNames<F>>(
  ptree: pctrie<F, N>,
  newval: Readonly<Values<F>>,
): Values<F> {
  const { field } = checked('pctrie_replace', ptree).parts.trie.key
  let before: Values<F> | undefined
  ptree.update((newval as Record<string, unknown>)[field] as ValueOf<F[N]>, (old) => {
    before = old
    return old && newval
  })
  if (before !== undefined) return before
  throw new Misuse(`pctrie_replace: tree ${show(ptree.name)}: the key is not present`, {
    table: ptree.name,
  })
}

/**
 * Removes the record with this key. Misuse if there is none, where the kernel panics, and inside a
 * section of the tree's domain. Blocks as `table.delete`.
 */
export function pctrie_remove<F extends Fields, N extends OrderKeyNames<F>>(
  ptree: pctrie<F, N>,
  key: ValueOf<F[N]>,
): void {
  if (checked('pctrie_remove', ptree).delete(key)) return
  throw new Misuse(`pctrie_remove: tree ${show(ptree.name)}: the key is not present`, {
    table: ptree.name,
  })
}

/**
 * Removes the record with this key and returns a copy, or null if there is none. Misuse inside a section
 * of the tree's domain. Blocks as `table.update`.
 */
export function pctrie_remove_lookup<F extends Fields, N extends OrderKeyNames<F>>(
  ptree: pctrie<F, N>,
  key: ValueOf<F[N]>,
): Values<F> | null {
  let found: Values<F> | null = null
  checked('pctrie_remove_lookup', ptree).update(key, (old) => {
    found = old ?? null
    return undefined
  })
  return found
}

/** `count` keys from `index` on. */
function* following(
  call: string,
  { name, parts }: Pick<OrderedTable, 'name' | 'parts'>,
  index: unknown,
  count: number,
): Generator<number | bigint, void, undefined> {
  if (typeof index !== 'number' && typeof index !== 'bigint') {
    throw new Misuse(
      `${call}: tree ${show(name)}: index is ${show(index)}; only integer keys follow one another`,
      { table: name },
    )
  }
  for (let i = 0; i < count; i++) {
    const key = typeof index === 'number' ? index + i : index + BigInt(i)
    // Behind the last key of its type there is none.
    if (i > 0 && !isKey(parts.trie.key.type, key)) return
    yield key
  }
}

/** Whether an integer field of this type can hold what comes after a key. */
function isKey(type: string, key: number | bigint): boolean {
  if (typeof key === 'bigint') return BigInt.asIntN(64, key) === key
  return key < (type === 'i32' ? 2 ** 31 : 2 ** 32)
}

function checked<T>(call: string, ptree: T): T {
  if (ptree instanceof OrderedTable) return ptree
  throw new Misuse(`${call}: ptree is ${show(ptree)}; give what pctrie_init returned`)
}
