/**
 * Async sections: sections that may stay open across `await` (XNU's sleepable domains).
 *
 * A worker's tasks interleave, so one word cannot hold what each of their sections has observed.
 * XNU gives every section a tracker on its caller's stack and, when the thread blocks, moves it to
 * a queue of stalled ones. Here each section has a tracker too, but they are private to the worker:
 * it publishes only the oldest, in a second word beside that of its synchronous section, and polls
 * load both [S2].
 *
 * [X1] Enter beside an older async section: load the write hand, remember its sequence, publish
 *      nothing. Two cases: what has a later goal than the published sequence is not reused, since
 *      the word shows that one all the time; what has a goal up to the loaded sequence was
 *      unlinked before the load, and so before our reads. Otherwise (a plain load) we could later
 *      publish a sequence without being ordered after the unlinks up to it.
 * [X2] The oldest leaves: one store, of the next one's sequence, or of INVALID. If a poller's load
 *      reads it, what the poll then allows had a goal up to that sequence: unlinked before the
 *      next one's [X1], and reused after the last reads of the one that leaves. If it reads what
 *      stood before, the poll says no. Otherwise (clear first, then publish the next) a poller in
 *      between would find no section, and reuse what the next one's task still reads.
 *
 * As with synchronous sections, after an exception the word may show a sequence that is too old,
 * never one that is too late. enter publishes before it counts the section as open, and opens
 * nothing if the label cannot be written; exit first counts the section as closed, then publishes
 * the next one's sequence. The next enter or exit, or `check`, corrects the word.
 *
 * Where the host can follow a task through its awaits (AsyncLocalStorage), `readAsync` knows which
 * task is inside, so a task that would wait for its own section is refused. Tasks that it starts
 * are followed too. A task keeps only the sections that are still open when the innermost begins:
 * otherwise a chain of tasks, each started by the one before, would keep all there ever were.
 */

import { asyncScope } from '../base/host.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
import { INVALID, lt, type Seq } from '../base/seq.ts'
import { ReaderWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import { publish } from './clock.ts'
import { writeLabel } from './stall.ts'

/** An open async section. Give it back to `smr.exitSleepable`. */
export class Tracker {
  /** The label of the section in `stalled`. */
  readonly label: string
  /** The sequence that the section has observed. @internal */
  readonly seq: Seq
  /** Whether the function of `readAsync` is running up to its first await. @internal */
  starting: boolean

  /** @internal */
  constructor(label: string, seq: Seq, starting: boolean) {
    this.label = label
    this.seq = seq
    this.starting = starting
  }

  /** What `JSON.stringify` shows. @internal */
  toJSON(): Summary {
    return summary('Tracker', this.label, () => ({}))
  }

  /** What `console.log` shows. @internal */
  [INSPECT](): string {
    return inOneLine(this.toJSON())
  }
}

/** A section that a task is in. */
interface Inside {
  readonly trackers: Trackers
  readonly tracker: Tracker
}

/** Per task: the sections that it or its starter had open when the innermost began. */
const scope = asyncScope<readonly Inside[]>()

/** Runs `fn` as a task that is in no section: for what is started here but serves others. */
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
  /** The first of them, and an iterator behind it: finding the next one takes one step. */
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

  /** Whether a wait for `goal` would wait for an async section of this worker. */
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

  /** Counting it as open is the last step: a call that is stopped before has opened nothing. */
  enter(label: string, starting: boolean): Tracker {
    const { memory, wrAt } = this
    if (this.open.size > 0) {
      const tracker = new Tracker(label, memory.load(wrAt) as Seq, starting) // [X1]
      this.open.add(tracker)
      return tracker
    }
    this.published = INVALID // Until `publish` has returned.
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
    // Not compared with `tracker`: an earlier exit may have been stopped in the middle.
    if (this.oldest === undefined || !this.open.has(this.oldest)) this.publishOldest(this.follow())
    return true
  }

  /**
   * In a turn of its own: closes sections whose call was cut off, and corrects the word. True if
   * there were any.
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

  /** Publishes what the oldest section has observed. */
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

  /** Makes the next one in order the oldest; undefined if none is open. */
  private follow(): Tracker | undefined {
    this.oldest = this.order.next().value
    return this.oldest
  }

  /** Publishes the label, for `smr.stalled` in any worker. */
  private name(tracker: Tracker | undefined): void {
    const label = tracker?.label ?? ''
    if (label === '' && !this.labelled) return
    this.labelled = true // Set before the write: it may be stopped in the middle.
    writeLabel(this.memory, this.reader, this.published, label)
    this.labelled = label !== ''
  }
}
