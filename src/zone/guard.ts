/**
 * Guards: in checked arenas two words stand behind each item, in no record.
 *
 *   | words of the record | GUARD | who allocated it | next item ...
 *
 * The first never changes: if it is not what it was when the item is freed, somebody wrote past the
 * end of the record. It is looked at before the item is marked as free, so the error comes at the
 * free of the item that was overrun, and the item stays allocated. The second is the id of the
 * worker that allocated it. Where in the program that was only that worker knows, in private
 * memory: it would be too much to share.
 *
 * Plain words: who allocates or frees an item has it to itself, and the guards of a slab are
 * written before its items can be had. (UMA: red zones of KASAN, and uma_dbg.)
 */

import type { Item, WorkerId } from '../base/brands.ts'
import { Corruption, show } from '../base/errors.ts'
import { KegWords } from '../memory/layout.ts'
import { BYTES_PER_WORD, type Memory } from '../memory/memory.ts'
import type { Space } from '../space/space.ts'

/** Nothing that a program is likely to write: no small number, no float, no text. */
export const GUARD: number = 0xfa1eca5e | 0
export const GUARD_WORDS = 2
const OWNER = 1
/** So many bytes of what lies there are told. */
const SHOWN_BYTES = 8

/** Who allocated an item. */
export interface Allocation {
  /** The worker. */
  readonly workerId: WorkerId
  /** Its label, '' if it has none or has left. */
  readonly label: string
  /** Lines of the stack of that call; '' if another worker asks. */
  readonly site: string
}

/** Writes the guard of an item in a new slab. */
export function initGuard(memory: Memory, at: number): void {
  memory.poke(at, GUARD)
  memory.poke(at + OWNER, 0)
}

/** The guards of one zone's items, for one worker. */
export class Guards {
  private readonly space: Space
  private readonly zone: string
  /** Words from an item to its guard. */
  private readonly offset: number
  /** Where this worker allocated what; of items that others have freed since, too. */
  private readonly sites = new Map<number, Error>()

  constructor(space: Space, zone: string, offset: number) {
    this.space = space
    this.zone = zone
    this.offset = offset
  }

  /** This worker has allocated the item. */
  sign(item: Item): void {
    const { memory, slot, workers } = this.space
    memory.poke(item + this.offset + OWNER, workers.idOf(slot) + 1)
    this.sites.set(item, new Error('allocated here'))
  }

  /** Corruption if somebody has written past the end of the item. */
  verify(call: string, item: Item): void {
    const { memory } = this.space
    const at = item + this.offset
    const word = memory.peek(at)
    if (word === GUARD) return
    const bytes = [...memory.readBytes(at, 0, SHOWN_BYTES)].map(hex).join(' ')
    const by = this.allocation(item)
    const who = by === undefined ? '' : `; it was allocated ${say(by)}`
    throw new Corruption(
      `${call}: zone ${show(this.zone)}: item ${item} was written past its end of ${this.offset * BYTES_PER_WORD} bytes: there stands ${bytes}${who}`,
      { zone: this.zone, item, word, ...(by && { allocatedBy: by.workerId, site: by.site }) },
    )
  }

  /** This worker frees the item. */
  forget(item: Item): void {
    this.sites.delete(item)
  }

  /** Who allocated the item; undefined if it was never allocated, or the word says nothing. */
  allocation(item: Item): Allocation | undefined {
    const { memory, slot, workers } = this.space
    const owner = memory.peekRacy(item + this.offset + OWNER) - 1
    if (owner < 0) return undefined
    const seen = workers.named(owner)
    const label = (seen && workers.introduced(seen.slot)?.label) ?? ''
    const isOurs = owner === workers.idOf(slot)
    const stack = isOurs ? this.sites.get(item)?.stack : undefined
    const site = (stack ?? '')
      .split('\n')
      .filter(isCaller)
      .map((line) => line.trim())
      .join('\n')
    return { workerId: owner as WorkerId, label, site }
  }
}

/** The guards of a zone, undefined where it has none. */
export function guardsOf(space: Space, keg: number, zone: string): Guards | undefined {
  const offset = space.memory.peek(keg + KegWords.guardAt)
  return offset === 0 ? undefined : new Guards(space, zone, offset)
}

function say({ label, site, workerId }: Allocation): string {
  const [line] = site.split('\n')
  const where = line === undefined || line === '' ? '' : ` ${line}`
  return `by worker ${workerId}${label === '' ? '' : ` (${show(label)})`}${where}`
}

/** A line of a stack that is no frame of the zone's own. */
function isCaller(line: string): boolean {
  return /^\s+at /.test(line) && !/[/\\]zone[/\\](guard|hooks|zone|batch|supply)\.[jt]s/.test(line)
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}
