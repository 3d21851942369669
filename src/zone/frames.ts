/**
 * The unfinished calls of this worker in one zone, and the items that they hold.
 *
 * A slow path holds buckets in local variables for a while. An exception, or a time-out of
 * `node:vm` that runs no `finally`, would lose them. Steps need not be written down: a lost bucket
 * is one whose owner is this worker and to which its cache does not refer. So it is enough to know
 * that a call did not end; the next one then does for its own worker what is done for a dead one
 * (`recover`). But it must not take a bucket away from a call that is still running: hooks may call
 * any verb of the same zone, in the middle of a slow path.
 *
 *   open   calls that have begun and not ended
 *   base   of these, how many were running when the innermost hook was called
 *
 * Two cases for a call that begins: `open` is `base`, then all calls since have ended, and nothing
 * is lost; or it is more, then a call that began after the hook - or, with `base` 0, any call - was
 * cut off, because those before it are still inside their hook. Otherwise (a flag instead of a
 * count) the end of an inner call would look like the end of all, or a running call like one that
 * was cut off. `base` itself is wrong after a cut inside a hook: calls then take themselves for
 * nested, which does no harm, until a turn of its own, in which no call can be running: there
 * `check` starts from 0.
 *
 * Items that a call has popped and not handed out are in no bucket: they are kept here, in private
 * memory, from the pop to the return. There is no call between two stores to these fields where an
 * exception could come.
 */

export class Frames {
  open = 0
  base = 0
  /**
   * A held item that a word of shared memory names, and where that is; 0 for none. Words of the cache
   * need no mention here. See hands.ts.
   */
  named = 0
  word = 0
  /** A call was cut off inside a hook, and the call around it went on. */
  lost = false
  /** Held items: the first `held`. Behind them is room to pop into. */
  readonly items: number[] = []
  held = 0
  /** Which of these were freed: those must go to their slab, not to a bucket. */
  readonly freed: boolean[] = []
  /**
   * The bucket of an item that is marked as destroyed although its destructor has not been called
   * yet, 0 for none; and the mark before. After a death the destructor is not called any more. A
   * worker that lives takes the mark back, so that it is called later.
   */
  marked = 0
  begun = 0

  /** Whether a call of this worker was cut off. */
  get isTorn(): boolean {
    return this.open !== this.base || (this.lost && this.base === 0)
  }

  /**
   * A hook is about to run: what its caller holds is not lost. Returns the argument for `leave`.
   */
  enter(): number {
    const { base } = this
    this.open++
    this.base = this.open
    return base
  }

  /** False when a call that began meanwhile was cut off: `mend` then. */
  leave(base: number): boolean {
    const whole = this.open === this.base
    this.open = this.base - 1
    this.base = base
    return whole
  }

  /** Holds an item. Returns its index: set `held` to that when the item is elsewhere. */
  hold(item: number, freed = false): number {
    const { held } = this
    this.items[held] = item
    this.freed[held] = freed
    this.held = held + 1
    return held
  }

  /** Nothing is lost or held any more. */
  reset(): void {
    this.open = 0
    this.base = 0
    this.lost = false
    this.held = 0
    this.named = 0
    this.marked = 0
  }
}
