/**
 * A heap: blocks of any size, handed out to any worker and taken back from any worker.
 *
 *   up to 32 KiB   an item of the zone for its size (sizes.ts), made when it is first wanted
 *   above that     a run of pages of its own (runs.ts)
 *
 * As malloc(9) of FreeBSD, kalloc of XNU and kmem of NetBSD are size classes over their zones. A
 * free needs no size: the page of a block names its slab, the slab its zone, and the zone its heap
 * and its size.
 *
 * Two workers that want the first block of a size at the same time open the zone of one name, and
 * the directory makes one of it. A worker that dies in making it leaves a zone that the next one
 * opens. So the heap keeps no list of its zones: they are those that bear its serial number.
 *
 * The handle belongs to one worker; any number of workers open the same heap by name.
 */

import { type Item, NULL_ITEM } from '../base/brands.ts'
import { Exhausted, integer, Misuse, show } from '../base/errors.ts'
import { INSPECT, inOneLine, type Summary, summary } from '../base/inspect.ts'
import { HeapWords, Named, RunKind, SlabWords, ZoneWords, zoneParts } from '../memory/layout.ts'
import { BYTES_PER_WORD, type Memory } from '../memory/memory.ts'
import type { Smr } from '../smr/domain.ts'
import { type Listing, NAME_BYTES as MOST_NAME_BYTES } from '../space/directory.ts'
import type { Pages } from '../space/pages.ts'
import type { Space } from '../space/space.ts'
import type { WaitOptions } from '../space/wait.ts'
import type { Cache } from '../zone/cache.ts'
import type { ZoneOwner } from '../zone/open.ts'
import type { ZoneOptions } from '../zone/options.ts'
import { relieve } from '../zone/pressure.ts'
import type { ReclaimLevel } from '../zone/reclaim.ts'
import { noMemory } from '../zone/shortage.ts'
import type { Zone } from '../zone/zone.ts'
import { endHeap } from './end.ts'
import { type Hands, type Refusal, Runs } from './runs.ts'
import { bucketFor, INDEX_BY_STEP, indexFor, LARGEST, SIZES, STEP_SHIFT, sizeAt } from './sizes.ts'
import { type HeapStats, heapStats } from './stats.ts'

const PLAIN = 0
const SMR = 1
const CLOSED = 2

// Constants of this module cost nothing, imported ones are looked up each time; see slab.ts.
const SLAB = RunKind.slab
const KEG = SlabWords.keg
const OWNER = ZoneWords.heap
const BYTES = ZoneWords.recordBytes
/** From a zone to its keg of items; the caches come after it, so the number of workers is the same to it. */
const KEG_AT = zoneParts(0, 1).keg
const MOST = LARGEST
const INDEX = INDEX_BY_STEP
const SHIFT = STEP_SHIFT
const ROUND = (1 << STEP_SHIFT) - 1

/** Opens the zone of one size for this worker. */
export type ZoneOpener = (name: string, options: ZoneOptions, owner: ZoneOwner) => Zone

/** One heap, as one worker holds it. Get it with `arena.heap(name)`. */
export class Heap {
  /** The name that it was created with. */
  readonly name: string
  /** @internal */
  readonly serial: number
  /** @internal */
  readonly at: number
  /** @internal */
  readonly domain: Smr | undefined
  /** @internal */
  readonly runs: Runs
  /** @internal */
  readonly space: Space
  private readonly memory: Memory
  private readonly pages: Pages
  private readonly opener: ZoneOpener
  private readonly owner: ZoneOwner
  /** This worker's handles of its zones, by the index of their size. */
  private readonly zones: (Zone | undefined)[] = new Array(SIZES).fill(undefined)
  /** Where their items are taken from first. */
  private readonly caches: (Cache | undefined)[] = new Array(SIZES).fill(undefined)
  /** Those that it has freed to, by the address of their keg; and the last of them. */
  private readonly kegZones = new Map<number, Zone>()
  private lastKeg = 0
  private last: Zone | undefined
  private mode: number

  /** @internal */
  constructor(
    space: Space,
    { address, name, serial }: Pick<Listing, 'address' | 'name' | 'serial'>,
    domain: Smr | undefined,
    opener: ZoneOpener,
  ) {
    this.space = space
    this.memory = space.memory
    this.pages = space.pages
    this.name = name
    this.serial = serial
    this.at = address
    this.domain = domain
    this.opener = opener
    this.runs = new Runs(space, address, name, domain)
    this.mode = domain === undefined ? PLAIN : SMR
    this.owner = {
      serial,
      assertAlive: () => {
        if (!this.isAlive()) throw this.misuse('alloc', 'it was destroyed by another worker')
      },
    }
  }

  // ---- heaps with smr ----------------------------------------------------------------------

  /**
   * Allocates a block of `bytes` bytes, 1 to what fits into the arena. Its words are not cleared;
   * its address is even. Never waits for readers, but takes locks of the heap once per bucket, and
   * for blocks above 32 KiB each time; legal inside a section. Throws Exhausted when there is no
   * memory for it; Misuse for another size, and in a heap without smr.
   */
  allocSmr(bytes: number): Item {
    return (this.popFor(bytes) || this.allocRarely(bytes)) as Item
  }

  /** `allocSmr`, but 0 instead of Exhausted. Never waits for readers; legal inside a section. */
  tryAllocSmr(bytes: number): Item {
    return (this.popFor(bytes) || this.takeSmr(bytes)) as Item
  }

  /**
   * Frees a block that no new reader can find. It is used again only when every reader that could
   * see it has left. Blocks as `zone.zfreeSmr`. Misuse for what is no block of this heap, inside a
   * section of its domain, and for a block that is free already: always above 32 KiB, else in
   * checked arenas.
   */
  freeSmr(item: Item): void {
    const slab = typeof item === 'number' ? this.pages.find(item, SLAB) : 0
    // Where there is no slab, this is a word of the header that is always 0, as no keg's address is.
    const keg = this.memory.peekRacy(slab + KEG)
    // The guess that it is of the size that was freed last costs nothing, and saves three loads.
    const zone = keg === this.lastKeg ? this.last : this.kegZones.get(keg)
    if (zone === undefined || !zone.pushReady(slab, item)) this.freeByAddress(item)
    else if (keg !== this.lastKeg) {
      this.lastKeg = keg
      this.last = zone
    }
  }

  // ---- plain heaps -------------------------------------------------------------------------

  /**
   * `allocSmr` for a heap without smr: waits only for the holders of its locks, and is legal inside
   * any section. Exhausted and Misuse as there; Misuse in a heap with smr.
   */
  alloc(bytes: number): Item {
    return this.tryAlloc(bytes) || this.fail('alloc', bytes)
  }

  /** `alloc`, but 0 instead of Exhausted. Waits only for locks; legal inside any section. */
  tryAlloc(bytes: number): Item {
    if (this.mode !== PLAIN) throw this.wrongVerb('alloc')
    const zone = isSmall(bytes) ? this.zones[indexFor(bytes)] : undefined
    return zone === undefined ? this.takeRarely('alloc', bytes) : zone.tryZalloc()
  }

  /**
   * Frees a block that nobody else can see. Waits for no reader; legal inside any section. Misuse
   * for what is no block of this heap, for a block that is free already as in `freeSmr`, and in a
   * heap with smr.
   */
  free(item: Item): void {
    if (this.mode !== PLAIN) throw this.wrongVerb('free')
    const zone = this.zoneOf(item)
    if (zone === undefined) this.refused('free', item, this.runs.release(item))
    else zone.zfree(item)
  }

  /** `allocSmr`; the word at `at` names the block from before it is taken: see zone/hands.ts. @internal */
  allocSmrInto(bytes: number, at: number): Item {
    const cache = isSmall(bytes)
      ? this.caches[INDEX[(bytes + ROUND) >> SHIFT] as number]
      : undefined
    return (cache?.popInto(at) || this.allocRarely(bytes, at)) as Item
  }

  // ---- for records of either kind ----------------------------------------------------------

  /** `allocSmr`, or in a heap without smr `alloc`. Throws, blocks and is legal as that. */
  allocAny(bytes: number): Item {
    return this.domain === undefined ? this.alloc(bytes) : this.allocSmr(bytes)
  }

  /** `freeSmr`, or in a heap without smr `free`. Misuse and blocking as there. */
  freeAny(item: Item): void {
    if (this.domain === undefined) this.free(item)
    else this.freeSmr(item)
  }

  /**
   * Takes a block back at once that was allocated and never published: no reader has seen it. Waits
   * only for locks; legal inside a section. Misuse for what is no block of this heap.
   */
  giveBack(item: Item): void {
    this.assertOpen('giveBack')
    this.giveBackFrom({ held: 1 }, item)
  }

  /**
   * `giveBack` for a call that an exception may cut off: one is taken from what `hands` hold as soon as
   * the heap has it. `word`: the word that names it, see zone/hands.ts. @internal
   */
  giveBackFrom(hands: Hands, item: Item, word = 0): void {
    const zone = this.zoneOf(item)
    if (zone === undefined) {
      this.refused('giveBack', item, this.runs.release(item, hands))
      return
    }
    if (!zone.owns(item)) throw this.foreign('giveBack', item)
    const held = zone.holdRaw(item, word)
    hands.held--
    zone.giveHeldBack(held)
  }

  /** `freeSmr`, likewise. @internal */
  freeSmrFrom(hands: Hands, item: Item): void {
    const zone = this.zoneOf(item)
    if (zone === undefined) {
      this.retireRun('freeSmr', item, hands)
      return
    }
    zone.zfreeSmr(item)
    hands.held--
  }

  /** Repeats a `freeSmrFrom` that an exception may have ended before it was counted. @internal */
  freeSmrAgain(hands: Hands, item: Item): void {
    const zone = this.zoneOf(item)
    if (zone === undefined) {
      this.retireRun('freeSmr', item, hands)
      return
    }
    zone.makeRoom()
    zone.zfreeSmrAgain(item)
    hands.held--
  }

  // ---- the rest ----------------------------------------------------------------------------

  /**
   * How many bytes the block has room for: at least what was asked for, and at most a fifth more
   * (above 64 bytes and up to 32 KiB). Misuse for what is no block of this heap. Never blocks;
   * legal anywhere.
   */
  sizeOf(item: Item): number {
    this.assertOpen('sizeOf')
    const zone = this.zoneOf(item)
    if (zone?.owns(item)) return this.memory.peek(zone.parts.at + BYTES)
    const run = zone === undefined ? this.runs.runOf(item) : 0
    if (run === 0) throw this.foreign('sizeOf', item)
    return this.runs.roomIn(run)
  }

  /** Whether `item` is a block of this heap, allocated or not. Misuse when the heap has ended. Never blocks; legal anywhere. */
  owns(item: Item): boolean {
    this.assertOpen('owns')
    const zone = this.zoneOf(item)
    return zone === undefined ? this.runs.runOf(item) !== 0 : zone.owns(item)
  }

  /**
   * Counts, as plain JSON, with one line for each size that is in use. Those of other workers may
   * be a moment old. Misuse when the heap has ended. Never blocks on readers; legal inside a
   * section.
   */
  stats(): HeapStats {
    this.assertOpen('stats')
    return heapStats(this.space, this.at, this.name, this.space.directory.list())
  }

  /**
   * Gives memory back: `zone.reclaim` of each of its zones, and large blocks whose readers have
   * left. Blocks as that, at most `timeoutMs` for each zone; Misuse inside a section.
   */
  reclaim(level: ReclaimLevel, options?: WaitOptions): void {
    this.assertOpen('reclaim')
    this.assertOutside('reclaim')
    for (const zone of this.allZones()) zone.reclaim(level, options)
    this.runs.collect(level !== 'trim')
  }

  /**
   * Finds leaks: `leaked` are the blocks that are allocated but not in `reachable`. Exact only while
   * no other worker uses the heap. Misuse if `reachable` is no list of items. Blocks on the heap's
   * locks only; legal inside a section.
   */
  audit(reachable: Iterable<Item>): { leaked: Item[] } {
    this.assertOpen('audit')
    if (typeof reachable?.[Symbol.iterator] !== 'function') {
      throw this.misuse(
        'audit',
        `reachable is ${show(reachable)}; give the blocks that you can reach`,
      )
    }
    const known = new Set<number>(reachable)
    const leaked = this.allZones().flatMap((zone) => zone.audit(known as Set<Item>).leaked)
    for (const block of this.runs.liveBlocks()) if (!known.has(block)) leaked.push(block as Item)
    return { leaked }
  }

  /**
   * Walks the whole heap and throws Corruption unless every block is in exactly one place. Only
   * while no other worker uses the heap. Misuse when the heap has ended. Blocks on its locks only;
   * legal inside a section.
   */
  check(): void {
    this.assertOpen('check')
    for (const zone of this.allZones()) zone.check()
    this.runs.check()
  }

  /**
   * Ends the heap: its memory goes back to the arena, and its name is free. All workers must have
   * stopped using it; Misuse if blocks are live. Blocks until readers have left, at most
   * `timeoutMs` for each size (default as for `zone.destroy`), then Exhausted; the heap then still
   * exists. Misuse inside a section of its domain.
   */
  destroy(options?: WaitOptions): void {
    this.assertOpen('destroy')
    this.assertOutside('destroy')
    this.space.assertSleepable('heap.destroy')
    endHeap(this, options)
    this.close()
  }

  /** What `JSON.stringify` shows. @internal */
  toJSON(): Summary {
    return summary('Heap', this.name, () => {
      if (!this.space.isOpen || !this.isAlive()) return undefined
      const { blocks, bytes } = this.stats()
      return { blocks, bytes }
    })
  }

  /** What `console.log` shows. @internal */
  [INSPECT](): string {
    return inOneLine(this.toJSON())
  }

  // ---- internal: for the arena and for tables ----------------------------------------------

  /** Whether the handle is open and its heap exists. @internal */
  isAlive(): boolean {
    const { at, memory, serial, space } = this
    return (
      this.mode !== CLOSED &&
      space.pages.find(at, RunKind.heap) === at &&
      memory.peek(at + HeapWords.serial) === serial
    )
  }

  /** This worker has left, or the heap has ended. @internal */
  close(): void {
    this.mode = CLOSED
    this.zones.fill(undefined)
    this.caches.fill(undefined)
    this.forgetKegs()
  }

  /** Handles of all its zones, of which this worker may not have opened some. @internal */
  allZones(): Zone[] {
    return this.listed().map(({ address }) => this.zoneFor(this.memory.peek(address + BYTES)))
  }

  /** Its zones, as the directory has them. @internal */
  listed(names: readonly Listing[] = this.space.directory.list()): Listing[] {
    return names.filter(
      ({ address, kind }) =>
        kind === Named.zone && this.memory.peek(address + OWNER) === this.serial,
    )
  }

  // ---- inside ------------------------------------------------------------------------------

  /** A block of a size that this worker has used, from its cache; else 0. Wants few instructions. */
  private popFor(bytes: number): number {
    if (typeof bytes !== 'number' || (bytes | 0) !== bytes || (bytes - 1) >>> 0 >= MOST) return 0
    const cache = this.caches[INDEX[(bytes + ROUND) >> SHIFT] as number]
    return cache === undefined ? 0 : cache.pop()
  }

  private allocRarely(bytes: number, into = 0): Item {
    return this.takeSmr(bytes, into) || this.fail('allocSmr', bytes)
  }

  private takeSmr(bytes: number, into = 0): Item {
    if (this.mode !== SMR) throw this.wrongVerb('allocSmr')
    const zone = isSmall(bytes) ? this.zones[indexFor(bytes)] : undefined
    return zone === undefined
      ? this.takeRarely('allocSmr', bytes, into)
      : zone.tryZallocSmrInto(into)
  }

  /** `freeSmr` of another size than the last, or where there is more to do. */
  private freeByAddress(item: Item): void {
    if (this.mode !== SMR) throw this.wrongVerb('freeSmr')
    const zone = this.zoneOf(item)
    if (zone === undefined) {
      this.retireRun('freeSmr', item)
      return
    }
    zone.zfreeSmr(item)
    this.kegZones.set(zone.parts.keg.at, zone)
  }

  /**
   * This worker's handle of the zone that an item lies in; undefined if it is no item of a zone of
   * this heap. The reads race with workers that give pages back; why that does no harm is said in
   * slab.ts, and the zone looks again.
   */
  private zoneOf(item: Item): Zone | undefined {
    if (typeof item !== 'number' || (item | 0) !== item) return undefined
    const { memory } = this
    const slab = this.space.pages.find(item, SLAB)
    if (slab === 0) return undefined
    const zone = memory.peekRacy(slab + KEG) - KEG_AT
    if (memory.peekRacy(zone + OWNER) !== this.serial) return undefined
    const bytes = memory.peekRacy(zone + BYTES)
    return this.zones[indexFor(bytes)] ?? this.openRarely(zone)
  }

  /** A worker frees the first block of a size. */
  private openRarely(zone: number): Zone | undefined {
    // A slab of buckets leads into the middle of a zone, where a word may look like our serial.
    if (this.space.pages.find(zone, RunKind.zone) !== zone || !this.isAlive()) return undefined
    return this.zoneFor(this.memory.peek(zone + BYTES))
  }

  /** This worker's handle of the zone for blocks of `bytes` bytes. */
  private zoneFor(bytes: number): Zone {
    const index = indexFor(bytes)
    const known = this.zones[index]
    if (known?.isAlive()) return known
    const opened = this.openZone(sizeAt(index))
    // Whatever lies where a zone that has ended was is not that zone's.
    if (known !== undefined) this.forgetKegs()
    this.zones[index] = opened
    this.caches[index] = opened.readyCache
    return opened
  }

  private forgetKegs(): void {
    this.kegZones.clear()
    this.lastKeg = 0
    this.last = undefined
  }

  private openZone(bytes: number): Zone {
    const { domain, space } = this
    const options = { bytes, bucket: bucketFor(bytes), ...(domain && { smr: domain }) }
    const open = (): Zone => this.opener(zoneName(this.name, bytes), options, this.owner)
    const isOurs = ({ parts }: Zone): boolean => this.memory.peek(parts.at + OWNER) === this.serial
    const zone = open()
    if (isOurs(zone)) return zone
    // It was left by a heap of this name that has ended, and whose worker died in ending it.
    space.sweep()
    return open()
  }

  /** What is not the fast path of an allocation: a size out of range, a first block, a large one. */
  private takeRarely(verb: string, bytes: number, into = 0): Item {
    const call = `heap.${verb}: heap ${show(this.name)}`
    integer(call, 'bytes', bytes, 1, this.memory.words.length * BYTES_PER_WORD)
    this.assertOpen(verb)
    if (bytes > LARGEST) return this.takeRun(bytes, into) as Item
    try {
      const zone = this.zoneFor(bytes)
      return this.domain === undefined ? zone.tryZalloc() : zone.tryZallocSmrInto(into)
    } catch (error) {
      // No pages, or no name, for the zone itself.
      if (error instanceof Exhausted && !('lock' in error.facts)) return NULL_ITEM
      throw error
    }
  }

  private takeRun(bytes: number, into: number): number {
    const { runs, space } = this
    runs.collect()
    const block = runs.take(bytes, into)
    if (block !== 0) return block
    runs.collect(true)
    relieve(space, [runs.wordsFor(bytes)])
    return runs.take(bytes, into)
  }

  private retireRun(verb: string, item: Item, hands?: Hands): void {
    this.assertOutside(verb)
    this.refused(verb, item, this.runs.retire(item, hands))
  }

  private refused(verb: string, item: Item, why: Refusal | undefined): void {
    if (why === undefined) return
    this.assertOpen(verb)
    if (why === 'foreign') throw this.foreign(verb, item)
    throw this.misuse(verb, `block ${item} is free already (double free)`)
  }

  private foreign(verb: string, item: Item): Misuse {
    return this.misuse(verb, `${show(item)} is no block of this heap`)
  }

  private misuse(verb: string, what: string): Misuse {
    return new Misuse(`heap.${verb}: heap ${show(this.name)}: ${what}`, { heap: this.name })
  }

  private wrongVerb(verb: string): Misuse {
    this.space.assertOpen(`heap.${verb}`)
    if (this.mode === CLOSED)
      return this.misuse(verb, 'this handle was closed by detach or destroy')
    return this.mode === SMR
      ? this.misuse(verb, 'it has an smr domain; use allocSmr and freeSmr')
      : this.misuse(verb, 'it has no smr domain; use alloc and free')
  }

  private assertOpen(verb: string): void {
    this.space.assertOpen(`heap.${verb}`)
    if (this.mode === CLOSED) throw this.wrongVerb(verb)
    if (!this.isAlive())
      throw this.misuse(verb, 'it was destroyed by another worker; open it again')
  }

  private assertOutside(verb: string): void {
    const { domain } = this
    if (domain?.inside)
      throw this.misuse(verb, `a section of domain ${show(domain.name)} is open; exit first`)
  }

  /** Says what was wanted, and where memory is. */
  private fail(verb: string, bytes: number): never {
    const { blocks, bytes: used, pending } = this.stats()
    const message = `heap.${verb}: heap ${show(this.name)}: no memory for a block of ${bytes} bytes: ${blocks} blocks of ${used} bytes are live, ${pending} blocks are pending`
    throw noMemory(this.space, message, bytes, { heap: this.name, bytes, blocks, used, pending })
  }
}

/** Whether it is a number of bytes of which a zone has items. */
function isSmall(bytes: number): boolean {
  return typeof bytes === 'number' && (bytes | 0) === bytes && (bytes - 1) >>> 0 < MOST
}

/** Names of zones begin like this if they are sizes of a heap; others must not. */
export const HEAP_ZONE = 'heap:'

function zoneName(heap: string, bytes: number): string {
  return `${HEAP_ZONE}${heap}/${bytes}`
}

/** Bytes of UTF-8 in a heap's name, so that there are names for its zones. */
export const LONGEST_NAME: number = MOST_NAME_BYTES - zoneName('', LARGEST).length
