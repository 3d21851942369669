/**
 * Sections, as one worker opens and closes them in one domain: the readers' half of the algorithm.
 * The essay with the labels is in domain.ts; the writers' half is goals.ts.
 *
 * A handle knows the state of its own worker, so it loads no shared word to refuse a call that is
 * out of order. The fast path is `enter` and `exit`.
 *
 * An exception that the thread survives (a stack overflow) may end a call at any step, and a call
 * that is cut off (watch.ts) does not even run its `finally`. So the order of the private and the
 * shared step is fixed: if the private word says "inside", a sequence is published. enter
 * publishes first, exit clears last. Two cases for a call that is stopped in between: both words
 * say that the section is open, then all that it may read is protected; or only the shared word
 * does, then memory is held back until the next enter or exit, or `check`, writes the word.
 * Otherwise (the private word first) the next lookup would believe that it is in a section, which
 * was never published, and read what a poller has released.
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

/** States of a worker in this domain. */
const OUTSIDE = 0
const OFFLINE = 1
/** Between a caller's own enter and exit. */
const INSIDE = 2
/** In a section that a call of the library has opened, and closes before it returns. */
const IN_CALL = 3
const CLOSED = 4
/** The bit that INSIDE and IN_CALL have and the others do not. */
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
  /** The sequence that this worker's word surely shows between turn sections, else INVALID. */
  private seen: Seq = INVALID
  /**
   * Turn sections: whether the word may show a sequence. Set before it does, until it is cleared.
   */
  private shown = false
  private state = OUTSIDE
  /** Whether the user was told of a section left open over an `await`, or by a call. */
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
   * This is the handle that the worker keeps: from now on `check` is called for it. Not for a
   * second handle of the worker: that does not know what this one has open, and would close it.
   * @internal
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
   * `enter` for calls of the library that exit before they return. If such a section is still open
   * in a later turn, its call was cut off, and `check` closes it. @internal
   */
  enterInCall(): void {
    this.open(IN_CALL)
  }

  private open(how: number): void {
    if (this.state !== OUTSIDE) throw this.refuse('enter')
    const { memory, wrAt, seqAt } = this
    if (this.turning) {
      // [R3] If the racy peek returns the sequence that our word shows, this section is part of the
      //      one that was published. If it returns another, we publish anew, which needs no hint. A
      //      racy peek may return any value that the hand ever had, and that is enough: if it is
      //      `seen`, the word shows that sequence and protects as on the day it was published. That
      //      the hand has moved since only means that reclamation waits a little longer.
      if (memory.peekRacy(wrAt) !== this.seen) this.publishForTurn()
    } else if (memory.enterSection(wrAt, seqAt) > NEAR) {
      // [R1] This has published the hand, loaded it again, and returned how far it has moved.
      // [I]  Too far: what we published is too old to compare with, so publish once more.
      publish(memory, wrAt, seqAt)
    }
    this.state = how
  }

  /**
   * Closes the section. Never blocks. Misuse when no section of this worker is open: legal only in
   * one. FreeBSD smr_exit(9).
   */
  exit(): void {
    if ((this.state & IS_INSIDE) === 0) throw this.refuse('exit')
    this.state = OUTSIDE
    if (this.turning) return
    // [R2] If a poller's load [S2] reads this 0, our reads happen before all that the poll allows.
    //      If it reads what stood before, the poll says no. Otherwise (a plain store) the record
    //      could be written while our last reads are still under way.
    this.memory.store(this.seqAt, INVALID)
  }

  /**
   * Whether this worker has a section open, synchronous or async. XNU smr_entered. Never throws and
   * never blocks; legal anywhere.
   */
  get entered(): boolean {
    return this.inside || (this.trackers !== undefined && this.trackers.size > 0)
  }

  /**
   * Whether a synchronous one is open: then this worker must not free, advance or wait. @internal
   */
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
   * Misuse if this worker has a synchronous section open. Async ones do not count: they are other
   * tasks'. OpenBSD SMR_ASSERT_NONCRITICAL. Never blocks.
   */
  assertNotEntered(): void {
    if (this.inside) throw this.misuse('assertNotEntered', 'a section is open')
  }

  /**
   * This worker will not enter for a while: nothing of it holds memory back until `online`. Only a
   * worker that computes for long in one turn needs it, and only with turn sections; with fenced
   * ones its only effect is that `enter` is Misuse meanwhile. Misuse inside a section, also an
   * async one. Never blocks.
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
   * Opens a section that may stay open across `await`, in a domain made with `sleepable: true`.
   * Any number may be open at once, and be closed in any order. `label` is its name in `stalled`.
   * While it is open you may free and advance. Nothing unlinked since it began is reused, so keep
   * it shorter than what others wait for. Never blocks. XNU smr_enter_sleepable. Misuse in a
   * domain without `sleepable`. Legal inside a section.
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
   * [R3] Whether an `enter` now would publish nothing, because what this worker published in this
   * turn still stands. Then a read that runs no code of the user's needs no enter and exit. Always
   * false with fenced sections: `seen` is then INVALID, which the hand never shows. @internal
   */
  get covered(): boolean {
    return this.state === OUTSIDE && this.memory.peekRacy(this.wrAt) === this.seen
  }

  /** Whether `enter` is legal: for verbs of memory that open a section themselves. @internal */
  get mayEnter(): boolean {
    return this.state === OUTSIDE
  }

  /** `read` in a section that is open already. @internal */
  within<T>(fn: () => T): T {
    this.assertEntered()
    return this.rejectPromise(fn())
  }

  /** Returns what a function returned inside a section; Misuse if it is a promise. @internal */
  rejectPromise<T>(result: T): T {
    if (isThenable(result)) throw this.heldOverAwait(result)
    return result
  }

  /** Clears what stays published between turn sections. False inside a section. @internal */
  letGo(): boolean {
    if (!this.shown) return true
    if (this.inside) return false
    this.seen = INVALID
    // A worker that was reaped while it lives has no word any more.
    if (!this.space.isOurs) return true
    // [R2] Ends every section since the publication, as the store in `exit` ends one.
    this.memory.store(this.seqAt, INVALID)
    this.shown = false
    return true
  }

  /**
   * In a turn of its own: closes a section that a call has left open, and tells the user of one
   * that was left open over an `await`. That one stays open: its task may still read. @internal
   */
  check(): void {
    const { memory, seqAt } = this
    // In this order. While our word shows a sequence the domain cannot be destroyed. So if the
    // domain is there after this load, the word is ours, and stays ours until we clear it.
    const seq = memory.load(seqAt)
    if (!this.space.isOurs || !this.isAlive()) return
    if (this.state === IN_CALL) {
      this.state = OUTSIDE
      this.tellCutOff()
    } else if (this.state === INSIDE) this.tellOpen()
    if (this.turning) this.letGo()
    else if (!this.inside && seq !== INVALID) {
      memory.store(seqAt, INVALID) // [R2] An enter or exit was stopped: nobody reads.
    }
    if (this.trackers?.check()) this.tellCutOff()
  }

  /**
   * Whether the domain still exists. Another worker may have destroyed it, and may do so right
   * after the answer; so a racy peek is enough. @internal
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
   * In this order, since each step may be the last one. First ask for the end of the turn. Then
   * note that the word may show a sequence, and that we do not know which. So whatever is published
   * will be cleared, and no racy peek is compared with what stood there before. Only then publish,
   * and note what the word surely shows.
   */
  private publishForTurn(): void {
    if (!this.space.isOurs) throw this.space.reaped('smr.enter')
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

  /** Where the section was entered, if that is known: see `CheckedSmr`. */
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
    if (this.state !== CLOSED && !this.space.isOurs) return this.space.reaped(`smr.${verb}`)
    if (this.state === CLOSED)
      return this.misuse(verb, 'this handle was closed by detach or destroy')
    if (!this.isAlive())
      return this.misuse(verb, 'it was destroyed by another worker; open it again')
    if (verb === 'exit') return this.misuse(verb, 'no section is open; call enter first')
    if (this.state === OFFLINE)
      return this.misuse(verb, 'this worker is offline; call online first')
    // By a call around us, or by one that was cut off: then a check after this turn closes it.
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

  /** This worker was reaped while it lives: its words belong to another now. @internal */
  forget(): void {
    this.seen = INVALID
    this.state = CLOSED
  }

  /** This worker leaves, or the domain has ended. @internal */
  close(): void {
    this.letGo()
    this.state = CLOSED
    this.space.removeSections(this)
  }
}
