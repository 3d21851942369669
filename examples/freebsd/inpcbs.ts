/**
 * A hash of connections in the manner of FreeBSD's in_pcb: the use case that smr(9) tells.
 *
 *   readers   look a connection up by its port, in a read section, and take no lock
 *   writers   insert and remove under a mutex; what was removed goes to uma_zfree_smr
 *
 *      heads   [ . ]  [ 0 ]  [ . ]  ...       an item of a plain zone, found by a named root
 *                |             |
 *             inpcb -> inpcb  inpcb -> 0      items of a UMA_ZONE_SMR zone
 *
 * Every worker makes an `Inpcbs` of its own, by the same calls with the same arguments, and they are
 * all the same zone, the same domain and the same lock.
 */

import { type Arena, type Item, type Lock, NULL_ITEM, record, ref, u32 } from 'uma-smr'
import {
  M_NOWAIT,
  M_WAITOK,
  M_ZERO,
  SMR_POINTER,
  type SmrPointer,
  smr_enter,
  smr_entered_load,
  smr_exit,
  smr_serialized_load,
  smr_serialized_store,
  type smr_t,
  smr_unserialized_store,
  UMA_ALIGN_LONG,
  UMA_ALIGN_PTR,
  UMA_ZONE_SMR,
  uma_zalloc,
  uma_zalloc_smr,
  uma_zcreate,
  uma_zfree_smr,
  uma_zone_get_smr,
  type uma_zone_t,
} from 'uma-smr/freebsd'

const CHAINS = 64
const POINTER_BYTES = 4

/** `sum` is there so that a reader can tell whether it has a connection in one piece. */
export const Inpcb = record({ next: ref, port: u32, address: u32, sum: u32 })
const NEXT = Inpcb.offsets.next

export function sumOf(port: number, address: number): number {
  return (Math.imul(port, 0x9e3779b1) ^ Math.imul(address, 0x85ebca6b)) >>> 0
}

/** What a lookup copies out of the section: the item itself must not leave it. */
export interface Found {
  readonly port: number
  readonly address: number
  readonly sum: number
}

export class Inpcbs {
  readonly zone: uma_zone_t
  private readonly arena: Arena
  private readonly smr: smr_t
  private readonly lock: Lock
  private readonly heads: number

  constructor(arena: Arena) {
    this.arena = arena
    this.lock = arena.lock('inpcb hash')
    this.zone = uma_zcreate(
      arena,
      'inpcb',
      Inpcb.bytes,
      null,
      // Runs when no reader can be looking any more, at some later time, in whichever worker needs
      // the memory. If it ran too early, readers would find 0 and say so.
      (inp) => Inpcb.write(arena, inp, { next: NULL_ITEM, port: 0, address: 0, sum: 0 }),
      null,
      null,
      UMA_ALIGN_LONG,
      UMA_ZONE_SMR,
    )
    this.smr = uma_zone_get_smr(this.zone)
    this.heads = this.lock.withLock(() => this.headsOrNew())
  }

  /** The connection with this port. Never waits, for nobody. */
  lookup(port: number): Found | undefined {
    const { arena, smr } = this
    smr_enter(smr)
    try {
      let inp = smr_entered_load(this.head(port), smr)
      while (inp !== NULL_ITEM) {
        if (Inpcb.get.port(arena, inp) === port) {
          return { port, address: Inpcb.get.address(arena, inp), sum: Inpcb.get.sum(arena, inp) }
        }
        // It may have been removed by now. Its pointer still leads on.
        inp = smr_entered_load(this.next(inp), smr)
      }
      return undefined
    } finally {
      smr_exit(smr)
    }
  }

  /** Inserts; false if the port is taken. */
  insert(port: number, address: number): boolean {
    const { arena, lock } = this
    const inp = uma_zalloc_smr(this.zone, M_WAITOK)
    Inpcb.write(arena, inp, { next: NULL_ITEM, port, address, sum: sumOf(port, address) })
    const isNew = lock.withLock(() => {
      const head = this.head(port)
      if (this.place(port) !== undefined) return false
      // Nobody can reach it yet, so its own pointer needs no care; the store behind publishes it.
      smr_unserialized_store(this.next(inp), smr_serialized_load(head, lock.held), true)
      smr_serialized_store(head, inp, lock.held)
      return true
    })
    if (!isNew) uma_zfree_smr(this.zone, inp)
    return isNew
  }

  /** Removes; false if there is none. */
  remove(port: number): boolean {
    const { lock } = this
    const gone = lock.withLock(() => {
      const place = this.place(port)
      if (place === undefined) return NULL_ITEM
      const inp = smr_serialized_load(place, lock.held)
      smr_serialized_store(place, smr_serialized_load(this.next(inp), lock.held), lock.held)
      return inp
    })
    if (gone === NULL_ITEM) return false
    // Unlinked first, freed then. It costs a store to a bucket; the clock moves once per bucket.
    uma_zfree_smr(this.zone, gone)
    return true
  }

  /** All connections. Only while nobody writes. */
  items(): Item[] {
    const found: Item[] = []
    this.lock.withLock(() => {
      for (let chain = 0; chain < CHAINS; chain++) {
        let inp = smr_serialized_load(this.head(chain), this.lock.held)
        for (; inp !== NULL_ITEM; inp = smr_serialized_load(this.next(inp), this.lock.held)) {
          found.push(inp)
        }
      }
    })
    return found
  }

  /** The pointer that leads to the connection, for the writer whose turn it is. */
  private place(port: number): SmrPointer | undefined {
    const { arena, lock } = this
    let place = this.head(port)
    for (;;) {
      const inp = smr_serialized_load(place, lock.held)
      if (inp === NULL_ITEM) return undefined
      if (Inpcb.get.port(arena, inp) === port) return place
      place = this.next(inp)
    }
  }

  private head(port: number): SmrPointer {
    return SMR_POINTER(this.arena, this.heads + (port % CHAINS))
  }

  private next(inp: Item): SmrPointer {
    return SMR_POINTER(this.arena, inp + NEXT)
  }

  /** Whoever comes first makes the heads, and leaves word where they are. */
  private headsOrNew(): Item {
    const { arena, lock } = this
    const root = SMR_POINTER(arena, arena.root('inpcb hash'))
    const known = smr_serialized_load(root, lock.held)
    if (known !== NULL_ITEM) return known
    const bytes = CHAINS * POINTER_BYTES
    const arrays = uma_zcreate(arena, 'hash', bytes, null, null, null, null, UMA_ALIGN_PTR, 0)
    const heads = uma_zalloc(arrays, M_NOWAIT | M_ZERO)
    smr_serialized_store(root, heads, lock.held)
    return heads
  }
}
