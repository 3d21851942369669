/**
 * The OpenBSD dialect: smr_call(9), SMR_PTR_GET(9) and SMR_LIST_INIT(9) over the core.
 *
 *     const { smr_read_enter, smr_read_leave, SMR_LIST_FOREACH } = smr_startup(arena)
 *
 *     smr_read_enter()
 *     for (const ebe of SMR_LIST_FOREACH(head, EBE_LENTRY)) look(ebe)
 *     smr_read_leave()
 *
 * The sources are the manual page smr_call.9 and the kernel's smr.h. Their functions name no
 * domain: a kernel has one. Here each arena has one, called "openbsd": `smr_startup`, which the
 * kernel calls at boot, opens it and returns the other functions, bound to the arena. Destructure
 * it at the top of a file; then calls are as in the kernel: names, order of arguments, no handle.
 * Addresses (`head`, `pptr`) are word indices as in `arena.words`, an `elm` is an item, a `field`
 * is the number of words from an item's beginning to its entry.
 *
 * The same: sections nest; an entry is initialised, queued once, and initialised again before it is
 * queued again; callbacks run in process context - between two turns of the event loop - with no
 * section open and no lock held by us; many of them share one grace period; how many may wait is
 * not limited, so the caller has to limit the rate. Sections are the core's turn sections (QSBR):
 * in OpenBSD a CPU is quiescent when it goes idle or switches context, here a worker when its turn
 * ends. A worker that computes for long in one turn calls `smr_idle` now and then.
 *
 * Different:
 *   - smr_barrier and smr_flush cannot sleep here, for callbacks run between turns: they return
 *     promises and reject with Exhausted after 30 s, naming the workers in the way. They also wait
 *     for the callbacks that other workers have queued before; the manual promises readers only.
 *   - smr_call is legal in a section, as in the kernel, and counts at once: a barrier of any worker
 *     waits for it. smr_barrier and smr_flush in a section are Misuse.
 *   - A callback runs on the worker that queued it, not in one kernel thread, and not before its
 *     turn has ended; that it is late is for lack of turns, not for a pause of 100 ms. If the
 *     worker dies, or detaches before it may run, it never does. One that throws is reported as a
 *     warning.
 *   - An `await` in a section is reported, once, as a warning: another task's section becomes part
 *     of it. It is safe, and holds memory back for as long as it takes.
 *   - An entry is a private object: a function cannot be shared. It is beside the item, not in it.
 *   - No interrupts, and no autoconf: all is process context. All assertions hold in every build,
 *     and throw Misuse (or Corruption, where a list's words are wrong) with the core's name of the
 *     verb.
 *   - The lists' differences are told in openbsdLists.ts.
 */

import type { Arena } from '../arena/arena.ts'
import type { Item } from '../base/brands.ts'
import { Misuse, show } from '../base/errors.ts'
import { pointer } from '../lists/pointer.ts'
import type { Smr } from '../smr/domain.ts'
import { assertArena } from './cold.ts'
import { OpenBsdLists } from './openbsdLists.ts'

/** The system's one domain, as `arena.smr` and `arena.stats()` know it. */
const DOMAIN = 'openbsd'

/** An entry for a callback. `new` gives an uninitialised one, as a structure's definition does. */
export class smr_entry {
  /** `null`: initialised, not used yet. */
  smr_func: ((arg: never) => void) | null | undefined = undefined
  /** What `smr_func` will be called with. */
  smr_arg: unknown = undefined
  /** @internal */
  queued = false
}

const started = new WeakMap<Smr, OpenBsd>()

/**
 * Opens the system's domain of this arena, and returns its functions. Each worker calls it; a
 * second call returns the same object. Misuse for what is no arena, and if there is another
 * "openbsd" domain.
 */
export function smr_startup(arena: Arena): OpenBsd {
  assertArena('smr_startup', arena)
  const smr = arena.smr(DOMAIN, { sections: 'turn' })
  const known = started.get(smr)
  if (known !== undefined) return known
  const kernel = new OpenBsd(arena, smr)
  started.set(smr, kernel)
  return kernel
}

/**
 * smr_call(9) and its companions, for one worker in one arena. Get it with `smr_startup(arena)`.
 */
export class OpenBsd extends OpenBsdLists {
  /** The domain itself, for what the kernel has no name for: `stats`, `stalled`, zones. */
  readonly smr: Smr
  /** How many nested sections are open. Not valid when the core has none open. */
  private depth = 0

  /** @internal */
  constructor(arena: Arena, smr: Smr) {
    super(arena)
    this.smr = smr
  }

  /** Opens a section; sections nest. Never blocks; do not `await` inside. */
  readonly smr_read_enter = (): void => {
    if (this.depth > 0 && this.smr.inside) {
      this.depth++
      return
    }
    this.smr.enter()
    this.depth = 1
  }

  /** Closes the innermost section. Never blocks. Misuse when none is open. */
  readonly smr_read_leave = (): void => {
    if (!this.smr.inside) throw new Misuse('smr_read_leave: no section is open')
    if (this.depth > 1) this.depth--
    else {
      this.depth = 0
      this.smr.exit()
    }
  }

  /**
   * Makes the entry ready for `smr_call`. Misuse while it is queued: its callback would be lost.
   */
  readonly smr_init = (smr: smr_entry): void => {
    this.checkEntry('smr_init', smr)
    if (smr.queued) throw new Misuse('smr_init: the entry is queued; its callback has not run yet')
    smr.smr_func = null
    smr.smr_arg = null
  }

  /**
   * Calls `fn(arg)` when nobody in a section can see any more what was removed before. Never
   * blocks. Misuse for an entry that was not initialised since it was last queued.
   */
  readonly smr_call = <T>(smr: smr_entry, fn: (arg: T) => void, arg: T): void => {
    this.checkEntry('smr_call', smr)
    if (smr.smr_func !== null) throw new Misuse(`smr_call: the entry ${whyNot(smr)}`)
    if (typeof fn !== 'function') throw new Misuse(`smr_call: fn is ${show(fn)}; give a function`)
    const run = (): void => {
      smr.queued = false // It may be initialised and queued again by its own callback.
      fn(arg)
    }
    this.smr.callAnywhere(run)
    smr.smr_func = fn
    smr.smr_arg = arg
    smr.queued = true
  }

  /**
   * Resolves when all sections that are open now have ended, and all callbacks queued so far have
   * run. Hold no lock that one of them takes. Rejects with Misuse inside a section.
   */
  readonly smr_barrier = async (): Promise<void> => {
    await this.smr.barrier()
  }

  /** `smr_barrier`, as soon as possible: all workers stop batching. Discouraged. */
  readonly smr_flush = async (): Promise<void> => {
    await this.smr.flush()
  }

  /**
   * A quiescent state: this worker holds no item, as in the kernel's idle loop. Misuse inside a
   * section.
   */
  readonly smr_idle = (): void => {
    this.smr.offline()
    this.smr.online()
  }

  /** Misuse unless a section is open. */
  readonly SMR_ASSERT_CRITICAL = (): void => this.smr.assertEntered()

  /** Misuse if a section is open. */
  readonly SMR_ASSERT_NONCRITICAL = (): void => this.smr.assertNotEntered()

  /** The item in the pointer word at `pptr`, inside a section. */
  readonly SMR_PTR_GET = (pptr: number): Item => pointer(this.arena, pptr).enteredLoad()

  /** The same for the writer that holds the lock. */
  readonly SMR_PTR_GET_LOCKED = (pptr: number): Item => pointer(this.arena, pptr).serializedLoad()

  /** Publishes an item, with all that was written to it before. Misuse for what is no item or 0. */
  readonly SMR_PTR_SET_LOCKED = (pptr: number, val: Item): void =>
    pointer(this.arena, pptr).serializedStore(val)

  private checkEntry(call: string, smr: unknown): void {
    if (smr instanceof smr_entry) return
    throw new Misuse(`${call}: ${show(smr)} is no entry; give a new smr_entry()`)
  }
}

function whyNot({ queued, smr_func }: smr_entry): string {
  if (queued) return 'is queued; give another one'
  return smr_func === undefined
    ? 'was never initialised; call smr_init first'
    : 'was used before; call smr_init again'
}
