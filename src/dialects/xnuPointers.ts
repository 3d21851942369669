/**
 * The XNU dialect's SMR pointers: the name of each accessor says who may use it.
 *
 * `ptr` is what `pointer(arena, address)` returns: the word, as the address of a pointer is in the
 * kernel. Names and order of arguments are smr.h's; src/lists/pointer.ts says what each relies on,
 * and why some that differ in the kernel are the same here.
 *
 * Different:
 *   - Every load and store that may race is sequentially consistent, so _acquire and _relaxed say
 *     something about the caller only. `smr_clear_store` is atomic.
 *   - _assert forms throw Misuse, in every build. Stores refuse what is no item of the arena.
 *   - Items are numbers in any case: what distinguishes `smr_unsafe_load` is its type, `number`.
 */

import type { Item } from '../base/brands.ts'
import { SmrPointer } from '../lists/pointer.ts'
import type { Smr } from '../smr/domain.ts'
import { assertDomain, assertIs } from './cold.ts'

/** Legal anywhere; the result must not be followed. */
export function smr_unsafe_load(ptr: SmrPointer): number {
  assertIs('smr_unsafe_load', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  return ptr.unsafeLoad()
}

// ---- entered: in a section ---------------------------------------------------------------------

/** The item, for a reader with a section open. Never blocks. */
export function smr_entered_load(ptr: SmrPointer): Item {
  assertIs('smr_entered_load', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  return ptr.enteredLoad()
}

/** `smr_entered_load`. Misuse unless a section of `smr` is open. */
export function smr_entered_load_assert(ptr: SmrPointer, smr: Smr): Item {
  assertIs('smr_entered_load_assert', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  assertDomain('smr_entered_load_assert', smr)
  return ptr.enteredLoadAssert(smr)
}

/** The same load as `smr_entered_load`; here each has that strength. */
export function smr_entered_load_acquire(ptr: SmrPointer): Item {
  assertIs('smr_entered_load_acquire', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  return ptr.enteredLoadAcquire()
}

/** `smr_entered_load_acquire`. Misuse unless a section of `smr` is open. */
export function smr_entered_load_acquire_assert(ptr: SmrPointer, smr: Smr): Item {
  assertIs('smr_entered_load_acquire_assert', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  assertDomain('smr_entered_load_acquire_assert', smr)
  return ptr.enteredLoadAcquireAssert(smr)
}

// ---- serialized: one writer at a time ----------------------------------------------------------

/** The item, for the writer that holds the lock. Never blocks. */
export function smr_serialized_load(ptr: SmrPointer): Item {
  assertIs('smr_serialized_load', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  return ptr.serializedLoad()
}

/** `smr_serialized_load`. Misuse unless `held_cond`, which says that the writer has its turn. */
export function smr_serialized_load_assert(ptr: SmrPointer, held_cond: boolean): Item {
  assertIs('smr_serialized_load_assert', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  return ptr.serializedLoadAssert(held_cond)
}

/** Publishes `value`, with all that was written to it before. */
export function smr_serialized_store(ptr: SmrPointer, value: Item): void {
  assertIs('smr_serialized_store', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  ptr.serializedStore(value)
}

/** `smr_serialized_store`. Misuse unless `held_cond`, which says that the writer has its turn. */
export function smr_serialized_store_assert(
  ptr: SmrPointer,
  value: Item,
  held_cond: boolean,
): void {
  assertIs('smr_serialized_store_assert', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  ptr.serializedStoreAssert(value, held_cond)
}

/** For an item that readers can reach already. */
export function smr_serialized_store_relaxed(ptr: SmrPointer, value: Item): void {
  assertIs('smr_serialized_store_relaxed', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  ptr.serializedStoreRelaxed(value)
}

/**
 * `smr_serialized_store_relaxed`. Misuse unless `held_cond`, which says that the writer has its
 * turn.
 */
export function smr_serialized_store_relaxed_assert(
  ptr: SmrPointer,
  value: Item,
  held_cond: boolean,
): void {
  assertIs('smr_serialized_store_relaxed_assert', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  ptr.serializedStoreRelaxedAssert(value, held_cond)
}

/** Stores, and returns what was there; several writers may do so at once. */
export function smr_serialized_swap(ptr: SmrPointer, value: Item): Item {
  assertIs('smr_serialized_swap', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  return ptr.serializedSwap(value)
}

/** `smr_serialized_swap`. Misuse unless `held_cond`, which says that the writer has its turn. */
export function smr_serialized_swap_assert(ptr: SmrPointer, value: Item, held_cond: boolean): Item {
  assertIs('smr_serialized_swap_assert', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  return ptr.serializedSwapAssert(value, held_cond)
}

// ---- unserialized: nobody else can reach the pointer --------------------------------------------

/** The item, where nobody else can reach the word. Never blocks. */
export function smr_unserialized_load(ptr: SmrPointer): Item {
  assertIs('smr_unserialized_load', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  return ptr.unserializedLoad()
}

/** Stores, where nobody else can reach the word. Never blocks. */
export function smr_unserialized_store(ptr: SmrPointer, value: Item): void {
  assertIs('smr_unserialized_store', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  ptr.unserializedStore(value)
}

/** The first store. */
export function smr_init_store(ptr: SmrPointer, value: Item): void {
  assertIs('smr_init_store', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  ptr.initStore(value)
}

/** Stores null; always allowed. */
export function smr_clear_store(ptr: SmrPointer): void {
  assertIs('smr_clear_store', 'ptr', ptr, SmrPointer, 'what pointer() returned')
  ptr.clearStore()
}
