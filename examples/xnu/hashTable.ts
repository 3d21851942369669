/**
 * A hash table out of SMR queues, as XNU makes them: one smrq_list per chain, a lock for writers, none for
 * readers, and a zone with SMR for the elements.
 *
 * What a C program gets from the type of a head it gets here from the class of one: with smrq_slist_head
 * in the place of smrq_list_head, and one word less in the element, the rest stays as it is (and removing
 * takes a walk). The heads are words of the arena; what is made of them here is this worker's view.
 */

import { type Arena, type Item, type Lock, record, ref, type Smr, u32 } from 'uma-smr'
import {
  SMR_NONE,
  smr_domain_create,
  smr_enter,
  smr_leave,
  smrq_entered_foreach,
  smrq_init,
  smrq_list_head,
  smrq_serialized_foreach,
  smrq_serialized_insert_head,
  smrq_serialized_iter,
  smrq_serialized_iter_erase,
  smrq_serialized_iter_next,
  smrq_serialized_replace,
  Z_WAITOK,
  zalloc_smr,
  zfree_smr,
  zone_create,
  zone_enable_smr,
  type zone_t,
} from 'uma-smr/xnu'

export const CHAINS = 64
const BYTES_PER_WORD = 4
const FREED = 0xdead_beef

/** `next` and `prev` are the queue's: smrq_link. */
const Name = record({ next: ref, prev: ref, id: u32, version: u32, sum: u32 })

/** Holds for no mixture of two elements. */
function sumOf(id: number, version: number): number {
  return (Math.imul(id, 0x9e3779b1) ^ Math.imul(version, 0x85ebca6b)) >>> 0
}

export class NameTable {
  /** Address of the array of heads: what other workers must be told to join. */
  readonly heads: Item
  readonly smr: Smr
  readonly zone: zone_t
  private readonly arena: Arena
  private readonly lock: Lock
  private readonly chains: readonly smrq_list_head[]

  /** Makes the table; with `heads`, joins the one that another worker has made. */
  constructor(arena: Arena, heads?: Item) {
    this.arena = arena
    this.smr = smr_domain_create(arena, SMR_NONE, 'names')
    this.zone = zone_create(arena, 'names', Name.bytes)
    // When an element's grace period is over. Whoever looked at it all the same would read nonsense.
    zone_enable_smr(this.zone, this.smr, (elem) => {
      Name.set.id(arena, elem, FREED)
      Name.set.sum(arena, elem, 0)
    })
    this.lock = arena.lock('names')
    const arrays = arena.zone('heads', { bytes: CHAINS * BYTES_PER_WORD })
    this.heads = heads ?? arrays.zalloc()
    this.chains = Array.from({ length: CHAINS }, (_, i) => {
      return new smrq_list_head(arena, { head: this.heads + i, link: Name.offsets.next })
    })
    if (heads === undefined) for (const chain of this.chains) smrq_init(chain)
  }

  /** Whether the name is there, and in one piece; undefined when it is not there. Takes no lock. */
  lookup(id: number): boolean | undefined {
    const { arena, smr } = this
    smr_enter(smr)
    try {
      for (const elem of smrq_entered_foreach(this.chain(id))) {
        const found = Name.get.id(arena, elem)
        if (found === id) {
          return Name.get.sum(arena, elem) === sumOf(id, Name.get.version(arena, elem))
        }
        if (found === FREED) return false
      }
      return undefined
    } finally {
      smr_leave(smr)
    }
  }

  /** Puts a name, in the place of the one with this id if there is one. */
  put(id: number, version: number): void {
    const { arena, zone } = this
    const elem = zalloc_smr(zone, Z_WAITOK)
    Name.set.id(arena, elem, id)
    Name.set.version(arena, elem, version)
    Name.set.sum(arena, elem, sumOf(id, version))
    const old = this.lock.withLock(() => {
      const chain = this.chain(id)
      for (const known of smrq_serialized_foreach(chain)) {
        if (Name.get.id(arena, known) !== id) continue
        smrq_serialized_replace(chain, known, elem) // Readers find the one or the other.
        return known
      }
      smrq_serialized_insert_head(chain, elem)
      return undefined
    })
    if (old !== undefined) zfree_smr(zone, old)
  }

  /** Removes all names of one chain that `isOld` picks, in one walk. How many. */
  sweep(which: number, isOld: (id: number) => boolean): number {
    const { arena, zone } = this
    const erased = this.lock.withLock(() => {
      const found: Item[] = []
      const cursor = smrq_serialized_iter(this.chainAt(which))
      for (const elem of cursor) {
        if (isOld(Name.get.id(arena, elem))) {
          smrq_serialized_iter_erase(cursor)
          found.push(elem)
        } else smrq_serialized_iter_next(cursor)
      }
      return found
    })
    // Not before they are out, and not with the lock held: it may take the zone's.
    for (const elem of erased) zfree_smr(zone, elem)
    return erased.length
  }

  /** How many names there are. Only while nobody writes; every word of the chains is checked. */
  count(): number {
    return this.chains.reduce((sum, chain) => sum + chain.check(), 0)
  }

  private chain(id: number): smrq_list_head {
    return this.chainAt(Math.imul(id, 0x9e3779b1) >>> (32 - Math.log2(CHAINS)))
  }

  private chainAt(which: number): smrq_list_head {
    const chain = this.chains[which]
    if (chain === undefined) throw new RangeError(`there is no chain ${which}`)
    return chain
  }
}
