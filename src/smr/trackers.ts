/**
 * Async sections: sections that may stay open across `await` (XNU's sleepable domains).
 *
 * A worker's tasks interleave, so one word cannot say for each of them what its section has
 * observed. XNU gives every section a tracker on its caller's stack and, when the thread blocks,
 * moves it to a queue of stalled ones. Here each section has a tracker too, but all of a worker's
 * are its private affair: the worker publishes only the oldest, in a word of its own beside the
 * synchronous one's, and polls [S2] look at both.
 *
 * [X1] Entering beside an older async section: load the write hand, remember what it shows, publish
 *      nothing. Two cases: what has a later goal than the published sequence is not reused, since
 *      the word shows that one all the time; what has a goal up to what we loaded was unlinked
 *      before the load, and so before our reads. Otherwise (a plain load) we would later publish a
 *      sequence that promises more than we know.
 * [X2] The oldest leaves: one store, of the next one's sequence, or of none. If a poller's look
 *      reads it, what it then allows had a goal up to that sequence: unlinked before the next one's
 *      [X1], and after the last reads of the one that leaves. If it reads what stood before, it
 *      refuses. Otherwise (clearing first, then publishing the next) a poller in between would see
 *      nobody, and reuse what the next one's task still reads.
 *
 * As with synchronous sections, the word may show too old a sequence when an exception has ended a call
 * in the middle, and never too late a one: enter publishes before it counts the section as open, and
 * gives the section up if it cannot be called what it shall be; exit counts it as closed before it
 * publishes the next one's. What is then left in the word is put right by the next enter or exit, or
 * by `check`.
 *
 * Where the host can follow a task through its awaits (AsyncLocalStorage), `readAsync` knows who is
 * inside, so a task that waits for its own section is refused instead of waiting in vain. Tasks that
 * it starts are followed too, so what one carries along is only what is open when it begins: or a
 * chain of tasks, each started by the one before, would carry all that there ever were.
 */

import { asyncScope } from '../base/host.ts'
import { INVALID, lt, type Seq } from '../base/seq.ts'
import { ReaderWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import { publish } from './clock.ts'
import { writeLabel } from './stall.ts'

/** An open async section. Give it back to `smr.exitSleepable`. */
export class Tracker {
  /** What `stalled` calls the section. */
  readonly label: string
  /** What the section has observed. @internal */
  readonly seq: Seq
  /** Whether `readAsync` is in the call of its function, before the first await in it. @internal */
  starting: boolean

  /** @internal */
  constructor(label: string, seq: Seq, starting: boolean) {
    this.label = label
    this.seq = seq
    this.starting = starting
  }
}

/** A section that a task is in. */
interface Inside {
  readonly trackers: Trackers
  readonly tracker: Tracker
}

/** Of each task: the sections that it, or who started it, had open when the innermost began. */
const scope = asyncScope<readonly Inside[]>()

/** Runs `fn` as somebody who is in no section: what it starts later is not part of this task. */
export function outside<T>(fn: () => T): T {
  return scope === undefined ? fn() : scope.run([], fn)
}

/** The async sections of one worker in one domain. */
export class Trackers {
  private readonly memory: Memory
  private readonly wrAt: number
  private readonly reader: number
  /** In the order in which they began. */
  private readonly open = new Set<Tracker>()
  /** The first of them, and what follows it in the set: no look begins at the beginning again. */
  private oldest: Tracker | undefined
  private order = this.open.values()
  private published: Seq = INVALID
  private labelled = false

  constructor(memory: Memory, wrAt: number, reader: number) {
    this.memory = memory
    this.wrAt = wrAt
    this.reader = reader
  }

  get size(): number {
    return this.open.size
  }

  /** Whether a wait for `goal` would be one for a section of this very worker. */
  holdsBack(goal: Seq): boolean {
    return this.published !== INVALID && lt(this.published, goal)
  }

  /** Whether the running task is in an async section, as far as the host can tell. */
  isInside(goal: Seq | undefined): boolean {
    return (scope?.getStore() ?? []).some(
      ({ trackers, tracker }) =>
        trackers === this &&
        this.open.has(tracker) &&
        (goal === undefined || lt(tracker.seq, goal)),
    )
  }

  /** That it counts as open is the last step: whoever is stopped before has opened nothing. */
  enter(label: string, starting: boolean): Tracker {
    const { memory, wrAt } = this
    if (this.open.size > 0) {
      const tracker = new Tracker(label, memory.load(wrAt) as Seq, starting) // [X1]
      this.open.add(tracker)
      return tracker
    }
    this.published = INVALID // Until we know what.
    this.published = publish(memory, wrAt, this.reader + ReaderWords.asyncSeq) // [R1]
    const tracker = new Tracker(label, this.published, starting)
    this.name(tracker)
    this.order = this.open.values()
    this.oldest = tracker
    this.open.add(tracker)
    return tracker
  }

  /** False when the section is not open, or not one of these. */
  exit(tracker: Tracker): boolean {
    if (!this.open.delete(tracker)) return false
    // Not compared with `tracker`: an exit before this one may have been stopped in the middle.
    if (this.oldest === undefined || !this.open.has(this.oldest)) this.publishOldest(this.follow())
    return true
  }

  /**
   * In a turn of its own: closes sections whose call was cut off, and has the word show what it should.
   * True if there were any.
   */
  check(): boolean {
    const cutOff = [...this.open].filter(({ starting }) => starting)
    for (const tracker of cutOff) this.exit(tracker)
    const oldest = this.open.size === 0 ? undefined : this.oldest
    const shown = this.memory.load(this.reader + ReaderWords.asyncSeq)
    if (oldest === undefined ? shown !== INVALID : !this.open.has(oldest) || shown !== oldest.seq) {
      this.order = this.open.values()
      this.published = shown as Seq
      this.publishOldest(this.follow())
    }
    return cutOff.length > 0
  }

  /** Has the word show what the oldest section has observed. */
  private publishOldest(oldest: Tracker | undefined): void {
    const seq = oldest?.seq ?? INVALID
    if (seq !== this.published) {
      this.memory.store(this.reader + ReaderWords.asyncSeq, seq) // [X2]
      this.published = seq
    }
    this.name(oldest)
  }

  /** Runs `fn` so that `isInside` knows its task. */
  run<T>(tracker: Tracker, fn: () => T): T {
    if (scope === undefined) return fn()
    const outer = (scope.getStore() ?? []).filter((it) => it.trackers.open.has(it.tracker))
    return scope.run([...outer, { trackers: this, tracker }], fn)
  }

  /** The next in order becomes the oldest; undefined: none is open. */
  private follow(): Tracker | undefined {
    this.oldest = this.order.next().value
    return this.oldest
  }

  /** For `smr.stalled`, wherever it is asked. */
  private name(tracker: Tracker | undefined): void {
    const label = tracker?.label ?? ''
    if (label === '' && !this.labelled) return
    this.labelled = true // From here on something may be written there.
    writeLabel(this.memory, this.reader, this.published, label)
    this.labelled = label !== ''
  }
}
