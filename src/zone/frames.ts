/**
 * Which calls of this worker are in the middle of something in one zone, and which items they hold.
 *
 * A slow path has buckets in no place but its own variables for a while, and an exception, or a cut
 * by `node:vm` that runs no `finally`, would lose them. Nothing is written down for each step: a
 * bucket's owner says that it is this worker's, and its cache does not refer to it. So it is enough
 * to know that a call has not come to its end, and the next one does for its own worker what is
 * done for a dead one: `recover`. The one thing that it must not do is to take a bucket away from a
 * call that is still running: hooks may call any verb of the same zone, in the middle of a slow
 * path.
 *
 *   open   calls that have begun and not ended
 *   base   of these, how many were running when the innermost hook was called
 *
 * Two cases for a call that begins: `open` is `base`, then all calls since have ended, and nothing
 * is lost; or it is more, then one of those that began after the hook - or, with `base` 0, any -
 * was cut off, for those before it have not come back from their hook. Otherwise (a flag instead of
 * a count) the end of an inner call would pass for the end of all, or for a call that was cut off.
 * `base` itself is wrong after a cut inside a hook. Then calls take themselves for nested, which
 * does no harm, until a turn of its own, in which none can be: there `check` starts from 0.
 *
 * Items that a call has popped and not handed out are in no bucket at all: those are written down,
 * in private, from the pop to the return. Plain fields, and no call between two of them: an
 * exception has nowhere to come from.
 */

export class Frames {
  open = 0
  base = 0
  /** Something was cut off inside a hook whose own call has gone on. */
  lost = false
  /** Items in hand: the first `held`. Behind them is room to pop into. */
  readonly items: number[] = []
  held = 0
  /**
   * Of these, items that were freed: they must not be handed out again before their slab has them.
   */
  readonly freed: boolean[] = []
  /**
   * The bucket of an item that is marked as destroyed although its destructor has not been called
   * yet, and what the mark was before; 0 for none. After a death it is not called any more. A
   * worker that lives takes the mark back, and whoever goes on with the bucket calls it.
   */
  marked = 0
  begun = 0

  /** Whether a call of this worker was cut off. */
  get isTorn(): boolean {
    return this.open !== this.base || (this.lost && this.base === 0)
  }

  /**
   * A call begins that may be called from: what it holds is not lost. Answers what `leave` wants.
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

  /** Takes an item in hand. Answers which: `held` is set back to that when it has left. */
  hold(item: number, freed = false): number {
    const { held } = this
    this.items[held] = item
    this.freed[held] = freed
    this.held = held + 1
    return held
  }

  /** All is in its place again. */
  reset(): void {
    this.open = 0
    this.base = 0
    this.lost = false
    this.held = 0
    this.marked = 0
  }
}
