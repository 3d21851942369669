/**
 * What a dead worker had in its hands for tables: records that it had made and not yet put in, and records
 * that it had taken out and not yet freed, with their blocks, and nodes of ordered tables. It has written
 * them down (zone/hands.ts), so its reaper gives them back, whether it has opened the table or not.
 *
 * Before it believes a word it takes the lock of the table's part that the item belongs to. Two cases:
 * the lock is whole, then its last owner has released it, or another worker has repaired it since, and the
 * words say what is so; or it was left by a dead worker, perhaps by this one, then the reaper looks
 * whether the item is in the table, and leaves the lock to be repaired. Otherwise (without the lock)
 * another worker could be repairing it at this moment, and would clear the word too late.
 *
 * This is done before any bucket of the dead worker is taken over: the buckets tell what has left its
 * hands already.
 */

import { show } from '../base/errors.ts'
import { DeadBlocks } from '../heap/deadBlocks.ts'
import { headFor } from '../memory/compound.ts'
import {
  CacheWords,
  ChainsWord,
  DIGITS,
  Named,
  NodeWords,
  OrderWords,
  StripeWords,
  TableWords,
  TrieLink,
  TrieWords,
  tableParts,
  ZoneWords,
  zoneParts,
} from '../memory/layout.ts'
import { decodeText } from '../memory/utf8.ts'
import { unboundedIn } from '../record/unbounded.ts'
import type { Smr } from '../smr/domain.ts'
import type { Listing } from '../space/directory.ts'
import type { Space } from '../space/space.ts'
import { DeadHands, type Named as Word } from '../zone/deadHands.ts'
import { leaveToHolders } from './deadHolds.ts'

/** What all of this needs to know of the death. */
interface Death {
  readonly space: Space
  readonly names: readonly Listing[]
  readonly slot: number
  readonly domainAt: (zone: number) => Smr | undefined
}

/** Settles the hands of the dead worker that had the slot. The directory is locked. */
export function settleDead(
  space: Space,
  names: readonly Listing[],
  slot: number,
  domainAt: (zone: number) => Smr | undefined,
): void {
  const { memory } = space
  const death = { space, names, slot, domainAt }
  // We may leave a lock to be repaired that a call of ours was cut off under.
  space.settleHands()
  for (const table of names) {
    const at = table.address
    if (table.kind === Named.table) {
      const records = handsIn(death, memory.peek(at + TableWords.zoneSerial))
      records?.finish()
      for (const word of records?.words() ?? []) judgeByStripe(death, table, word)
      if (records !== undefined) leaveToHolders(space, at, slot, records.owedAt)
      if (records !== undefined) empty(death, records, memory.peek(at + TableWords.zoneSerial))
    } else if (table.kind === Named.ordered) {
      const serial = memory.peek(at + OrderWords.zoneSerial)
      const records = handsIn(death, serial)
      const nodes = handsIn(death, memory.peek(at + OrderWords.nodesSerial))
      for (const each of [records, nodes]) each?.finish()
      const words = [records, nodes].flatMap((each) => each?.words() ?? [])
      if (words.length > 0) judgeByTree(death, table, words)
      if (records !== undefined) empty(death, records, serial)
      if (nodes !== undefined) empty(death, nodes, 0)
    }
  }
}

/** The hands of the worker in the zone with this serial, if there may be something in them. */
function handsIn({ space, names, slot, domainAt }: Death, serial: number): DeadHands | undefined {
  const { maxWorkers, memory } = space
  const zone = names.find((each) => each.kind === Named.zone && each.serial === serial)
  if (zone === undefined) return undefined
  const cache = zoneParts(zone.address, maxWorkers).caches + slot * CacheWords.WORDS
  const isFull = [CacheWords.hand, CacheWords.owed].some((word) => memory.load(cache + word) !== 0)
  if (!isFull) return undefined
  return new DeadHands(space, zone.address, zone.name, domainAt(zone.address), slot)
}

/** What is still in the hands goes where it belongs, blocks before their record. `serial`: of its zone. */
function empty({ space, names, slot }: Death, hands: DeadHands, serial: number): void {
  const { memory } = space
  const blocks = new DeadBlocks(space, names, slot, hands.domain, serial)
  const hand = memory.load(hands.handAt)
  const item = hand & ~1
  if (hand !== item) {
    // The last first: it may be in its bucket still, where only the top is looked at.
    for (const field of fieldsOf(space, hands.zone).reverse()) blocks.giveBack(item + field)
  }
  if (item !== 0) hands.giveBack(item, hands.handAt)
  const owed = memory.load(hands.owedAt)
  if (owed === 0) return
  const left = fieldsOf(space, hands.zone).slice(0, memory.peek(hands.owesAt))
  for (const [i, field] of [...left.entries()].reverse()) blocks.free(owed + field, hands.owesAt, i)
  hands.free(owed, hands.owedAt)
}

/** Words from a record to its fields that own blocks, from the text of its schema. */
function fieldsOf({ maxWorkers, memory }: Space, zone: number): number[] {
  const bytes = memory.peek(zone + ZoneWords.schemaBytes)
  return unboundedIn(decodeText(memory.readBytes(zoneParts(zone, maxWorkers).schema, 0, bytes)))
}

/** Clears the word if its item is in the hash table. */
function judgeByStripe(
  { space }: Death,
  { address: table, name }: Listing,
  { at, item }: Word,
): void {
  const { locks, memory } = space
  const behind = memory.peek(table + TableWords.recordWords)
  const stripeBits = memory.peek(table + TableWords.stripeBits)
  // If the item was not filled yet, this is the hash of another record, and it is not in that chain.
  const hash = memory.peek(item + behind + NodeWords.hash)
  const stripe = hash >>> (32 - stripeBits)
  const { chains, stripes } = tableParts(table, stripeBits)
  const lock = stripes + stripe * StripeWords.WORDS + StripeWords.lock
  const taken = locks.acquire(lock, `table ${show(name)} stripe`)
  try {
    if (taken === 'ok') return
    if (isInChain(space, memory.load(chains + stripe), hash, item, behind)) memory.store(at, 0)
  } finally {
    locks.release(lock, taken === 'ok')
  }
}

/**
 * Whether the item is in the chain of its hash; true where the chain is damaged: then the item stays
 * as it is.
 */
function isInChain(
  { memory }: Space,
  chains: number,
  hash: number,
  item: number,
  behind: number,
): boolean {
  const link = behind + NodeWords.links + (chains & ChainsWord.linkMask)
  const last = memory.words.length - behind - NodeWords.WORDS
  let steps = 0
  let mark = 0
  let node = memory.load(headFor(chains, hash))
  for (; node !== 0 && node !== item; node = memory.load(node + link)) {
    if (node === mark || node < 0 || node > last) return true
    steps++
    if ((steps & (steps - 1)) === 0) mark = node
  }
  return node === item
}

/** Clears the words of the items, records and nodes, that are in the ordered table. */
function judgeByTree(
  { space }: Death,
  { address: table, name }: Listing,
  words: readonly Word[],
): void {
  const { locks, memory } = space
  const lock = table + OrderWords.lock
  const taken = locks.acquire(lock, `table ${show(name)}`)
  try {
    if (taken === 'ok') return
    const found = itemsIn(space, table)
    for (const { at, item } of words) {
      if (found === undefined || found.has(item)) memory.store(at, 0)
    }
  } finally {
    locks.release(lock, taken === 'ok')
  }
}

/** All records and nodes of the tree; undefined if it is damaged: then they stay as they are. */
function itemsIn({ memory }: Space, table: number): Set<number> | undefined {
  const items = new Set<number>()
  const last = memory.words.length - TrieWords.WORDS
  const todo = [memory.load(table + OrderWords.root)]
  for (let link = todo.pop(); link !== undefined; link = todo.pop()) {
    if (link === 0) continue
    const item = link & ~TrieLink.record
    if (items.has(item) || item < 0 || item > last) return undefined
    items.add(item)
    if (link !== item) continue
    for (let slot = 0; slot < DIGITS; slot++) todo.push(memory.load(item + TrieWords.slots + slot))
  }
  return items
}
