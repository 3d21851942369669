/**
 * Writing to an ordered table: one record is put in, in place of another or not, or taken out.
 *
 *   put     memory for the record, and for a node if one is needed; then, with the lock held:
 *             a record of this key is there:    its link leads to the new one [P]
 *             its slot of a node is free:       that slot leads to it [P]
 *             neither: a new node of two links, to what was there and to the new record, takes the
 *             place of what was there [P]
 *   take    with the lock held:
 *             its node has three links or more: one slot has none [P]
 *             it has two: the other one takes the place of the node [P], which is freed
 *
 * [P]  The one store by which a write happens. Two cases for a reader that loads this link: it gets the
 *      new one, then it sees all that was written to the record and the node before; or the old one,
 *      then it is in the tree as it was before this write, and what was taken out of it is not used
 *      again while it is in its section. Otherwise (a plain store) it could find a record that is
 *      not yet filled.
 *
 * Whether a node is needed is known with the lock held only, and memory may have to be waited for. So
 * the lock is released, a node is allocated, and the place is looked for again. A node that turns out not
 * to be needed goes back.
 *
 * No code of the user runs while the lock is held. A worker that dies after any step here leaves the
 * tree as it was or as it was to be, and what it had in its hands, records and nodes, is written down
 * (zone/hands.ts); see guard.ts for the rest. What an exception has left, the next write of this worker
 * finishes: as in table/writer.ts.
 */

import { type Item, NULL_ITEM } from '../base/brands.ts'
import { Misuse, show } from '../base/errors.ts'
import { DIGITS, OrderedWords, TrieHead, TrieLink, TrieWords } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import type { AtomicField } from '../record/atomic.ts'
import type { Fields, Schema } from '../record/record.ts'
import type { Smr } from '../smr/domain.ts'
import { type Blocks, isLater } from '../table/blocks.ts'
import { Seals } from '../table/seals.ts'
import type { RecordWriter } from '../table/verbs.ts'
import { ABSENT, ANY } from '../table/version.ts'
import type { Hands } from '../zone/hands.ts'
import type { Zone } from '../zone/zone.ts'
import type { Guard } from './guard.ts'
import { type OrderKey, SAME } from './key.ts'
import type { OrderParts } from './parts.ts'
import type { Trie } from './trie.ts'

/** What one look under the lock has come to. */
type Outcome = 'done' | 'refused' | 'no node'

export class OrderWriter<F extends Fields, V> implements RecordWriter<V> {
  private readonly parts: OrderParts
  private readonly schema: Schema<F>
  private readonly key: OrderKey<V>
  private readonly keyIndex: number
  private readonly memory: Memory
  private readonly trie: Trie
  private readonly guard: Guard
  private readonly smr: Smr
  private readonly zone: Zone
  private readonly nodes: Zone
  private readonly seals: Seals
  private readonly blocks: Blocks
  /** What a write has made and not yet linked, or unlinked and not yet freed: a record, a node. */
  private readonly hands: Hands
  private readonly nodeHands: Hands
  /** Words from a record to its version. */
  private readonly versionWord: number
  /** The verb of the table that writes now: errors name it. */
  private verb = ''
  // What `descend` has found: a link and where it is, the node that this is in and where that is linked;
  // if a node must come in between, at which level, and the digit there of what is below it.
  private linkAt = 0
  private link = 0
  private nodeLinkAt = 0
  private node = 0
  private level = 0
  private otherDigit = 0

  /** `keyIndex`: which of the values of a record is the key. */
  constructor(parts: OrderParts, schema: Schema<F>, key: OrderKey<V>, keyIndex: number) {
    this.parts = parts
    this.schema = schema
    this.key = key
    this.keyIndex = keyIndex
    this.memory = parts.arena.memory
    this.trie = parts.trie
    this.guard = parts.guard
    this.smr = parts.smr
    this.zone = parts.zone
    this.blocks = parts.blocks
    this.nodes = parts.nodes
    this.hands = parts.zone.parts.hands
    this.nodeHands = parts.nodes.parts.hands
    this.hands.empty = (): void => this.recover()
    for (const each of [this.hands, this.nodeHands]) parts.arena.space.hands.add(each)
    this.versionWord = schema.words + OrderedWords.version
    this.seals = new Seals(this.memory, schema.atomics, this.versionWord, parts.name)
  }

  /** Misuse unless this worker may write now. */
  begin(verb: string): void {
    this.verb = verb
    const { space } = this.parts.arena
    if (space.isOpen && !this.smr.inside) {
      if (this.hands.isOpen) this.recover()
      return
    }
    space.assertOpen(`table.${verb}`)
    throw new Misuse(
      `table.${verb}: table ${show(this.parts.name)}: a section of domain ${show(this.smr.name)} is open; exit first`,
      { table: this.parts.name, domain: this.smr.name },
    )
  }

  /** The version of the record at `item`; as in table/chains.ts. */
  versionOf(item: number): number {
    return item === 0 ? ABSENT : this.memory.load(item + this.versionWord)
  }

  put(values: readonly unknown[], expected: number, seen?: readonly number[]): boolean {
    const item = this.obtain()
    let isIn = false
    try {
      isIn = this.insert(item, values, expected, seen)
    } catch (error) {
      isIn = this.hands.made !== item
      this.recoverAfter(isIn)
      if (!isIn) throw this.trie.explain(error)
    }
    if ((this.hands.made | this.nodeHands.made) !== 0) this.recover()
    return isIn
  }

  take(key: V, expected: number, seen?: readonly number[]): boolean {
    this.zone.makeRoom()
    this.nodes.makeRoom()
    this.open()
    try {
      return this.remove(key, expected, seen)
    } catch (error) {
      const isOut = this.hands.replaced !== NULL_ITEM
      this.recoverAfter(isOut)
      if (!isOut) throw this.trie.explain(error)
      return true
    }
  }

  /**
   * Allocates a record, and makes room to free the one that it may replace. In this order, because
   * an allocation may retire the free bucket; after this nothing takes the room away.
   */
  private obtain(): Item {
    const { hands, zone } = this
    let item: Item = NULL_ITEM
    let ready = false
    this.open()
    try {
      item = zone.zallocSmrInto(hands.handAt)
      hands.made = item
      hands.owns = 0
      // A hook may have written to the table, and have closed them.
      this.open()
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

  private open(): void {
    this.hands.isOpen = true
    this.nodeHands.isOpen = true
  }

  claim(key: V): number {
    const version = this.inPlace(key, (record) => {
      this.seals.seal(record)
      return this.versionOf(record)
    })
    return version ?? ABSENT
  }

  change(key: V, field: AtomicField, next: (before: number) => number): number | undefined {
    return this.inPlace(key, (record) =>
      this.seals.change(record, field, this.guard.nextVersion(), next),
    )
  }

  /**
   * What `act` returns for the record with this key, with the lock held; undefined if there is none.
   * Legal in a section: who holds the lock never waits for readers.
   */
  private inPlace<T>(key: V, act: (record: number) => T): T | undefined {
    this.key.aim(`table.${this.verb}`, key)
    try {
      return this.guard.whileLocked(() => {
        const record = this.descend()
        return record === 0 ? undefined : act(record)
      })
    } catch (error) {
      throw this.trie.explain(error)
    }
  }

  /** Whether the record may be taken out: nothing can be added to it from here on. The lock is held. */
  private isSealed(record: number, seen: readonly number[] | undefined): boolean {
    if (record === 0 || !this.seals.areUsed) return true
    if (seen !== undefined) return this.seals.sealIf(record, seen)
    this.seals.seal(record)
    return true
  }

  private insert(
    item: Item,
    values: readonly unknown[],
    expected: number,
    seen: readonly number[] | undefined,
  ): boolean {
    this.schema.store(this.memory, item, values)
    this.blocks.place(item, values)
    for (;;) {
      // Here, because code of the user may have run since the last time.
      this.key.aim(`table.${this.verb}`, values[this.keyIndex] as V)
      const outcome = this.linkIn(item, expected, seen)
      if (outcome !== 'no node') {
        this.freeReplaced()
        return outcome === 'done'
      }
      this.nodeHands.made = this.nodes.zallocSmrInto(this.nodeHands.handAt)
    }
  }

  private linkIn(item: Item, expected: number, seen: readonly number[] | undefined): Outcome {
    const { guard, hands, memory } = this
    guard.lock()
    let whole = false
    try {
      const old = this.descend()
      const isNew = old === 0
      const isOther = expected !== ANY && this.versionOf(old) !== expected
      if (isOther || !this.isSealed(old, seen)) {
        whole = true
        return 'refused'
      }
      if (isNew && this.link !== 0 && this.nodeHands.made === NULL_ITEM) {
        whole = true
        return 'no node'
      }
      memory.poke(item + this.versionWord, guard.nextVersion())
      if (!isNew) {
        this.owe(old)
        memory.store(this.linkAt, item | TrieLink.record) // [P]
        hands.made = NULL_ITEM
        hands.placed.held = 0
        hands.replaced = old as Item
        hands.owes.held = this.blocks.count
        memory.poke(hands.handAt, NULL_ITEM)
      } else {
        guard.change()
        if (this.link === 0) this.fillSlot(item)
        else this.split(item)
        guard.count(1)
        guard.change()
      }
      whole = true
    } finally {
      this.release(whole)
    }
    return 'done'
  }

  /** A free slot, or an empty tree. */
  private fillSlot(item: Item): void {
    const { hands, memory } = this
    // Before the link, so that no walk in order misses it: a bit without a link does no harm.
    if (this.node !== 0) {
      memory.or(this.node + TrieWords.head, 1 << (this.linkAt - this.node - TrieWords.slots))
    }
    memory.store(this.linkAt, item | TrieLink.record) // [P]
    hands.made = NULL_ITEM
    hands.placed.held = 0
    memory.poke(hands.handAt, NULL_ITEM)
  }

  /** A new node, above what is at `linkAt`. */
  private split(item: Item): void {
    const { hands, key, link, linkAt, level, memory, nodeHands } = this
    const node = nodeHands.made
    const own = key.digit(level)
    const other = this.otherDigit
    // Nobody can see the node yet.
    memory.fill(node + TrieWords.slots, DIGITS, 0)
    memory.poke(node + TrieWords.head, (level << TrieHead.levelShift) | (1 << own) | (1 << other))
    memory.poke(node + TrieWords.slots + own, item | TrieLink.record)
    memory.poke(node + TrieWords.slots + other, link)
    memory.store(linkAt, node) // [P]
    hands.made = NULL_ITEM
    hands.placed.held = 0
    nodeHands.made = NULL_ITEM
    memory.poke(hands.handAt, NULL_ITEM)
    memory.poke(nodeHands.handAt, NULL_ITEM)
  }

  private remove(key: V, expected: number, seen: readonly number[] | undefined): boolean {
    const { guard } = this
    this.key.aim(`table.${this.verb}`, key)
    guard.lock()
    let old = 0
    let whole = false
    try {
      old = this.descend()
      const isOther = expected !== ANY && this.versionOf(old) !== expected
      if (isOther || !this.isSealed(old, seen)) old = 0
      if (old !== 0) {
        guard.change()
        this.unlink(old as Item)
        guard.count(-1)
        guard.change()
      }
      whole = true
    } finally {
      this.release(whole)
    }
    this.freeReplaced()
    return old !== 0
  }

  /** Takes the record out that `descend` has found. */
  private unlink(old: Item): void {
    const { hands, linkAt, memory, node, nodeHands, nodeLinkAt } = this
    const other = node === 0 ? 0 : this.onlyOther()
    this.owe(old)
    if (other === 0) {
      memory.store(linkAt, 0) // [P]
      hands.replaced = old
      hands.owes.held = this.blocks.count
      if (node !== 0) {
        // After the link is gone, as in `fillSlot`.
        memory.and(node + TrieWords.head, ~(1 << (linkAt - node - TrieWords.slots)))
      }
      return
    }
    // The node keeps its links: a reader that stands on it can go on.
    memory.poke(nodeHands.owedAt, node)
    memory.store(nodeLinkAt, other) // [P]
    hands.replaced = old
    hands.owes.held = this.blocks.count
    nodeHands.replaced = node as Item
  }

  /** The one link of the node beside that at `linkAt`; 0 if there are more. */
  private onlyOther(): number {
    const { linkAt, memory, node } = this
    let other = 0
    // Not by the bits of its first word: after a death there may be one too many.
    for (let at = node + TrieWords.slots; at < node + TrieWords.slots + DIGITS; at++) {
      const link = at === linkAt ? 0 : memory.load(at)
      if (link === 0) continue
      if (other !== 0) return 0
      other = link
    }
    if (other === 0) throw this.trie.damaged(node)
    return other
  }

  /** With the lock held: the record with the key aimed at; 0 if there is none. Sets the fields above. */
  private descend(): number {
    const { key, memory, trie } = this
    this.linkAt = trie.rootAt
    this.link = memory.load(trie.rootAt)
    this.node = 0
    let above = -1
    while (this.link !== 0 && (this.link & TrieLink.record) === 0) {
      above = trie.levelOf(this.link, above)
      this.nodeLinkAt = this.linkAt
      this.node = this.link
      this.linkAt = this.node + TrieWords.slots + key.digit(above)
      this.link = memory.load(this.linkAt)
    }
    if (this.link === 0 && this.node === 0) return 0
    const item = trie.anyIn(this.link === 0 ? this.node : this.link)
    const differs = key.differ(memory, item)
    if (differs === SAME && this.link !== 0) return item
    if (differs !== above || this.link !== 0) this.descendTo(differs, item)
    return 0
  }

  /** Finds the link above which a node of this level belongs, that tells the key from that of `item`. */
  private descendTo(level: number, item: number): void {
    const { key, memory, trie } = this
    this.linkAt = trie.rootAt
    this.link = memory.load(trie.rootAt)
    this.level = level
    this.otherDigit = key.digitOf(memory, item, level)
    for (let above = -1; this.link !== 0 && (this.link & TrieLink.record) === 0; ) {
      above = trie.levelOf(this.link, above)
      if (above > level) return
      if (above === level) break
      this.linkAt = this.link + TrieWords.slots + key.digit(above)
      this.link = memory.load(this.linkAt)
    }
    if (this.link === 0 || (this.link & TrieLink.record) === 0 || level === SAME) {
      throw trie.damaged(this.linkAt)
    }
  }

  /** Writes down a record that is about to be unlinked. */
  private owe(old: number): void {
    const { blocks, hands, memory } = this
    if (blocks.count > 0) memory.poke(hands.owesAt, blocks.count)
    memory.poke(hands.owedAt, old)
  }

  /** Unlocks; unless `whole`, the next owner repairs the tree, and must find in words what is so. */
  private release(whole: boolean): void {
    if (!whole) {
      this.hands.settle()
      this.nodeHands.settle()
    }
    this.guard.release(whole)
  }

  /** The end of a write that nothing has interrupted. */
  private freeReplaced(): void {
    const { hands, memory, nodeHands } = this
    const { replaced } = hands
    const node = nodeHands.replaced
    if (replaced !== NULL_ITEM) {
      this.blocks.freeOf(replaced)
      this.zone.zfreeSmr(replaced)
      hands.replaced = NULL_ITEM
      memory.poke(hands.owedAt, NULL_ITEM)
    }
    if (node !== NULL_ITEM) {
      this.nodes.zfreeSmr(node)
      nodeHands.replaced = NULL_ITEM
      memory.poke(nodeHands.owedAt, NULL_ITEM)
    }
    if ((hands.made | nodeHands.made) !== 0) return
    nodeHands.isOpen = false
    hands.isOpen = false
  }

  /**
   * `recover` after an exception in a write. If the write has `happened`, it does not fail because
   * what it has taken out cannot be freed now: the next write frees it.
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
    const { hands, nodeHands, nodes, zone } = this
    const { made, replaced } = hands
    hands.settle()
    nodeHands.settle()
    if (made !== NULL_ITEM) {
      // Before the record: as long as it is there, so is the rest of what is to be done.
      this.blocks.giveBack(made)
      const held = zone.holdRaw(made)
      hands.made = NULL_ITEM
      zone.giveHeldBack(held)
    }
    if (nodeHands.made !== NULL_ITEM) {
      const held = nodes.holdRaw(nodeHands.made)
      nodeHands.made = NULL_ITEM
      nodes.giveHeldBack(held)
    }
    if (nodeHands.replaced !== NULL_ITEM) {
      nodes.makeRoom()
      nodes.zfreeSmrAgain(nodeHands.replaced)
      nodeHands.replaced = NULL_ITEM
    }
    nodeHands.close()
    if (replaced !== NULL_ITEM) {
      this.blocks.freeAgain(replaced)
      zone.makeRoom()
      if (hands.replaced !== replaced) return // A hook has called, and that call did it.
      zone.zfreeSmrAgain(replaced)
      hands.replaced = NULL_ITEM
    }
    hands.close()
  }
}
