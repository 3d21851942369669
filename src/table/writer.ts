/**
 * Writing to a hash table: one record is put in, in place of another or not, or taken out.
 *
 *   begin     what an earlier call has left unfinished is finished
 *   put       memory for the record, then its stripe is locked: link, publish, unlock, free the old one;
 *             if the stripe has become crowded, it grows
 *   take      lock, unlink, unlock, free
 *
 * Each can be made to depend on the version of the record that is there: a word behind it that no
 * other record of the same key has had (see version.ts). A caller reads a
 * record and its version in a section; under the lock it learns whether the record is still the same.
 * Two cases: the version under the lock is the same, then it is that very record, for it is written
 * before a record is published and a record never changes; or it is not, then somebody has written
 * this key since, nothing is changed and the caller reads again. Otherwise (by the address alone) a
 * record could have been freed, and another of the same key put where it lay.
 *
 * No code of the user runs while a stripe is locked. A worker that dies after any step here leaves
 * the old chain or the new one, and what it had in its hands is written down: see zone/hands.ts, and
 * stripes.ts.
 */

import { type Item, NULL_ITEM } from '../base/brands.ts'
import { Corruption, Misuse, show } from '../base/errors.ts'
import type { Memory } from '../memory/memory.ts'
import type { AtomicField } from '../record/atomic.ts'
import type { Fields, Key, Schema } from '../record/record.ts'
import type { Smr } from '../smr/domain.ts'
import type { Hands } from '../zone/hands.ts'
import type { Zone } from '../zone/zone.ts'
import { type Blocks, isLater } from './blocks.ts'
import type { Chains } from './chains.ts'
import type { Holds } from './holds.ts'
import type { TableParts } from './parts.ts'
import { growStripe, isCrowded } from './resize.ts'
import { Seals } from './seals.ts'
import type { Stripes } from './stripes.ts'
import type { RecordWriter } from './verbs.ts'
import { ABSENT, ANY, type Versions } from './version.ts'
import { inside } from './walk.ts'

/** After an attempt to grow that failed, so much more of the stripe's records until the next. */
const TRY_AGAIN = 1 / 8
/** In place of a record that is on its way out. */
export const GONE = -1

export class Writer<F extends Fields, V> implements RecordWriter<V> {
  private readonly parts: TableParts
  private readonly schema: Schema<F>
  private readonly key: Key<V>
  private readonly keyIndex: number
  private readonly memory: Memory
  private readonly chains: Chains
  private readonly stripes: Stripes
  private readonly versions: Versions
  private readonly smr: Smr
  private readonly zone: Zone
  private readonly seals: Seals
  private readonly blocks: Blocks
  private readonly holds: Holds | undefined
  /** What a write has made and not yet linked, or unlinked and not yet freed. */
  private readonly hands: Hands
  /** The verb of the table that writes now: errors name it. */
  private verb = ''
  /** Where a hold is being written down, until it is made. */
  private entry = 0
  /** By stripe: how many records it must have before this worker tries again to let it grow. */
  private readonly growFrom: number[]

  /** `keyIndex`: which of the values of a record is the key. */
  constructor(parts: TableParts, schema: Schema<F>, key: Key<V>, keyIndex: number) {
    this.parts = parts
    this.schema = schema
    this.key = key
    this.keyIndex = keyIndex
    this.memory = parts.arena.memory
    this.chains = parts.chains
    this.stripes = parts.stripes
    this.versions = parts.versions
    this.smr = parts.smr
    this.zone = parts.zone
    this.blocks = parts.blocks
    this.hands = parts.zone.parts.hands
    this.hands.empty = (): void => this.recover()
    parts.arena.space.hands.add(this.hands)
    this.holds = parts.holds
    this.seals = new Seals(this.memory, schema.atomics, this.chains.versionOffset, parts.name)
    this.growFrom = new Array<number>(2 ** parts.stripes.bits).fill(0)
  }

  /** Misuse unless this worker may write now. */
  begin(verb: string): void {
    this.verb = verb
    const { space } = this.parts.arena
    if (space.isOpen && !this.smr.inside) {
      if (this.hands.isOpen) this.recover()
      if (this.holds !== undefined) this.endHolds(this.holds)
      return
    }
    space.assertOpen(`table.${verb}`)
    throw new Misuse(
      `table.${verb}: table ${show(this.parts.name)}: a section of domain ${show(this.smr.name)} is open; exit first`,
      { table: this.parts.name, domain: this.smr.name },
    )
  }

  put(values: readonly unknown[], expected: number, seen?: readonly number[]): boolean {
    const key = values[this.keyIndex] as V
    const item = this.obtain()
    let isIn = false
    try {
      isIn = this.link(item, values, key, expected, seen)
    } catch (error) {
      isIn = this.hands.made !== item
      this.recoverAfter(isIn)
      if (!isIn) throw explained(this.parts, error, this.key.hash(key))
    }
    if (!isIn) this.recover()
    return isIn
  }

  take(key: V, expected: number, seen?: readonly number[]): boolean {
    this.zone.makeRoom()
    this.hands.isOpen = true
    try {
      return this.unlink(key, expected, seen)
    } catch (error) {
      const isOut = this.hands.replaced !== NULL_ITEM
      this.recoverAfter(isOut)
      if (!isOut) throw explained(this.parts, error, this.key.hash(key))
      return true
    }
  }

  claim(key: V): number {
    const version = this.inPlace(key, (record) => {
      this.seals.seal(record)
      return this.chains.versionOf(record)
    })
    return version ?? ABSENT
  }

  change(key: V, field: AtomicField, next: (before: number) => number): number | undefined {
    return this.inPlace(key, (record, hash) =>
      this.seals.change(record, field, this.versions.next(hash), next),
    )
  }

  /**
   * What `act` returns for the record with this key, with its stripe locked; undefined if there is none.
   * Legal in a section: who holds the lock of a stripe never waits for readers.
   */
  private inPlace<T>(key: V, act: (record: number, hash: number) => T): T | undefined {
    const { chains, memory, stripes } = this
    const hash = this.key.hash(key)
    try {
      const stripe = stripes.lockFor(hash)
      let whole = false
      try {
        const record = memory.load(this.place(chains.current(stripe), hash, key))
        const result = record === 0 ? undefined : act(record, hash)
        whole = true
        return result
      } finally {
        stripes.release(stripe, whole)
      }
    } catch (error) {
      throw explained(this.parts, error, hash)
    }
  }

  /** Whether the record may be taken out: nothing can be added to it from here on. The stripe is locked. */
  private isSealed(record: number, seen: readonly number[] | undefined): boolean {
    if (record === 0 || !this.seals.areUsed) return true
    if (seen !== undefined) return this.seals.sealIf(record, seen)
    this.seals.seal(record)
    return true
  }

  /**
   * Address of the pointer to the record with this key, or of the null that ends its chain.
   * The stripe is locked.
   */
  private place(now: number, hash: number, key: V): number {
    const { chains, memory } = this
    const link = chains.linkOffset(now)
    let at = chains.headFor(now, hash)
    let steps = 0
    let mark = 0
    for (let node = memory.load(at); node !== 0; node = memory.load(at)) {
      // See chains.ts: a walk must not go on in a damaged chain.
      if (node === mark || !chains.holds(node)) throw chains.broken(now, hash, node)
      if (chains.hashOf(node) === hash && this.key.equals(memory, node, key)) return at
      steps++
      if ((steps & (steps - 1)) === 0) mark = node
      at = node + link
    }
    return at
  }

  /**
   * Allocates a record, and makes room to free the one that it may replace. In this order, because
   * an allocation may retire the free bucket; after this nothing takes the room away.
   */
  private obtain(): Item {
    const { hands, zone } = this
    let item: Item = NULL_ITEM
    let ready = false
    hands.isOpen = true
    try {
      item = zone.zallocSmrInto(hands.handAt)
      hands.made = item
      hands.owns = 0
      // A hook may have written to the table, and have closed it.
      hands.isOpen = true
      zone.makeRoom()
      ready = true
    } finally {
      if (!ready) this.recover()
    }
    if (hands.made === item) return item
    throw new Misuse(
      `table.${this.verb}: table ${show(this.parts.name)}: a hook of its zone has written to the table meanwhile; a hook may use other zones, not its own`,
      { table: this.parts.name },
    )
  }

  /**
   * Fills the item and links it into the table, if the record of its key has the version `expected`.
   * Runs no code of the user.
   */
  private link(
    item: Item,
    values: readonly unknown[],
    key: V,
    expected: number,
    seen: readonly number[] | undefined,
  ): boolean {
    const { chains, hands, memory, stripes, versions } = this
    const hash = this.key.hash(key)
    this.schema.store(memory, item, values)
    this.blocks.place(item, values)
    chains.setHash(item, hash)
    this.holds?.init(item)
    const stripe = stripes.lockFor(hash)
    let records = 0
    let whole = false
    try {
      const now = chains.current(stripe)
      const link = chains.linkOffset(now)
      const at = this.place(now, hash, key)
      const old = memory.load(at)
      const isOther = expected !== ANY && chains.versionOf(old) !== expected
      if (isOther || !this.isSealed(old, seen)) {
        whole = true
        return false
      }
      // Near copies of the old record, or that there is none, end here: before publication, see near.ts.
      chains.setVersion(item, versions.next(hash))
      const head = chains.headFor(now, hash)
      if (this.blocks.count > 0) memory.poke(hands.owesAt, this.blocks.count)
      memory.poke(hands.owedAt, old)
      // Publication. Two cases: a reader loads the new pointer, then it sees the fields and the
      // link; or the old one, then it sees the old record. Otherwise (a plain store) a reader could
      // find a record that is not yet filled.
      memory.poke(item + link, memory.load(old === 0 ? head : old + link))
      memory.store(old === 0 ? head : at, item)
      hands.made = NULL_ITEM
      hands.placed.held = 0
      hands.replaced = old as Item
      hands.owes.held = this.blocks.count
      memory.poke(hands.handAt, NULL_ITEM)
      if (old === 0) {
        const count = stripes.count(stripe, 1)
        if (isCrowded(this.parts, now, count)) records = count
      }
      whole = true
    } finally {
      this.release(stripe, whole)
    }
    this.freeReplaced()
    if (records !== 0) this.grow(stripe, records)
    return true
  }

  /** Lets a crowded stripe grow; if it cannot now, another write tries again. */
  private grow(stripe: number, records: number): void {
    if (records < (this.growFrom[stripe] as number)) return
    this.growFrom[stripe] = records + Math.ceil(records * TRY_AGAIN)
    if (growStripe(this.parts, stripe)) this.growFrom[stripe] = 0
  }

  /**
   * Unlinks the record with this key and frees it, if its version is `expected`. Returns whether it
   * was there. Runs no code of the user.
   */
  private unlink(key: V, expected: number, seen: readonly number[] | undefined): boolean {
    const { chains, hands, memory, stripes, versions } = this
    const hash = this.key.hash(key)
    const stripe = stripes.lockFor(hash)
    let old = 0
    let whole = false
    try {
      const now = chains.current(stripe)
      const link = chains.linkOffset(now)
      const at = this.place(now, hash, key)
      old = memory.load(at)
      const isOther = expected !== ANY && chains.versionOf(old) !== expected
      if (isOther || !this.isSealed(old, seen)) old = 0
      if (old !== 0) {
        // Near copies of it end here: before it is out, see near.ts.
        versions.next(hash)
        if (this.blocks.count > 0) memory.poke(hands.owesAt, this.blocks.count)
        memory.poke(hands.owedAt, old)
        // The record keeps its own link: a reader at it can go on.
        memory.store(at, memory.load(old + link))
        hands.replaced = old as Item
        hands.owes.held = this.blocks.count
        stripes.count(stripe, -1)
      }
      whole = true
    } finally {
      this.release(stripe, whole)
    }
    this.freeReplaced()
    return old !== 0
  }

  /** Unlocks the stripe; unless `whole`, the next owner repairs it, and must find in words what is so. */
  private release(stripe: number, whole: boolean): void {
    if (!whole) this.hands.settle()
    this.stripes.release(stripe, whole)
  }

  /** The end of a write that nothing has interrupted. */
  private freeReplaced(): void {
    const { hands } = this
    const { replaced } = hands
    if (replaced !== NULL_ITEM && this.mayFree(replaced)) {
      this.blocks.freeOf(replaced)
      this.zone.zfreeSmr(replaced)
      this.done()
    }
    if (hands.made === NULL_ITEM) hands.isOpen = false
  }

  /** The replaced record is in the free bucket, or somebody else's to free. */
  private done(): void {
    this.hands.replaced = NULL_ITEM
    this.holds?.reset()
    this.memory.poke(this.hands.owedAt, NULL_ITEM)
  }

  /** Whether the replaced record is ours to free; else who holds it frees it, and we have done our part. */
  private mayFree(replaced: Item): boolean {
    const { holds } = this
    if (holds === undefined) return true
    if (holds.decided !== replaced) holds.end(replaced)
    if (holds.mine === replaced) return true
    this.hands.owes.held = 0
    this.done()
    return false
  }

  // ---- records that are held ---------------------------------------------------------------

  /**
   * Holds the record that `locate` finds, in a section, and writes it down in `entry`. 0 if there is
   * none, GONE if it was on its way out. There is room to free one.
   */
  hold(entry: number, locate: () => Item): number {
    const holds = this.holds as Holds
    let item: Item = NULL_ITEM
    let isHeld = false
    this.entry = entry
    this.smr.enterInCall()
    try {
      item = locate()
      if (item !== NULL_ITEM) isHeld = holds.take(entry, item)
    } finally {
      this.smr.exit()
    }
    this.entry = 0
    this.freeMine(holds)
    return isHeld || item === NULL_ITEM ? item : GONE
  }

  /** Lets go of a record that is held, and frees it if we are the last. */
  letGo(entry: number, held: { item: Item }): void {
    const holds = this.holds as Holds
    const { item } = held
    this.begin('release')
    this.zone.makeRoom()
    try {
      holds.letGo(entry, item)
    } finally {
      if (holds.decided === item) held.item = NULL_ITEM
    }
    this.freeMine(holds)
  }

  /** Lets go of what workers held that are gone. */
  sweepHolds(): void {
    if (this.holds === undefined) return
    this.holds.sweep()
    this.freeWon(this.holds)
  }

  /** What an exception has left of a hold and, now and then, what workers held that are gone. */
  private endHolds(holds: Holds): void {
    if (this.entry !== 0 || holds.decided !== 0) {
      this.zone.makeRoom()
      holds.abandon(this.entry)
      this.entry = 0
      this.freeMine(holds)
    }
    if (holds.isDue) holds.sweep()
    if (holds.won.length > 0) this.freeWon(holds)
  }

  private freeWon(holds: Holds): void {
    while (holds.won.length > 0) {
      this.zone.makeRoom()
      holds.mine = holds.won.pop() ?? NULL_ITEM
      holds.decided = holds.mine
      this.freeMine(holds)
    }
  }

  /** Frees the record that was let go of, if it is ours to free. There is room. */
  private freeMine(holds: Holds): void {
    if (holds.mine === NULL_ITEM) {
      holds.reset()
      return
    }
    const { hands } = this
    hands.isOpen = true
    if (this.blocks.count > 0) this.memory.poke(hands.owesAt, this.blocks.count)
    this.memory.poke(hands.owedAt, holds.mine)
    hands.replaced = holds.mine as Item
    hands.owes.held = this.blocks.count
    this.freeReplaced()
  }

  /**
   * `recover` after an exception in a write. If the write has `happened`, it does not fail because
   * the replaced record cannot be freed now: the next write frees it.
   */
  private recoverAfter(happened: boolean): void {
    try {
      this.recover()
    } catch (error) {
      if (!happened || !isLater(error)) throw error
    }
  }

  /** Finishes what an exception has interrupted, in this call or an earlier one: see `Hands`. */
  private recover(): void {
    const { hands, zone } = this
    const { made, replaced } = hands
    hands.settle()
    if (made !== NULL_ITEM) {
      // Before the record: as long as it is there, so is the rest of what is to be done.
      this.blocks.giveBack(made)
      const held = zone.holdRaw(made)
      hands.made = NULL_ITEM
      zone.giveHeldBack(held)
    }
    if (replaced !== NULL_ITEM && this.mayFree(replaced)) {
      this.blocks.freeAgain(replaced)
      zone.makeRoom()
      if (hands.replaced !== replaced) return // A hook has called, and that call did it.
      zone.zfreeSmrAgain(replaced)
      this.done()
    }
    hands.close()
  }
}

/** The error to throw for `error`, which may be due to damage in the chain of this hash. */
export function explained(parts: TableParts, error: unknown, hash: number): unknown {
  return isTrap(error) ? inside(parts, () => parts.chains.explain(error, hash)) : error
}

/** Whether an address outside memory may have caused this error, in the engine or in memory.ts. */
function isTrap(error: unknown): boolean {
  if (error instanceof Corruption) return !('table' in error.facts)
  return error instanceof RangeError || (error instanceof Error && error.name === 'RuntimeError')
}
