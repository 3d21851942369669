/**
 * The XNU dialect's scalable hash tables: smr_hash.h's `smr_shash_*`, over a hash table.
 *
 *     const traits = SMRH_TRAITS_DEFINE_SCALAR(Task, 'pid')
 *     const tasks = smr_shash_init(arena, 'tasks', traits, SMRSH_BALANCED, 64)     // in each worker
 *     if (smr_shash_get_or_insert(tasks, 17, { pid: 17, age: 0 }, traits) === null) made()
 *     const task = smr_shash_get(tasks, 17, traits)
 *
 * The source is xnu-11215's osfmk/kern/smr_hash.h, its second half. The two have the same shape: readers
 * take no lock, writers lock a part of the table, it grows by itself. The first half, `smr_hash_*`, is a
 * chain of queues for each hash and a lock of one's own: examples/xnu/hashTable.ts makes it.
 *
 * Different:
 *   - An element is a record that the table copies in and owns. What is inserted is an object; what is
 *     removed is freed by the table, when no reader can see it, and is not the caller's to retire.
 *   - So the verbs that write are Misuse inside a section of the domain, as freeing is in the kernel too.
 *     `smr_shash_entered_get_or_insert`, `_remove` and `_replace` are left out for that: use the names
 *     without `entered`, which take a key where the kernel takes a link.
 *   - A cursor locks nothing. `smr_shash_entered_mut_begin` writes down which version of the element it
 *     was made for; erase and replace, after the section, change the table only if that is still there,
 *     and say whether they did. Any number of cursors may be open; to abort only forgets one.
 *   - What leaves a section is a copy. `obj_try_get` can refuse an element: `smr_shash_get` then finds
 *     none. It runs in a section, and may count something in an atomic field of the element.
 *   - Keys are integers or text: there is no SMRH_TRAITS_DEFINE_MEM.
 *   - The seed is random from the beginning and never changes, so there is no rehashing of deep chains:
 *     strangers do not know the seed.
 *   - The policy is a choice of knobs, told at each constant. Growing is the same for all: a part of the
 *     table that has more than two records for each chain gets four times as many chains. To shrink is
 *     the work of the worker that removes, each 256th time, and is put off when it would have to wait.
 */

import type { Arena } from '../arena/arena.ts'
import { type Item, NULL_ITEM } from '../base/brands.ts'
import { Exhausted, integer, Misuse, show } from '../base/errors.ts'
import type { Fields, KeyNames, Schema, ValueOf, Values } from '../record/record.ts'
import type { Smr } from '../smr/domain.ts'
import { Race } from '../table/race.ts'
import { HashTable } from '../table/table.ts'
import { indexOfKey } from '../table/verbs.ts'
import { assertArena, assertIs } from './cold.ts'

// ---- traits ------------------------------------------------------------------------------------

/** Refuses an element that is on its way out; runs in a section, on the element where it lies. */
export type obj_try_get_t = (obj: Item) => boolean

/** Further traits. */
export interface smrh_traits_options_t {
  /** The domain that protects the elements. Default: one of the table's own, of the same name. */
  readonly domain?: Smr
  /** Default: every element that is found will do. */
  readonly obj_try_get?: obj_try_get_t
}

/** What the elements of a table are, and how they are told apart. */
export class smrh_traits_t<F extends Fields, N extends KeyNames<F>> {
  /** The schema of the elements. */
  readonly record: Schema<F>
  /** The field that is the key. */
  readonly key: N
  /** The domain, if it is not the table's own. */
  readonly domain: Smr | undefined
  /** Whether an element may be had. */
  readonly obj_try_get: obj_try_get_t

  /** @internal Use `SMRH_TRAITS_DEFINE_SCALAR` or `SMRH_TRAITS_DEFINE_STR`. */
  constructor(record: Schema<F>, key: N, options: smrh_traits_options_t) {
    this.record = record
    this.key = key
    this.domain = options.domain
    this.obj_try_get = options.obj_try_get ?? (() => true)
  }
}

/**
 * Traits of elements whose key is an integer. Misuse for a field of another type. Never blocks; legal in
 * a section.
 */
export function SMRH_TRAITS_DEFINE_SCALAR<const F extends Fields, const N extends KeyNames<F>>(
  record: Schema<F>,
  key: N,
  options: smrh_traits_options_t = {},
): smrh_traits_t<F, N> {
  return traitsOf('SMRH_TRAITS_DEFINE_SCALAR', ['u32', 'i32', 'i64'], record, key, options)
}

/**
 * Traits of elements whose key is text. Misuse for a field of another type. Never blocks; legal in a
 * section.
 */
export function SMRH_TRAITS_DEFINE_STR<const F extends Fields, const N extends KeyNames<F>>(
  record: Schema<F>,
  key: N,
  options: smrh_traits_options_t = {},
): smrh_traits_t<F, N> {
  return traitsOf('SMRH_TRAITS_DEFINE_STR', ['utf8'], record, key, options)
}

function traitsOf<F extends Fields, N extends KeyNames<F>>(
  call: string,
  types: readonly string[],
  record: Schema<F>,
  key: N,
  options: smrh_traits_options_t,
): smrh_traits_t<F, N> {
  const fields: unknown = (record as Partial<Schema<F>> | null | undefined)?.fields
  if (!Array.isArray(fields)) {
    throw new Misuse(`${call}: record is ${show(record)}; give what record() returned`)
  }
  const type = record.fields.find((each) => each.name === key)?.definition.kind
  if (type === undefined || !types.includes(type)) {
    throw new Misuse(
      `${call}: key is ${show(key)}, of type ${show(type)}; give a field of type ${types.join(', ')}`,
    )
  }
  const { obj_try_get } = options
  if (obj_try_get !== undefined && typeof obj_try_get !== 'function') {
    throw new Misuse(`${call}: obj_try_get is ${show(obj_try_get)}; give a function`)
  }
  return new smrh_traits_t(record, key, options)
}

/** Opens a section of the table's domain; never blocks. Misuse in one. */
export function smrht_enter<F extends Fields, N extends KeyNames<F>>(smrh: smr_shash<F, N>): void {
  checked('smrht_enter', smrh).table.smr.enter()
}

/** Closes it. Misuse when none is open; never blocks. */
export function smrht_leave<F extends Fields, N extends KeyNames<F>>(smrh: smr_shash<F, N>): void {
  checked('smrht_leave', smrh).table.smr.exit()
}

// ---- policies ----------------------------------------------------------------------------------

/** How a table trades memory for short chains. */
export type smrsh_policy_t = 0 | 1 | 2 | 3
/** Little memory: 4 stripes, so few pages when it has grown; shrinks below one record for 4 chains. */
export const SMRSH_COMPACT = 0
/** Between: the default number of stripes; shrinks below one record for 16 chains. */
export const SMRSH_BALANCED = 1
/** The same, and never shrinks: for tables that live as long as the program. */
export const SMRSH_BALANCED_NOSHRINK = 2
/** Short chains, few meetings of writers: 64 stripes, four times the chains at first; never shrinks. */
export const SMRSH_FASTEST = 3

interface Policy {
  /** Stripes of the table; undefined: the default. */
  readonly stripes: number | undefined
  /** Chains at the beginning, for each of the least size. */
  readonly room: number
  /** It shrinks when it has more chains for each record, to half as many; NEVER: it does not. */
  readonly mostChains: number
}

const NEVER = 0
const POLICIES: readonly Policy[] = [
  { stripes: 4, room: 1, mostChains: 4 },
  { stripes: undefined, room: 1, mostChains: 16 },
  { stripes: undefined, room: 1, mostChains: NEVER },
  { stripes: 64, room: 4, mostChains: NEVER },
]
const MOST_MIN_SIZE = 2 ** 24
const REMOVALS_PER_LOOK = 256

// ---- tables ------------------------------------------------------------------------------------

/** A table, for one worker; `table` is the core's. */
export class smr_shash<F extends Fields, N extends KeyNames<F>> {
  /** The core's table: what has no name here is its method. */
  readonly table: HashTable<F, N>
  private readonly policy: Policy
  private readonly minSize: number
  private removals = 0

  /** @internal Use `smr_shash_init`. */
  constructor(table: HashTable<F, N>, policy: Policy, minSize: number) {
    this.table = table
    this.policy = policy
    this.minSize = minSize
  }

  /** After a removal: gives chains back that a policy does not want. @internal */
  removed(): void {
    const { table, policy, minSize } = this
    if (policy.mostChains === NEVER || ++this.removals % REMOVALS_PER_LOOK !== 0) return
    const { chains, size } = table.stats()
    if (chains <= Math.max(policy.mostChains * size, minSize)) return
    try {
      const wanted = Math.ceil((policy.mostChains * size) / 2)
      table.resize(Math.max(wanted, minSize), { timeoutMs: 0 })
    } catch (error) {
      // Readers are in the arrays of the last move, or there is no memory: another removal tries again.
      if (!(error instanceof Exhausted)) throw error
    }
  }
}

/**
 * Makes the table of this name, or opens it if there is one; every worker calls it with the same
 * arguments. `min_size`: chains below which it does not shrink. Misuse if it exists with other traits or
 * stripes; Exhausted when there is no memory for it. Blocks while another worker makes a table; legal
 * in a section.
 */
export function smr_shash_init<F extends Fields, N extends KeyNames<F>>(
  arena: Arena,
  name: string,
  traits: smrh_traits_t<F, N>,
  policy: smrsh_policy_t,
  min_size: number,
): smr_shash<F, N> {
  const call = 'smr_shash_init'
  assertArena(call, arena)
  const { record, key, domain } = traitsIn(call, traits)
  const found = POLICIES[policy]
  if (found === undefined) {
    throw new Misuse(`${call}: policy is ${show(policy)}; give one of the four SMRSH_ constants`)
  }
  integer(call, 'min_size', min_size, 1, MOST_MIN_SIZE)
  const { room, stripes } = found
  const table = HashTable.openOrCreate(arena, name, {
    record,
    key,
    capacity: min_size * room,
    ...(stripes !== undefined && { stripes }),
    ...(domain && { smr: domain }),
  })
  return new smr_shash(table, found, min_size)
}

/**
 * Ends the table: `free` is given a copy of each element that is left. No worker uses it any more.
 * Blocks until readers have left, and throws, as `table.destroy`; Misuse in a section.
 */
export function smr_shash_destroy<F extends Fields, N extends KeyNames<F>>(
  smrh: smr_shash<F, N>,
  traits: smrh_traits_t<F, N>,
  free?: (obj: Values<F>) => void,
): void {
  const call = 'smr_shash_destroy'
  traitsIn(call, traits)
  const { table } = checked(call, smrh)
  table.smr.assertNotEntered()
  if (free !== undefined) table.forEach(free)
  table.destroy()
}

// ---- reading -----------------------------------------------------------------------------------

/**
 * The element with this key where it lies, 0 if there is none; `obj_try_get` is not asked. Only in a
 * section of the domain, and valid in it: Misuse outside, and for a key of another type. Never blocks.
 */
export function smr_shash_entered_find<F extends Fields, N extends KeyNames<F>>(
  smrh: smr_shash<F, N>,
  key: ValueOf<F[N]>,
  traits: smrh_traits_t<F, N>,
): Item {
  traitsIn('smr_shash_entered_find', traits)
  return checked('smr_shash_entered_find', smrh).table.find(key)
}

/**
 * `smr_shash_entered_find`, if `obj_try_get` agrees; else 0. Valid in the section: what it needs beyond
 * that, `obj_try_get` must see to. Misuse as there. Never blocks.
 */
export function smr_shash_entered_get<F extends Fields, N extends KeyNames<F>>(
  smrh: smr_shash<F, N>,
  key: ValueOf<F[N]>,
  traits: smrh_traits_t<F, N>,
): Item {
  const item = smr_shash_entered_find(smrh, key, traits)
  return item !== NULL_ITEM && traits.obj_try_get(item) ? item : NULL_ITEM
}

/**
 * A copy of the element with this key, or null if there is none or `obj_try_get` refuses it. Opens a
 * section of its own, or runs in the caller's: legal in one, never blocks. Misuse for a key of another
 * type.
 */
export function smr_shash_get<F extends Fields, N extends KeyNames<F>>(
  smrh: smr_shash<F, N>,
  key: ValueOf<F[N]>,
  traits: smrh_traits_t<F, N>,
): Values<F> | null {
  traitsIn('smr_shash_get', traits)
  const { table } = checked('smr_shash_get', smrh)
  return table.read(key, (item) => copied(table, item, traits)) ?? null
}

function copied<F extends Fields, N extends KeyNames<F>>(
  { arena, schema }: HashTable<F, N>,
  item: Item,
  traits: smrh_traits_t<F, N>,
): Values<F> | undefined {
  return traits.obj_try_get(item) ? schema.read(arena, item) : undefined
}

// ---- writing -----------------------------------------------------------------------------------

/**
 * Puts `obj`, whose key is `key`, and returns null; if an element is there that `obj_try_get` does not
 * refuse, returns a copy of that. One that it refuses is replaced. Misuse in a section of the domain, for
 * an object that does not fit, and for another key than it has; Exhausted when there is no memory. Blocks
 * as `table.update`.
 */
export function smr_shash_get_or_insert<F extends Fields, N extends KeyNames<F>>(
  smrh: smr_shash<F, N>,
  key: ValueOf<F[N]>,
  obj: Readonly<Values<F>>,
  traits: smrh_traits_t<F, N>,
): Values<F> | null {
  const call = 'smr_shash_get_or_insert'
  traitsIn(call, traits)
  const { table } = checked(call, smrh)
  table.smr.assertNotEntered()
  assertKey(call, smrh, key, obj, traits)
  for (const race = new Race(table, 'getOrInsert'); ; race.again()) {
    // The version first: with another one the element is not the one that was refused.
    const ifVersion = table.version(key)
    const found = table.read(key, (item) => copied(table, item, traits))
    if (found !== undefined) return found
    if (table.trySet(obj, { ifVersion })) return null
  }
}

/**
 * Takes the element with this key out and frees it; tells whether there was one. Misuse in a section of
 * the domain. Blocks as `table.delete`.
 */
export function smr_shash_remove<F extends Fields, N extends KeyNames<F>>(
  smrh: smr_shash<F, N>,
  key: ValueOf<F[N]>,
  traits: smrh_traits_t<F, N>,
): boolean {
  traitsIn('smr_shash_remove', traits)
  const isOut = checked('smr_shash_remove', smrh).table.delete(key)
  if (isOut) smrh.removed()
  return isOut
}

/**
 * Puts `obj` in the place of the element with this key, which is also its own; false, and nothing has
 * changed, if there is none. Misuse in a section of the domain, for an object that does not fit, and for
 * another key than it has. Blocks as `table.update`.
 */
export function smr_shash_replace<F extends Fields, N extends KeyNames<F>>(
  smrh: smr_shash<F, N>,
  key: ValueOf<F[N]>,
  obj: Readonly<Values<F>>,
  traits: smrh_traits_t<F, N>,
): boolean {
  const call = 'smr_shash_replace'
  traitsIn(call, traits)
  const { table } = checked(call, smrh)
  table.smr.assertNotEntered()
  assertKey(call, smrh, key, obj, traits)
  return table.update(key, (old) => (old === undefined ? undefined : obj)) !== undefined
}

// ---- cursors -----------------------------------------------------------------------------------

/** Which version of an element is to be changed. */
export class smr_shash_mut_cursor_t<F extends Fields, N extends KeyNames<F>> {
  /** @internal */
  readonly smrh: smr_shash<F, N>
  /** @internal */
  readonly key: ValueOf<F[N]>
  /** @internal */
  readonly version: number
  private isOver = false

  /** @internal Use `smr_shash_entered_mut_begin`. */
  constructor(smrh: smr_shash<F, N>, key: ValueOf<F[N]>, version: number) {
    this.smrh = smrh
    this.key = key
    this.version = version
  }

  /** Misuse unless it is open; then it is not. @internal */
  end(call: string): this {
    if (this.isOver) throw new Misuse(`${call}: the cursor is over; begin another`)
    this.isOver = true
    return this
  }
}

/**
 * A cursor for the element at `obj`, which was found in this section; null if it is no longer in the
 * table, where the kernel does not return. Only in a section of the domain: Misuse outside. Never blocks.
 */
export function smr_shash_entered_mut_begin<F extends Fields, N extends KeyNames<F>>(
  smrh: smr_shash<F, N>,
  obj: Item,
  traits: smrh_traits_t<F, N>,
): smr_shash_mut_cursor_t<F, N> | null {
  const call = 'smr_shash_entered_mut_begin'
  const { key: field } = traitsIn(call, traits)
  const { table } = checked(call, smrh)
  table.smr.assertEntered()
  if (!table.zone.owns(obj)) {
    throw new Misuse(`${call}: table ${show(table.name)}: ${show(obj)} is no element of it`)
  }
  const keyAt = table.schema.get[field] as (arena: Arena, item: Item) => ValueOf<F[N]>
  const key = keyAt(table.arena, obj)
  // The version first. Two cases: the element at that key is still this one afterwards, then it was all
  // the time, for what was unlinked does not come back while a section sees it: the version is its own.
  // Or it is not: then there is nothing to change. Otherwise (in the other order) the version could be
  // that of an element which has replaced this one, and the caller would erase what he has not seen.
  const version = table.version(key)
  if (table.find(key) !== obj) return null
  return new smr_shash_mut_cursor_t(smrh, key, version)
}

/**
 * Takes the cursor's element out and frees it; false, and nothing has changed, if another worker has
 * written that key since. After the section: Misuse in one of the domain, and for a cursor that is over.
 * Blocks as `table.deleteIf`.
 */
export function smr_shash_entered_mut_erase<F extends Fields, N extends KeyNames<F>>(
  smrh: smr_shash<F, N>,
  cursor: smr_shash_mut_cursor_t<F, N>,
  traits: smrh_traits_t<F, N>,
): boolean {
  const call = 'smr_shash_entered_mut_erase'
  traitsIn(call, traits)
  const { table } = checked(call, smrh)
  const { key, version } = cursorOf(call, table, cursor)
  if (cursor.smrh !== smrh) {
    throw new Misuse(`${call}: table ${show(table.name)}: the cursor is one of another table`)
  }
  cursor.end(call)
  const isOut = table.deleteIf(key, () => table.version(key) === version)
  if (isOut) smrh.removed()
  return isOut
}

/**
 * Puts `obj`, of the same key, in the place of the cursor's element; false, and nothing has changed, if
 * another worker has written that key since. After the section: Misuse in one of the domain, for another
 * key, and for a cursor that is over. Blocks as `table.trySet`.
 */
export function smr_shash_entered_mut_replace<F extends Fields, N extends KeyNames<F>>(
  cursor: smr_shash_mut_cursor_t<F, N>,
  obj: Readonly<Values<F>>,
  traits: smrh_traits_t<F, N>,
): boolean {
  const call = 'smr_shash_entered_mut_replace'
  traitsIn(call, traits)
  const { key, version, smrh } = cursorOf(call, cursor?.smrh?.table, cursor)
  assertKey(call, smrh, key, obj, traits)
  cursor.end(call)
  return smrh.table.trySet(obj, { ifVersion: version })
}

/** Gives the cursor up. Misuse for one that is over; never blocks; legal in a section. */
export function smr_shash_entered_mut_abort<F extends Fields, N extends KeyNames<F>>(
  cursor: smr_shash_mut_cursor_t<F, N>,
): void {
  const call = 'smr_shash_entered_mut_abort'
  assertCursor(call, cursor)
  cursor.end(call)
}

// ---- inside ------------------------------------------------------------------------------------

/** A cursor that is given where the table may be written. */
function cursorOf<F extends Fields, N extends KeyNames<F>>(
  call: string,
  table: HashTable<F, N> | undefined,
  cursor: smr_shash_mut_cursor_t<F, N>,
): smr_shash_mut_cursor_t<F, N> {
  assertCursor(call, cursor)
  table?.smr.assertNotEntered()
  return cursor
}

function assertCursor(call: string, cursor: unknown): void {
  const wanted = 'what smr_shash_entered_mut_begin returned'
  assertIs(call, 'cursor', cursor, smr_shash_mut_cursor_t, wanted)
}

function assertKey<F extends Fields, N extends KeyNames<F>>(
  call: string,
  { table }: smr_shash<F, N>,
  key: ValueOf<F[N]>,
  obj: Readonly<Values<F>>,
  traits: smrh_traits_t<F, N>,
): void {
  const values = table.schema.take(call, obj)
  const other = values[indexOfKey(table.schema, traits.key)]
  if (other === key) return
  throw new Misuse(
    `${call}: table ${show(table.name)}: the element for key ${show(key)} has key ${show(other)}`,
    { table: table.name },
  )
}

function traitsIn<F extends Fields, N extends KeyNames<F>>(
  call: string,
  traits: smrh_traits_t<F, N>,
): smrh_traits_t<F, N> {
  assertIs(call, 'traits', traits, smrh_traits_t, 'what SMRH_TRAITS_DEFINE_SCALAR or _STR returned')
  return traits
}

function checked<F extends Fields, N extends KeyNames<F>>(
  call: string,
  smrh: smr_shash<F, N>,
): smr_shash<F, N> {
  assertIs(call, 'smrh', smrh, smr_shash, 'what smr_shash_init returned')
  return smrh
}
