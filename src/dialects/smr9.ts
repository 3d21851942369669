/**
 * smr(9): FreeBSD's names for a domain, its sections and its clock; and smr_types: pointers.
 *
 * Sources: the manual page smr(9), sys/kern/subr_smr.c, sys/smr.h and sys/smr_types.h. NetBSD's
 * port (tech-kern, April 2026) has the same names, so both dialects export this file. A `smr_t` is
 * the core's `Smr` itself, so all other verbs and options of the library take it.
 *
 * The same: names, order of arguments, values of flags; which sections nest, what is illegal inside
 * one, which calls belong to which clock. What KASSERTs say in INVARIANTS kernels is Misuse here,
 * in every build. Different, besides what each function says:
 *
 *   - `smr_create` takes the arena first, and opens a domain that exists. A second worker calls it
 *     with the same arguments; a domain of the same name with others is Misuse.
 *   - A section does not pin its thread: it must not be left open across an `await`, which nobody
 *     can refuse; and while it is open `smr_advance`, `smr_wait`, `smr_synchronize` and frees are
 *     Misuse.
 *   - What waits does so for 30 s, and then throws Exhausted that names the workers in the way.
 *     Where a kernel spins, the thread sleeps; where it may not (a page's main thread) it spins.
 *   - The manual page promises no memory order for `smr_advance` and `smr_poll`. Here: if a poll
 *     says yes, no reader can see what was unlinked before the goal was taken, and all reads of
 *     sections that could see it happen before what the poller does next. See smr/domain.ts.
 *   - At 2^30 steps between the hands `smr_advance` does not wait for readers: see smr/pace.ts.
 *   - A goal that the domain cannot have issued is Misuse, where the kernel's poll says yes.
 */

import type { Arena } from '../arena/arena.ts'
import type { Goal, Item } from '../base/brands.ts'
import { integer, Misuse, show } from '../base/errors.ts'
import { delta, INVALID, leq, lt, type Seq } from '../base/seq.ts'
import { pointer, SmrPointer } from '../lists/pointer.ts'
import { DomainWords } from '../memory/layout.ts'
import type { HasMemory } from '../memory/memory.ts'
import type { Smr } from '../smr/domain.ts'
import { CLOCKS, type SmrOptions } from '../smr/options.ts'
import { assertArena, assertDomain, assertGoal, assertIs } from './cold.ts'

/** What SMR_POINTER makes. */
export type { SmrPointer }
/** A domain. */
export type smr_t = Smr
/** A goal: what `smr_advance` returns. */
export type smr_seq_t = Goal

// ---- flags -----------------------------------------------------------------------------------

/** The clock moves with time, and sections are nearly free: `clock: 'lazy', sections: 'turn'`. */
export const SMR_LAZY = 0x0001
/** The clock moves at every `limit`-th advance of a worker: `clock: 'deferred'`. */
export const SMR_DEFERRED = 0x0002

const LAZY_CLOCK = CLOCKS.indexOf('lazy')

// ---- a domain --------------------------------------------------------------------------------

/**
 * Creates the domain `name`, or opens it. `limit` is for SMR_DEFERRED, and there 0 is the same as
 * 1, as in the kernel; without that flag it must be 0 (ignored there). Both flags at once are
 * Misuse (SMR_LAZY wins there). A tick is 1 ms. Never sleeps: Exhausted when there is no memory.
 */
export function smr_create(arena: Arena, name: string, limit: number, flags: number): smr_t {
  const call = 'smr_create'
  assertArena(call, arena)
  const isDeferred = flags === SMR_DEFERRED
  integer(call, 'limit', limit, 0, isDeferred ? Number.MAX_SAFE_INTEGER : 0)
  return arena.smr(name, clockOf(call, flags, Math.max(1, limit)))
}

function clockOf(call: string, flags: number, limit: number): SmrOptions {
  if (flags === 0) return { clock: 'default' }
  if (flags === SMR_DEFERRED) return { clock: 'deferred', limit }
  if (flags === SMR_LAZY) return { clock: 'lazy' }
  throw new Misuse(`${call}: flags are ${show(flags)}; give 0, SMR_LAZY or SMR_DEFERRED`)
}

/**
 * Waits for the domain's readers and ends it, for all workers. Misuse while zones are bound to it
 * (unchecked there). Also for SMR_LAZY, where the kernel's asserts against its own wait.
 */
export function smr_destroy(smr: smr_t): void {
  assertDomain('smr_destroy', smr)
  smr.destroy()
}

// ---- readers ---------------------------------------------------------------------------------

/** Opens a section. Never blocks, does not nest. Misuse with SMR_LAZY, as there. */
export function smr_enter(smr: smr_t): void {
  assertDomain('smr_enter', smr)
  if (isLazy(smr)) throw wrongClock('smr_enter', smr)
  smr.enter()
}

/** Closes it. Misuse with SMR_LAZY, as there, and when none is open. */
export function smr_exit(smr: smr_t): void {
  assertDomain('smr_exit', smr)
  if (isLazy(smr)) throw wrongClock('smr_exit', smr)
  smr.exit()
}

/**
 * Opens a section of an SMR_LAZY domain; Misuse for others. There are no clock interrupts: what a
 * worker has published stays until its turn of the event loop ends (smr/sections.ts), so lazy
 * sections hold memory back for a turn.
 */
export function smr_lazy_enter(smr: smr_t): void {
  assertDomain('smr_lazy_enter', smr)
  if (!isLazy(smr)) throw wrongClock('smr_lazy_enter', smr)
  smr.enter()
}

/** Closes it. Misuse for domains without SMR_LAZY, and when none is open. */
export function smr_lazy_exit(smr: smr_t): void {
  assertDomain('smr_lazy_exit', smr)
  if (!isLazy(smr)) throw wrongClock('smr_lazy_exit', smr)
  smr.exit()
}

/** Whether this worker has a section of the domain open. In every build, not only in asserts. */
export function SMR_ENTERED(smr: smr_t): boolean {
  assertDomain('SMR_ENTERED', smr)
  return smr.entered
}

/** Misuse unless a section is open. */
export function SMR_ASSERT_ENTERED(smr: smr_t): void {
  assertDomain('SMR_ASSERT_ENTERED', smr)
  smr.assertEntered()
}

/** Misuse if a section is open. */
export function SMR_ASSERT_NOT_ENTERED(smr: smr_t): void {
  assertDomain('SMR_ASSERT_NOT_ENTERED', smr)
  smr.assertNotEntered()
}

// ---- writers ---------------------------------------------------------------------------------

/** The goal of all that this worker has unlinked. Never blocks. Misuse inside a section. */
export function smr_advance(smr: smr_t): smr_seq_t {
  assertDomain('smr_advance', smr)
  return smr.advance()
}

/**
 * Whether the goal is met. Without `wait` it never blocks and is legal inside a section. With it,
 * it is `smr_wait`, except that it is Misuse with SMR_LAZY, as there.
 */
export function smr_poll(smr: smr_t, goal: smr_seq_t, wait: boolean): boolean {
  assertDomain('smr_poll', smr)
  if (!wait) return smr.poll(goal)
  if (isLazy(smr)) throw wrongClock('smr_poll', smr)
  return smr.wait(goal)
}

/** Blocks until the goal is met. Also with SMR_LAZY: it then waits for ticks, two at least. */
export function smr_wait(smr: smr_t, goal: smr_seq_t): void {
  assertDomain('smr_wait', smr)
  smr.wait(goal)
}

/** Advances and waits. Also with SMR_LAZY. Expensive: prefer to poll later. */
export function smr_synchronize(smr: smr_t): void {
  assertDomain('smr_synchronize', smr)
  smr.synchronize()
}

// ---- sequences -------------------------------------------------------------------------------

/** "No goal". */
export const SMR_SEQ_INVALID: smr_seq_t = INVALID as number as smr_seq_t

/** Whether a is earlier than b. Goals wrap: do not compare them by `<`. */
export function SMR_SEQ_LT(a: smr_seq_t, b: smr_seq_t): boolean {
  assertGoal('SMR_SEQ_LT', a)
  assertGoal('SMR_SEQ_LT', b)
  return lt(seq(a), seq(b))
}

/** Whether a is b or earlier. */
export function SMR_SEQ_LEQ(a: smr_seq_t, b: smr_seq_t): boolean {
  assertGoal('SMR_SEQ_LEQ', a)
  assertGoal('SMR_SEQ_LEQ', b)
  return leq(seq(a), seq(b))
}

/** Whether a is later than b. */
export function SMR_SEQ_GT(a: smr_seq_t, b: smr_seq_t): boolean {
  assertGoal('SMR_SEQ_GT', a)
  assertGoal('SMR_SEQ_GT', b)
  return lt(seq(b), seq(a))
}

/** Whether a is b or later. */
export function SMR_SEQ_GEQ(a: smr_seq_t, b: smr_seq_t): boolean {
  assertGoal('SMR_SEQ_GEQ', a)
  assertGoal('SMR_SEQ_GEQ', b)
  return leq(seq(b), seq(a))
}

/** How far a is ahead of b; negative when it is behind. */
export function SMR_SEQ_DELTA(a: smr_seq_t, b: smr_seq_t): number {
  assertGoal('SMR_SEQ_DELTA', a)
  assertGoal('SMR_SEQ_DELTA', b)
  return delta(seq(a), seq(b))
}

/** The earlier of the two. */
export function SMR_SEQ_MIN(a: smr_seq_t, b: smr_seq_t): smr_seq_t {
  assertGoal('SMR_SEQ_MIN', a)
  assertGoal('SMR_SEQ_MIN', b)
  return SMR_SEQ_LT(a, b) ? a : b
}

/** The later of the two. */
export function SMR_SEQ_MAX(a: smr_seq_t, b: smr_seq_t): smr_seq_t {
  assertGoal('SMR_SEQ_MAX', a)
  assertGoal('SMR_SEQ_MAX', b)
  return SMR_SEQ_GT(a, b) ? a : b
}

// ---- smr_types: pointers -----------------------------------------------------------------------

/**
 * The word at `address` as a pointer, for the accessors below. In C it declares a field; here it is
 * made where it is used, and is cheap. Assert expressions are checked in every build.
 */
export function SMR_POINTER(arena: HasMemory, address: number): SmrPointer {
  return pointer(arena, address)
}

/** The item, for a reader. Misuse unless a section of `smr` is open. */
export function smr_entered_load(p: SmrPointer, smr: smr_t): Item {
  assertIs('smr_entered_load', 'p', p, SmrPointer, 'what pointer() returned')
  assertDomain('smr_entered_load', smr)
  return p.enteredLoadAssert(smr)
}

/** The item, for the writer that holds the lock: `ex` asserts that, e.g. `lock.held`. */
export function smr_serialized_load(p: SmrPointer, ex: boolean): Item {
  assertIs('smr_serialized_load', 'p', p, SmrPointer, 'what pointer() returned')
  return p.serializedLoadAssert(ex)
}

/** Publishes `v` with all that was written to it before. */
export function smr_serialized_store(p: SmrPointer, v: Item, ex: boolean): void {
  assertIs('smr_serialized_store', 'p', p, SmrPointer, 'what pointer() returned')
  p.serializedStoreAssert(v, ex)
}

/** Publishes `v`, returns the former item; several writers may do so at once. */
export function smr_serialized_swap(p: SmrPointer, v: Item, ex: boolean): Item {
  assertIs('smr_serialized_swap', 'p', p, SmrPointer, 'what pointer() returned')
  return p.serializedSwapAssert(v, ex)
}

/** The item, where nobody else can reach the pointer: in a destructor, or before publication. */
export function smr_unserialized_load(p: SmrPointer, ex: boolean): Item {
  assertIs('smr_unserialized_load', 'p', p, SmrPointer, 'what pointer() returned')
  assertThat('smr_unserialized_load', p, ex)
  return p.unserializedLoad()
}

/** Stores, where nobody else can reach the pointer. */
export function smr_unserialized_store(p: SmrPointer, v: Item, ex: boolean): void {
  assertIs('smr_unserialized_store', 'p', p, SmrPointer, 'what pointer() returned')
  assertThat('smr_unserialized_store', p, ex)
  p.unserializedStore(v)
}

// ---- helpers ---------------------------------------------------------------------------------

/** A frozen word of the domain: one plain read. */
function isLazy(smr: smr_t): boolean {
  return smr.space.memory.peek(smr.address + DomainWords.clock) === LAZY_CLOCK
}

function wrongClock(call: string, smr: smr_t): Misuse {
  const kind = isLazy(smr) ? 'SMR_LAZY' : 'not SMR_LAZY'
  return new Misuse(`${call}: domain ${show(smr.name)} is ${kind}`, { domain: smr.name })
}

function seq(goal: smr_seq_t): Seq {
  return goal as number as Seq
}

function assertThat(call: string, p: SmrPointer, ex: boolean): void {
  if (ex === true) return
  throw new Misuse(`${call}: the caller's own assertion is ${show(ex)}`, { address: p.address })
}
