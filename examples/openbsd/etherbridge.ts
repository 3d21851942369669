/**
 * A module of a kernel: a bridge that knows behind which port an Ethernet address was heard last.
 *
 * OpenBSD's etherbridge(4) is made like this: an SMR list that packets are looked up in without a lock,
 * writers under a lock, and an smr_entry for each entry of the list, which frees it when no
 * packet can be looking at it any more.
 *
 *      head ----> ebe -------> ebe -------> 0        in the arena, found by every worker
 *                  ^
 *      smr_entry --+                                 private to the worker that removed it
 *
 * In the kernel the smr_entry is a member of the ebe. Here an ebe lies in shared memory, where no
 * function can be kept, so it stands beside it.
 */

import { type Arena, type Item, type Lock, record, ref, u32, type Zone } from 'uma-smr'
import { type OpenBsd, smr_entry, smr_startup } from 'uma-smr/openbsd'

const FREED = 0xdead_beef

/** `prev` belongs to the list: its two words are EBE_LENTRY. */
export const Ebe = record({ next: ref, prev: ref, addr: u32, port: u32, heard: u32, sum: u32 })
const EBE_LENTRY = Ebe.offsets.next

/** Holds for no mixture of two entries. */
function sumOf(addr: number, port: number, heard: number): number {
  return (Math.imul(addr, 0x9e3779b1) ^ Math.imul(port, 0x85ebca6b) ^ heard) >>> 0
}

/** Where the list begins. The word outlives the module: a reader may look once more, and find nothing. */
export function headOf(arena: Arena): number {
  return arena.root('etherbridge')
}

/** What readers are told about the module, so that they know what to expect: a word of the arena. */
export const LOADED = 0
export const UNLOADING = 1
export const GONE = 2

export function stateOf(arena: Arena): number {
  return arena.root('etherbridge state')
}

/** What a packet meets. In any worker; takes no lock. */
export class Lookup {
  private readonly arena: Arena
  private readonly kernel: OpenBsd
  private readonly head: number

  constructor(arena: Arena) {
    this.arena = arena
    this.kernel = smr_startup(arena)
    this.head = headOf(arena)
  }

  /** Runs `look` on the entry of this address. The caller may be in a section already: they nest. */
  find<T>(addr: number, look: (ebe: Item) => T): T | undefined {
    const { smr_read_enter, smr_read_leave, SMR_LIST_FOREACH } = this.kernel
    smr_read_enter()
    try {
      for (const ebe of SMR_LIST_FOREACH(this.head, EBE_LENTRY)) {
        if (Ebe.get.addr(this.arena, ebe) === addr) return look(ebe)
      }
      return undefined
    } finally {
      smr_read_leave()
    }
  }

  /** Whether all that the entry says belongs together. */
  isWhole(ebe: Item): boolean {
    const { addr, port, heard, sum } = Ebe.read(this.arena, ebe)
    return sum === sumOf(addr, port, heard)
  }
}

/** The module itself, loaded in one worker. */
export class Etherbridge {
  /** Callbacks that have been queued, and that have run. */
  removed = 0
  freed = 0
  /** Callbacks that ran when the module was gone: each of them would be a crash. */
  late = 0
  private loaded = true
  private readonly arena: Arena
  private readonly kernel: OpenBsd
  private readonly pool: Zone
  private readonly lock: Lock
  private readonly head: number

  constructor(arena: Arena) {
    this.arena = arena
    this.kernel = smr_startup(arena)
    this.pool = arena.zone('ebe', { record: Ebe }) // OpenBSD's pools know nothing of SMR.
    this.lock = arena.lock('etherbridge')
    this.head = headOf(arena)
    this.kernel.SMR_LIST_INIT(this.head)
  }

  /** An address was heard behind a port: a new entry, in place of what was known. */
  learn(addr: number, port: number, heard: number): void {
    const { SMR_LIST_INSERT_AFTER_LOCKED, SMR_LIST_INSERT_HEAD_LOCKED, SMR_LIST_REMOVE_LOCKED } =
      this.kernel
    const ebe = this.pool.zalloc()
    Ebe.set.addr(this.arena, ebe, addr)
    Ebe.set.port(this.arena, ebe, port)
    Ebe.set.heard(this.arena, ebe, heard)
    Ebe.set.sum(this.arena, ebe, sumOf(addr, port, heard))
    const old = this.lock.withLock(() => {
      const known = this.locked(addr)
      if (known === undefined) SMR_LIST_INSERT_HEAD_LOCKED(this.head, ebe, EBE_LENTRY)
      else {
        // Behind the old one, and first. Who stands before it finds one of the two; who is past it has
        // found it. At the head, whoever is on the way would find neither.
        SMR_LIST_INSERT_AFTER_LOCKED(known, ebe, EBE_LENTRY)
        SMR_LIST_REMOVE_LOCKED(known, EBE_LENTRY)
      }
      return known
    })
    if (old !== undefined) this.free(old)
  }

  /** Removes everything. */
  flush(): void {
    const { SMR_LIST_FOREACH_SAFE_LOCKED, SMR_LIST_REMOVE_LOCKED } = this.kernel
    const all = this.lock.withLock(() => {
      const found = [...SMR_LIST_FOREACH_SAFE_LOCKED(this.head, EBE_LENTRY)]
      for (const ebe of found) SMR_LIST_REMOVE_LOCKED(ebe, EBE_LENTRY)
      return found
    })
    for (const ebe of all) this.free(ebe)
  }

  /** How many entries are removed, and not free yet. */
  get pending(): number {
    return this.removed - this.freed
  }

  /** The module's end, when the barrier has passed: its memory goes back, its code is gone. */
  unload(): void {
    this.loaded = false
    this.pool.destroy() // Throws while a single entry is not free.
  }

  /** The entry is out of the list, but perhaps not out of sight. */
  private free(ebe: Item): void {
    const { smr_init, smr_call } = this.kernel
    const entry = new smr_entry()
    smr_init(entry)
    smr_call(entry, (it: Item) => this.ebe_free(it), ebe)
    this.removed++
  }

  /** Nobody looks at it any more. Whoever did all the same would read nonsense. */
  private ebe_free(ebe: Item): void {
    if (!this.loaded) {
      this.late++
      return
    }
    for (const field of ['addr', 'port', 'heard', 'sum'] as const) {
      Ebe.set[field](this.arena, ebe, FREED)
    }
    this.pool.zfree(ebe)
    this.freed++
  }

  private locked(addr: number): Item | undefined {
    const { SMR_LIST_FOREACH_LOCKED } = this.kernel
    for (const ebe of SMR_LIST_FOREACH_LOCKED(this.head, EBE_LENTRY)) {
      if (Ebe.get.addr(this.arena, ebe) === addr) return ebe
    }
    return undefined
  }
}
