/**
 * Sections, as one worker opens and closes them in one domain: the first half of the algorithm whose
 * essay, with the labels, is in domain.ts. The second half is goals.ts.
 *
 * A handle knows what its own worker is doing, so it needs no shared word to refuse what is out of
 * order. The fast path is `enter` and `exit`, and stays on one screen.
 *
 * An exception that the thread survives (its stack is full) may end each of these calls at any step,
 * and a call that is cut off (watch.ts) does not even run its `finally`. So the order of the private
 * and the shared step is fixed: a private word that says "inside" implies a published sequence. enter
 * publishes, then says so; exit says so, then clears. Two cases for whoever is stopped in between: the
 * section is open in both words, then everything is protected that it may read; or it is published
 * and nobody is inside, then memory is held back until the next enter or exit, or `check`, writes the
 * word. Otherwise (the private word first) the next lookup would take itself for part of a section
 * that was never published, and read what a poller gives away.
 */

import { Misuse, show } from '../base/errors.ts'
import { report } from '../base/host.ts'
import { INVALID as IMPORTED_INVALID, type Seq } from '../base/seq.ts'
import { NEAR as IMPORTED_NEAR } from '../memory/compound.ts'
import { DomainWords, ReaderWords, RunKind } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { OwnSections, Space } from '../space/space.ts'
import type { Published } from '../space/turn.ts'
import { isThenable } from '../space/wait.ts'
import { publish } from './clock.ts'
import { SECTIONS } from './options.ts'
import { outside, type Tracker, Trackers } from './trackers.ts'

// Names of this module are constants to the optimizer; imported ones are looked up each time.
const INVALID = IMPORTED_INVALID
const NEAR = IMPORTED_NEAR

/** What the worker is doing in this domain, as far as its own handle knows. */
const OUTSIDE = 0
const OFFLINE = 1
/** Between a caller's own enter and exit. */
const INSIDE = 2
/** In a section that a call of ours has opened, and closes before it returns. */
const IN_CALL = 3
const CLOSED = 4
/** The bit that both kinds of inside have, and nothing else. */
const IS_INSIDE = 2

/** The sections of one worker in one domain. */
export class Sections implements Published, OwnSections {
  readonly name: string
  /** @internal */
  readonly serial: number
  /** @internal */
  readonly address: number
  /** @internal */
  readonly space: Space
  protected readonly memory: Memory
  /** This worker's async sections; undefined until it opens the first. */
  protected trackers: Trackers | undefined
  /** The write hand, and the word in which this worker publishes. @internal */
  readonly wrAt: number
  /** @internal */
  readonly seqAt: number
  /** Whether what a section published stays until the turn ends. @internal */
  readonly turning: boolean
  private readonly reader: number
  /** What this worker's word shows between turn sections, INVALID when it shows none. */
  private seen: Seq = INVALID
  /** Whether it may show something: turn sections, from before they publish until it is cleared. */
  private shown = false
  private state = OUTSIDE
  /** Whether the user has been told of a section that an `await` came into, or a call left open. */
  private toldOpen = false
  private toldCutOff = false

  /** @internal */
  constructor(space: Space, name: string, address: number, serial: number) {
    this.space = space
    this.memory = space.memory
    this.name = name
    this.address = address
    this.serial = serial
    this.wrAt = address + DomainWords.wr
    this.reader = address + DomainWords.WORDS + space.slot * ReaderWords.WORDS
    this.seqAt = this.reader + ReaderWords.seq
    this.turning = SECTIONS[space.memory.peek(address + DomainWords.sections)] === 'turn'
  }

  /**
   * This is the handle that the worker keeps: from now on it is looked after. Another one of the same
   * worker knows nothing of what this one has open, and would take it for left behind. @internal
   */
  keep(): this {
    outside(() => this.space.addSections(this))
    return this
  }

  // ---- sections ----------------------------------------------------------------------------

  /**
   * Opens a read section: until `exit`, no record that this worker can reach is used again.
   * Never blocks, never allocates. Does not nest within one domain (Misuse); sections of different
   * domains may. Must not be open across an `await`. FreeBSD smr_enter(9), smr_lazy_enter(9).
   */
  enter(): void {
    this.open(INSIDE)
  }

  /**
   * `enter` for calls of ours that exit before they return. One that is found open in a turn of its
   * own was cut off, and is closed: see `check`. @internal
   */
  enterInCall(): void {
    this.open(IN_CALL)
  }

  private open(how: number): void {
    if (this.state !== OUTSIDE) throw this.refuse('enter')
    const { memory, wrAt, seqAt } = this
    if (this.turning) {
      // [R3] If the racy peek finds what our word shows, that stands there since we published it, and
      //      this section is part of that one. If not, we publish anew. Otherwise nothing: a racy peek
      //      may answer with any value that the hand ever had. One that the hand had later than our
      //      word, or earlier, is another than `seen`, and then we publish, which needs no hint; if
      //      it is `seen`, the word shows that, and is as good as on the day it was published: that
      //      the hand has moved since only decides that reclamation waits a little longer.
      if (memory.peekRacy(wrAt) !== this.seen) this.publishForTurn()
    } else if (memory.enterSection(wrAt, seqAt) > NEAR) {
      // [R1] Published what the hand showed, loaded it again, learned how far it has moved meanwhile.
      //      [I] So far that what we published is too old to compare with: then once more.
      publish(memory, wrAt, seqAt)
    }
    this.state = how
  }

  /**
   * Closes the section. Never blocks. Misuse when none is open. FreeBSD smr_exit(9). Ends a section
   * of this worker, and is legal nowhere else.
   */
  exit(): void {
    if ((this.state & IS_INSIDE) === 0) throw this.refuse('exit')
    this.state = OUTSIDE
    if (this.turning) return
    // [R2] If a poller's look [S2] reads this 0, our reads happen before whatever it allows.
    //      If it reads what stood before, it refuses. Otherwise (a plain store) the record could be
    //      written while our last reads are still under way.
    this.memory.store(this.seqAt, INVALID)
  }

  /**
   * Whether this worker has a section open, synchronous or async. XNU smr_entered. Never throws and
   * never blocks; legal anywhere.
   */
  get entered(): boolean {
    return this.inside || (this.trackers !== undefined && this.trackers.size > 0)
  }

  /** Whether it has a synchronous one open: what must not free, advance or wait. @internal */
  get inside(): boolean {
    return (this.state & IS_INSIDE) !== 0
  }

  /**
   * Runs `fn` in a section and returns what it returns. A returned promise is Misuse: a section
   * must not stay open across an `await`. Misuse inside another section of the domain. Never blocks
   * itself.
   */
  read<T>(fn: () => T): T {
    if (typeof fn !== 'function') throw this.misuse('read', `fn is ${show(fn)}; give a function`)
    this.enterInCall()
    try {
      return this.within(fn)
    } finally {
      this.exit()
    }
  }

  /**
   * Misuse unless this worker has a section open, of either kind. OpenBSD SMR_ASSERT_CRITICAL.
   * Never blocks; legal anywhere.
   */
  assertEntered(): void {
    if (!this.entered) throw this.misuse('assertEntered', 'no section is open')
  }

  /**
   * Misuse if this worker has a synchronous section open; async ones are other tasks' affair.
   * OpenBSD SMR_ASSERT_NONCRITICAL. Never blocks.
   */
  assertNotEntered(): void {
    if (this.inside) throw this.misuse('assertNotEntered', 'a section is open')
  }

  /**
   * This worker will not enter for long: nothing of it holds memory back until `online`. Only a
   * worker that computes for long in one turn needs it, and only with turn sections; with the others
   * it changes nothing but that `enter` is Misuse meanwhile. Misuse inside a section, also an async
   * one. Never blocks.
   */
  offline(): void {
    this.assertOutside('offline')
    this.assertNoneOpen('offline')
    this.letGo()
    this.state = OFFLINE
  }

  /** Ends `offline`: `enter` is legal again. Misuse inside a section. Never blocks. */
  online(): void {
    this.assertOutside('online')
    this.state = OUTSIDE
  }

  // ---- async sections ----------------------------------------------------------------------

  /**
   * Opens a section that may stay open across `await`, in a domain made with `sleepable: true`. Any
   * number may be open at once, in any order. `label` is what `stalled` calls it. While it is open
   * you may free and advance, but not wait in vain: nothing unlinked since it began is reused, so
   * keep it shorter than what you would wait for. Never blocks. XNU smr_enter_sleepable. Misuse in
   * a domain without `sleepable`. Legal inside a section.
   */
  enterSleepable(label = ''): Tracker {
    return this.enterAsync('enterSleepable', label, false)
  }

  /**
   * Closes an async section. Misuse when it is not open here. XNU smr_leave_sleepable. Never
   * blocks; legal inside a section.
   */
  exitSleepable(tracker: Tracker): void {
    this.assertOpen('exitSleepable')
    if (this.trackers?.exit(tracker)) return
    throw this.misuse('exitSleepable', `${show(tracker)} is no open section of this worker's`)
  }

  /**
   * Runs `fn` in an async section, which ends when the promise that it returns is settled. Resolves
   * with what that resolves with; rejects with its error, or with Misuse as `enterSleepable`. Never
   * blocks the thread; legal inside a section.
   */
  async readAsync<T>(fn: () => Promise<T> | T, label = ''): Promise<T> {
    if (typeof fn !== 'function') {
      throw this.misuse('readAsync', `fn is ${show(fn)}; give a function`)
    }
    const tracker = this.enterAsync('readAsync', label, true)
    try {
      const result = (this.trackers as Trackers).run(tracker, fn)
      tracker.starting = false
      return await result
    } finally {
      // If the worker has detached meanwhile, there is nothing left to close.
      if (this.state !== CLOSED) this.exitSleepable(tracker)
    }
  }

  // ---- for the rest of the library ---------------------------------------------------------

  /**
   * [R3] Whether an `enter` now would only peek at the hand, because what this worker published
   * in this turn still stands. Then a look that runs nobody else's code is in a section as it is,
   * without enter and exit. Never so with fenced sections: the hand does not show INVALID. @internal
   */
  get covered(): boolean {
    return this.state === OUTSIDE && this.memory.peekRacy(this.wrAt) === this.seen
  }

  /** Whether `enter` is legal, for verbs of memory that open a section themselves. @internal */
  get mayEnter(): boolean {
    return this.state === OUTSIDE
  }

  /** `read` in a section that is open already. @internal */
  within<T>(fn: () => T): T {
    this.assertEntered()
    return this.rejectPromise(fn())
  }

  /** What a function has returned inside a section: Misuse if it is a promise. @internal */
  rejectPromise<T>(result: T): T {
    if (isThenable(result)) throw this.heldOverAwait(result)
    return result
  }

  /** Lets go of what stays published between turn sections. False inside one. @internal */
  letGo(): boolean {
    if (!this.shown) return true
    if (this.inside) return false
    this.seen = INVALID
    // Who was reaped while it lives has no word any more.
    if (!this.space.isOurs) return true
    // [R2] The end of every section since the publication, as exit's store is of one.
    this.memory.store(this.seqAt, INVALID)
    this.shown = false
    return true
  }

  /**
   * In a turn of its own: ends what a call has left behind, and tells the user of a section that he
   * has left open over an `await`. That one stays open: whoever awaits may still read. @internal
   */
  check(): void {
    const { memory, seqAt } = this
    // In this order. A word of ours that shows a sequence keeps the domain from being destroyed, so if
    // the domain is there after this load, the word is ours, and stays ours until we clear it.
    const seq = memory.load(seqAt)
    if (!this.space.isOurs || !this.isAlive()) return
    if (this.state === IN_CALL) {
      this.state = OUTSIDE
      this.tellCutOff()
    } else if (this.state === INSIDE) this.tellOpen()
    if (this.turning) this.letGo()
    else if (!this.inside && seq !== INVALID) {
      memory.store(seqAt, INVALID) // [R2] Of an exit that was stopped, or an enter: nobody reads.
    }
    if (this.trackers?.check()) this.tellCutOff()
  }

  /**
   * Whether the domain still exists: another worker may have destroyed it, and made another thing
   * where it was, even now; so a racy peek will do. @internal
   */
  isAlive(): boolean {
    const { address, memory, serial, space } = this
    return (
      space.pages.find(address, RunKind.domain) === address &&
      memory.peekRacy(address + DomainWords.serial) === serial
    )
  }

  /** Misuse when this worker has a section open, or the domain has ended. @internal */
  assertOutside(verb: string): void {
    if (this.state >= INSIDE || !this.isAlive() || !this.space.isOurs) throw this.refuse(verb)
  }

  /** Misuse when the handle was closed, or the domain has ended. @internal */
  assertOpen(verb: string): void {
    if (this.state === CLOSED || !this.isAlive()) throw this.refuse(verb)
  }

  private enterAsync(verb: string, label: string, starting: boolean): Tracker {
    if (this.state === CLOSED || this.state === OFFLINE) throw this.refuse(verb)
    if (typeof label !== 'string') throw this.misuse(verb, `label is ${show(label)}; give a string`)
    if (this.memory.peek(this.address + DomainWords.sleepable) === 0) {
      throw this.misuse(verb, 'the domain was not made with sleepable: true')
    }
    this.trackers ??= new Trackers(this.memory, this.wrAt, this.reader)
    return this.trackers.enter(label, starting)
  }

  /** Misuse when this worker has an async section open. */
  protected assertNoneOpen(verb: string): void {
    if (this.trackers !== undefined && this.trackers.size > 0) throw this.ownSection(verb)
  }

  protected ownSection(verb: string): Misuse {
    const why = verb === 'offline' ? 'which holds memory back' : 'and it would wait for that'
    return this.misuse(verb, `an async section of this worker is open, ${why}`)
  }

  /**
   * In this order, for each step may be the last one. First the end of the turn is asked for, then it
   * is said that the word may show something, and that nothing of it is known: so whatever is
   * published is cleared some time, and no racy peek is compared with what stood there before. At last
   * what the word surely shows.
   */
  private publishForTurn(): void {
    if (!this.space.isOurs) throw this.space.taken('smr.enter')
    this.space.turn.hold(this)
    this.seen = INVALID
    this.shown = true
    this.seen = publish(this.memory, this.wrAt, this.seqAt)
  }

  private tellOpen(): void {
    if (this.toldOpen) return
    this.toldOpen = true
    report(
      this.misuse(
        'enter',
        `a section is open since an earlier turn, and holds memory back: an await came into it, or an exit is missing; use read, or readAsync for what must await${this.whereEntered()}`,
      ),
    )
  }

  private tellCutOff(): void {
    if (this.toldCutOff) return
    this.toldCutOff = true
    report(
      this.misuse(
        'read',
        'a call of ours was cut off in its section, without finally, as node:vm does after a time-out; the section is closed now',
      ),
    )
  }

  /** Where the section was entered, as far as that is known: see domain.ts. */
  protected whereEntered(): string {
    return ''
  }

  private heldOverAwait(promise: PromiseLike<unknown>): Misuse {
    promise.then(undefined, () => {}) // Its rejection, if any, must not add a second error.
    return this.misuse(
      'read',
      'the function returned a promise; a section must not be open across an await',
    )
  }

  protected refuse(verb: string): Misuse {
    if (this.state !== CLOSED && !this.space.isOurs) return this.space.taken(`smr.${verb}`)
    if (this.state === CLOSED)
      return this.misuse(verb, 'this handle was closed by detach or destroy')
    if (!this.isAlive())
      return this.misuse(verb, 'it was destroyed by another worker; open it again')
    if (verb === 'exit') return this.misuse(verb, 'no section is open; call enter first')
    if (this.state === OFFLINE)
      return this.misuse(verb, 'this worker is offline; call online first')
    // Of a call around us, or of one that was cut off before: the end of this turn will show.
    if (this.state === IN_CALL) this.space.watch.soon()
    const why =
      verb === 'enter'
        ? 'sections of one domain do not nest'
        : 'it could wait for this very section'
    return this.misuse(verb, `a section is open; ${why}: exit first`)
  }

  protected misuse(verb: string, what: string): Misuse {
    return new Misuse(`smr.${verb}: domain ${show(this.name)}: ${what}`, { domain: this.name })
  }

  /** @internal */
  protected get isClosed(): boolean {
    return this.state === CLOSED
  }

  /** This worker was reaped while it lives: its words are another's. @internal */
  forget(): void {
    this.seen = INVALID
    this.state = CLOSED
  }

  /** This worker leaves, or the domain has ended; not while something of it is published. @internal */
  close(): void {
    this.letGo()
    this.state = CLOSED
    this.space.removeSections(this)
  }
}
