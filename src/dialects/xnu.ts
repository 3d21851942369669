/**
 * The XNU dialect: smr.h over the core. Domains, sections, callbacks, the clock and sleepable
 * sections are here; pointers, queues, zones and hash tables in xnuPointers.ts, xnuQueues.ts,
 * xnuZones.ts and xnuHash.ts, which this file exports too.
 *
 *     const smr_names = smr_domain_create(arena, SMR_NONE, 'names')   // in each worker
 *     smr_enter(smr_names)
 *     for (const name of smrq_entered_foreach(chain)) look(name)
 *     smr_leave(smr_names)
 *
 * The source is xnu-11215's smr.h. XNU and this library use the same algorithm, and many names of
 * the core are after XNU's, so most of what follows only renames. An `smr_t` is the core's `Smr`
 * itself: async waits, stats and stalls, which have no name here, are its methods.
 *
 * The header's advice applies: few domains, one per large subsystem. A subsystem gives its domain
 * its own name (smr_ipc, smr_iokit: all four are smr_system in the kernel), so that domains can be
 * split or merged later without a change of its code. `smr_subsystem` does this here. See
 * examples/xnu/split.ts.
 *
 * Different:
 *   - The arena is the first argument where a domain comes into being, and its name is what workers
 *     find it by: to create is to open, if it exists, and other flags than it was made with are
 *     Misuse. Names have up to 64 bytes; there is no SMR_NAME_MAX.
 *   - A domain's handle belongs to one worker. `smr_entered` is about this worker, and true while
 *     any of its tasks is in a sleepable section. A tracker shows the domain that it is in, and no
 *     more.
 *   - `smr_call`'s node is whatever the callback is to get, an item for one; nothing is embedded in
 *     it, nothing keeps you from queueing it twice. Callbacks run on the worker that called,
 *     between turns of its event loop; if that dies or detaches before, never. Forward progress is
 *     promised for all of them; SMR_CALL_EXPEDITE only makes haste.
 *   - `smr_barrier` returns a promise: callbacks run between turns, so it must not block. It
 *     rejects with Exhausted after 30 s. `smr_synchronize`, `smr_wait` and `smr_domain_free` block
 *     as the kernel's do, and throw Exhausted after 30 s, naming who is in the way.
 *   - A sleepable domain also has ordinary sections, and any number of sleepable ones at once in
 *     one worker, each with a tracker. A blocking wait is Misuse while one of this worker's own is
 *     open, whichever task opened it: `smr.synchronizeAsync()`, `smr.waitAsync(goal)` let its task
 *     end. There is no turnstile that lends a stalled section priority; `smr.stalled(ms)` tells
 *     whose it is.
 *   - Sequences are 32 bits that wrap. Where they begin and how they step is the arena's choice, so
 *     there are no SMR_SEQ_INIT and SMR_SEQ_INC; SMR_SEQ_SLEEPABLE marks a word that is laid out
 *     otherwise here. A goal that a domain cannot have given is Misuse, not met.
 *   - Assertions hold in every build, and throw Misuse with the core's name of the verb.
 *   - Without counterpart: the kernel's own four subsystems, interrupts, smr_cpu_*, smr_ack_ipi,
 *     smr_maintenance, smr_entered_cpu_noblock. Workers come and go by `Arena.attach`, `detach` and
 *     `reap`.
 */

import type { Arena } from '../arena/arena.ts'
import type { Goal } from '../base/brands.ts'
import { Misuse, show } from '../base/errors.ts'
import { delta, type Seq } from '../base/seq.ts'
import type { Smr } from '../smr/domain.ts'
import type { Tracker } from '../smr/trackers.ts'
import { assertArena, assertDomain, assertGoal } from './cold.ts'

export * from './xnuHash.ts'
export * from './xnuPointers.ts'
export * from './xnuQueues.ts'
export * from './xnuZones.ts'

/** A domain, for one worker. */
export type smr_t = Smr
/** A goal. */
export type smr_seq_t = Goal

// ---- domains -----------------------------------------------------------------------------------

/** Flags of `smr_domain_create`. */
export type smr_flags_t = number
/** No flags. */
export const SMR_NONE = 0
/** Sections of it may stay open across `await`. */
export const SMR_SLEEPABLE = 1

/**
 * Opens the domain, or creates it: call it in every worker. Misuse for other flags than it has, and
 * for unknown ones; Exhausted when there is no memory for it.
 */
export function smr_domain_create(arena: Arena, flags: smr_flags_t, name: string): smr_t {
  assertArena('smr_domain_create', arena)
  if (flags !== SMR_NONE && flags !== SMR_SLEEPABLE) {
    throw new Misuse(`smr_domain_create: flags are ${show(flags)}; give SMR_NONE or SMR_SLEEPABLE`)
  }
  return arena.smr(name, { sleepable: flags === SMR_SLEEPABLE })
}

/**
 * Ends the domain, which no worker uses any more: waits for sections and callbacks, at most 30 s,
 * then throws Exhausted. Misuse while zones are bound to it, and inside a section.
 */
export function smr_domain_free(smr: smr_t): void {
  assertDomain('smr_domain_free', smr)
  smr.destroy()
}

/** Declares a domain before there is an arena, as a global variable does in the kernel. */
export function SMR_DEFINE_FLAGS(name: string, flags: smr_flags_t): (arena: Arena) => smr_t {
  return (arena) => smr_domain_create(arena, flags, name)
}

/** `SMR_DEFINE_FLAGS` without flags. */
export function SMR_DEFINE(name: string): (arena: Arena) => smr_t {
  return SMR_DEFINE_FLAGS(name, SMR_NONE)
}

/** `SMR_DEFINE_FLAGS` with SMR_SLEEPABLE. */
export function SMR_DEFINE_SLEEPABLE(name: string): (arena: Arena) => smr_t {
  return SMR_DEFINE_FLAGS(name, SMR_SLEEPABLE)
}

/** The common domain. Give it a name of your subsystem by `smr_subsystem`. */
export const smr_system: (arena: Arena) => smr_t = SMR_DEFINE('smr_system')

/** The common domain with sleepable sections. */
export const smr_system_sleepable: (arena: Arena) => smr_t =
  SMR_DEFINE_SLEEPABLE('smr_system_sleepable')

/** What the kernel defines for smr_ipc, smr_proc_task, smr_iokit and smr_oslog. */
export interface smr_subsystem_t {
  /** Its domain. */
  readonly smr: smr_t
  /** `smr_entered` of its domain. */
  entered(): boolean
  /** `smr_enter` of its domain. */
  enter(): void
  /** `smr_leave` of its domain. */
  leave(): void
  /** `smr_call` of its domain. */
  call<N>(node: N, size: number, cb: smr_cb_t<N>): void
  /** `smr_synchronize` of its domain. */
  synchronize(): void
  /** `smr_barrier` of its domain. */
  barrier(): Promise<void>
}

/** A domain under the name of a subsystem, whose code then calls `smr_ipc.enter()`. */
export function smr_subsystem(smr: smr_t): smr_subsystem_t {
  assertDomain('smr_subsystem', smr)
  return Object.freeze<smr_subsystem_t>({
    smr,
    entered: () => smr_entered(smr),
    enter: () => smr_enter(smr),
    leave: () => smr_leave(smr),
    call: (node, size, cb) => smr_call(smr, node, size, cb),
    synchronize: () => smr_synchronize(smr),
    barrier: () => smr_barrier(smr),
  })
}

// ---- sections ----------------------------------------------------------------------------------

/** Whether this worker has a section open, of either kind. */
export function smr_entered(smr: smr_t): boolean {
  assertDomain('smr_entered', smr)
  return smr.entered
}

/** Opens a section; never blocks. Misuse in a section of this domain. */
export function smr_enter(smr: smr_t): void {
  assertDomain('smr_enter', smr)
  smr.enter()
}

/** Closes it. Misuse when none is open. */
export function smr_leave(smr: smr_t): void {
  assertDomain('smr_leave', smr)
  smr.exit()
}

/** The tracker of a sleepable section. Make one for each, or use it again after leave. */
export class smr_tracker {
  /** The domain of its section; undefined when none is open. */
  smrt_domain: smr_t | undefined = undefined
  /** @internal */
  section: Tracker | undefined = undefined
}

/**
 * Opens a section that may stay open across `await`; never blocks. Misuse for a tracker that is in
 * use, and in a domain without SMR_SLEEPABLE.
 */
export function smr_enter_sleepable(smr: smr_t, tracker: smr_tracker): void {
  assertDomain('smr_enter_sleepable', smr)
  checkTracker('smr_enter_sleepable', tracker)
  if (tracker.smrt_domain !== undefined) {
    const at = show(tracker.smrt_domain.name)
    throw new Misuse(`smr_enter_sleepable: the tracker is in a section of domain ${at} already`)
  }
  tracker.section = smr.enterSleepable()
  tracker.smrt_domain = smr
}

/** Closes it. Misuse for a tracker that has no section of this domain open. */
export function smr_leave_sleepable(smr: smr_t, tracker: smr_tracker): void {
  assertDomain('smr_leave_sleepable', smr)
  checkTracker('smr_leave_sleepable', tracker)
  const { section } = tracker
  if (tracker.smrt_domain !== smr || section === undefined) {
    const at = show(smr.name)
    throw new Misuse(`smr_leave_sleepable: the tracker has no section of domain ${at} open`)
  }
  smr.exitSleepable(section)
  tracker.section = undefined
  tracker.smrt_domain = undefined
}

function checkTracker(call: string, tracker: unknown): void {
  if (tracker instanceof smr_tracker) return
  throw new Misuse(`${call}: ${show(tracker)} is no tracker; give a new smr_tracker()`)
}

// ---- callbacks, and waiting for everything -----------------------------------------------------

/** A callback of `smr_call`. */
export type smr_cb_t<N> = (node: N) => void

/** In place of a size: the callback is not to be delayed. */
export const SMR_CALL_EXPEDITE: number = Number.POSITIVE_INFINITY

/**
 * Calls `cb(node)` once nobody in a section can see any more what was unlinked before. `size`:
 * roughly the bytes that this frees. Never blocks. Misuse in a section of this domain.
 */
export function smr_call<N>(smr: smr_t, node: N, size: number, cb: smr_cb_t<N>): void {
  assertDomain('smr_call', smr)
  if (typeof cb !== 'function') throw new Misuse(`smr_call: cb is ${show(cb)}; give a function`)
  const expedite = size === SMR_CALL_EXPEDITE
  smr.call(() => cb(node), expedite ? { expedite } : { bytes: size })
}

/** Blocks until all sections that are open now have ended. Misuse in a section of this domain. */
export function smr_synchronize(smr: smr_t): void {
  assertDomain('smr_synchronize', smr)
  smr.synchronize()
}

/** Resolves when they have, and all callbacks that any worker has queued before have run. */
export async function smr_barrier(smr: smr_t): Promise<void> {
  assertDomain('smr_barrier', smr)
  await smr.barrier()
}

// ---- the clock ----------------------------------------------------------------------------------

/** Moves the write hand and returns the goal of what was unlinked so far. Never blocks. */
export function smr_advance(smr: smr_t): smr_seq_t {
  assertDomain('smr_advance', smr)
  return smr.advance()
}

/**
 * A goal one step ahead of the write hand, which does not move. It needs a commit, an advance or a
 * wait.
 */
export function smr_deferred_advance(smr: smr_t): smr_seq_t {
  assertDomain('smr_deferred_advance', smr)
  return smr.deferredAdvance()
}

/** Moves the hand to a deferred goal, if it is not there yet. */
export function smr_deferred_advance_commit(smr: smr_t, seq: smr_seq_t): void {
  assertDomain('smr_deferred_advance_commit', smr)
  smr.commit(seq)
}

/**
 * Whether the goal is met; reads each worker's word once at most. Misuse for another domain's goal.
 */
export function smr_poll(smr: smr_t, goal: smr_seq_t): boolean {
  assertDomain('smr_poll', smr)
  return smr.poll(goal)
}

/** Blocks until the goal is met. Misuse in a section of this domain. */
export function smr_wait(smr: smr_t, goal: smr_seq_t): void {
  assertDomain('smr_wait', smr)
  smr.wait(goal)
}

// ---- sequences ----------------------------------------------------------------------------------

/** No goal. */
export const SMR_SEQ_INVALID: smr_seq_t = 0 as smr_seq_t

/** How far `a` is ahead of `b`; negative when it is behind. Two goals of one domain. */
export function SMR_SEQ_DELTA(a: smr_seq_t, b: smr_seq_t): number {
  assertGoal('SMR_SEQ_DELTA', a)
  assertGoal('SMR_SEQ_DELTA', b)
  return delta(a as number as Seq, b as number as Seq)
}

/** `a op b` on the circle. */
export function SMR_SEQ_CMP(a: smr_seq_t, op: smr_op_t, b: smr_seq_t): boolean {
  assertGoal('SMR_SEQ_CMP', a)
  assertGoal('SMR_SEQ_CMP', b)
  const compare = COMPARE[op]
  if (compare !== undefined) return compare(SMR_SEQ_DELTA(a, b))
  throw new Misuse(`SMR_SEQ_CMP: op is ${show(op)}; give one of ${Object.keys(COMPARE).join(' ')}`)
}

/** How `SMR_SEQ_CMP` compares. */
export type smr_op_t = '<' | '<=' | '==' | '!=' | '>=' | '>'

const COMPARE: { readonly [O in smr_op_t]: (distance: number) => boolean } = {
  '<': (distance) => distance < 0,
  '<=': (distance) => distance <= 0,
  '==': (distance) => distance === 0,
  '!=': (distance) => distance !== 0,
  '>=': (distance) => distance >= 0,
  '>': (distance) => distance > 0,
}
