/**
 * What a dead worker had in its hands for tables: records that it had made and not yet put in, and records
 * that it had taken out and not yet freed. It has written them down (zone/hands.ts), so its reaper
 * gives them back, whether it has opened the table or not.
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
import { headFor } from '../memory/compound.ts'
import {
  CacheWords,
  ChainsWord,
  Named,
  NodeWords,
  StripeWords,
  TableWords,
  tableParts,
  zoneParts,
} from '../memory/layout.ts'
import type { Smr } from '../smr/domain.ts'
import type { Listing } from '../space/directory.ts'
import type { Space } from '../space/space.ts'
import { DeadHands } from '../zone/deadHands.ts'

/** Settles the hands of the dead worker that had the slot. The directory is locked. */
export function settleDead(
  space: Space,
  names: readonly Listing[],
  slot: number,
  domainAt: (zone: number) => Smr | undefined,
): void {
  // We may leave a lock to be repaired that a call of ours was cut off under.
  space.settleHands()
  for (const table of names) {
    if (table.kind === Named.table) settleTable(space, names, slot, domainAt, table)
  }
}

function settleTable(
  space: Space,
  names: readonly Listing[],
  slot: number,
  domainAt: (zone: number) => Smr | undefined,
  { address: table, name }: Listing,
): void {
  const { memory } = space
  const serial = memory.peek(table + TableWords.zoneSerial)
  const hands = handsIn(space, names, slot, domainAt, serial)
  if (hands === undefined) return
  hands.finish()
  for (const word of [hands.handAt, hands.owedAt]) {
    const item = memory.load(word)
    if (item !== 0) judgeByStripe(space, table, name, item, word)
  }
  const made = memory.load(hands.handAt)
  if (made !== 0) hands.giveBack(made, hands.handAt)
  const owed = memory.load(hands.owedAt)
  if (owed !== 0) hands.free(owed, hands.owedAt)
}

/** The hands of the worker in the zone with this serial, if there may be something in them. */
function handsIn(
  space: Space,
  names: readonly Listing[],
  slot: number,
  domainAt: (zone: number) => Smr | undefined,
  serial: number,
): DeadHands | undefined {
  const { maxWorkers, memory } = space
  const zone = names.find((each) => each.kind === Named.zone && each.serial === serial)
  if (zone === undefined) return undefined
  const cache = zoneParts(zone.address, maxWorkers).caches + slot * CacheWords.WORDS
  const isFull = [CacheWords.hand, CacheWords.owed].some((word) => memory.load(cache + word) !== 0)
  if (!isFull) return undefined
  return new DeadHands(space, zone.address, zone.name, domainAt(zone.address), slot)
}

/** Clears the word if its item is in the table. */
function judgeByStripe(
  space: Space,
  table: number,
  name: string,
  item: number,
  word: number,
): void {
  const { locks, memory } = space
  const behind = item + memory.peek(table + TableWords.recordWords)
  const stripeBits = memory.peek(table + TableWords.stripeBits)
  // If the item was not filled yet, this is the hash of another record, and it is not in that chain.
  const hash = memory.peek(behind + NodeWords.hash)
  const stripe = hash >>> (32 - stripeBits)
  const { chains, stripes } = tableParts(table, stripeBits)
  const lock = stripes + stripe * StripeWords.WORDS + StripeWords.lock
  const taken = locks.acquire(lock, `table ${show(name)} stripe`)
  let whole = false
  try {
    if (taken === 'ok') whole = true
    else if (isInChain(space, memory.load(chains + stripe), hash, item, behind - item)) {
      memory.store(word, 0)
    }
  } finally {
    locks.release(lock, whole)
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
