/**
 * The directory: names of domains, zones, tables and locks, so that any worker finds them.
 *
 * Opening and creating is one verb under one lock, so two workers that create the same name at the
 * same time get the same thing. An entry's `kind` is its commit point: the thing is built, the
 * entry is filled in, and then one store makes it exist. A worker that dies before that store
 * leaves only runs of pages, and a word that says so (`unswept`): the next reaper sweeps them.
 *
 * Each thing has a serial number. A handle keeps the serial of its thing, so a handle of something
 * that was destroyed is recognized, even if a new thing has the same name and place.
 */

import { Corruption, Exhausted, Misuse, show } from '../base/errors.ts'
import { Entry, Header, Named } from '../memory/layout.ts'
import { BYTES_PER_WORD, LINE_WORDS, type Memory } from '../memory/memory.ts'
import { decodeText, encodeText } from '../memory/utf8.ts'
import { isTimeOut, type Locks } from './lock.ts'

export type NamedKind = (typeof Named)[keyof typeof Named]

/** The longest name. */
export const NAME_BYTES: number = LINE_WORDS * BYTES_PER_WORD
const FREE = 0
/** What a name leads to. */
export interface Listing {
  readonly kind: NamedKind
  readonly name: string
  readonly address: number
  readonly serial: number
  /** The entry itself, where a named lock or root has its word. */
  readonly entry: number
  /** Whether this call created it. */
  readonly created: boolean
}

export class Directory {
  private readonly memory: Memory
  private readonly locks: Locks
  private readonly at: number
  private readonly entries: number
  /** Whether this worker is making or ending something, or has failed in the middle of it. */
  private begun = false

  constructor(memory: Memory, locks: Locks) {
    this.memory = memory
    this.locks = locks
    this.at = memory.peek(Header.directoryAt)
    this.entries = memory.peek(Header.names)
  }

  /**
   * Finds the name, or creates it with the address that `build` returns; 0 to give up. What was
   * found is passed to `inspect` with the lock held, so that nobody can end it meanwhile.
   */
  open(
    call: string,
    kind: NamedKind,
    name: string,
    build: (serial: number) => number,
    inspect: (found: Listing) => void = () => {},
  ): Listing | undefined {
    const text = nameBytes(call, name)
    return this.locked(() => {
      const found = this.search(kind, text)
      if (found !== 0) {
        const listing = this.listing(found, false)
        inspect(listing)
        return listing
      }
      const entry = this.search(FREE, undefined)
      if (entry === 0) {
        throw new Exhausted(
          `${call}: all ${this.entries} names of the arena are taken; destroy something or create a larger arena`,
          { names: this.entries },
        )
      }
      const { memory } = this
      const serial = memory.add(Header.serial, 1) + 1
      const unswept = this.begin()
      const address = this.built(build, serial, unswept)
      if (address === 0) {
        this.end(unswept)
        return undefined
      }
      memory.poke(entry + Entry.address, address)
      memory.poke(entry + Entry.serial, serial)
      memory.poke(entry + Entry.nameBytes, text.length)
      memory.writeBytes(entry + Entry.name, 0, text)
      memory.store(entry + Entry.word, 0)
      memory.store(entry + Entry.kind, kind)
      this.end(unswept)
      return this.listing(entry, true)
    })
  }

  /** Finds the name without making it. */
  find(call: string, kind: NamedKind, name: string): Listing | undefined {
    const text = nameBytes(call, name)
    return this.locked(() => {
      const found = this.search(kind, text)
      return found === 0 ? undefined : this.listing(found, false)
    })
  }

  /**
   * Removes the name of the thing with this serial; `dismantle` frees its memory. False: it was
   * gone already, or `ready`, which is given what has a name, says no. The thing has ended when its name is gone: if `dismantle` cannot get a lock in
   * time, the rest is swept in a turn of its own, and no error tells the caller to try again.
   */
  remove(
    serial: number,
    dismantle: () => void,
    ready: (names: () => Listing[]) => boolean = () => true,
  ): boolean {
    return this.locked(() => {
      for (let i = 0; i < this.entries; i++) {
        const entry = this.entryAt(i)
        if (this.memory.load(entry + Entry.kind) === FREE) continue
        if (this.memory.peek(entry + Entry.serial) !== serial) continue
        if (!ready(() => this.listAll())) return false
        const unswept = this.begin()
        this.memory.store(entry + Entry.kind, FREE)
        try {
          dismantle()
          this.end(unswept)
        } catch (error) {
          if (!isTimeOut(error)) throw error
        }
        return true
      }
      return false
    })
  }

  /** Whether the thing with this serial still has its name. */
  names(serial: number): boolean {
    return this.list().some((each) => each.serial === serial)
  }

  /** Removes the name of a thing; the next sweep frees its memory. The directory is locked. */
  drop({ entry }: Listing): void {
    this.begin()
    this.memory.store(entry + Entry.kind, FREE)
  }

  /** Everything that has a name now. */
  list(): Listing[] {
    return this.locked(() => this.listAll())
  }

  /** Runs `body` on everything that has a name, while nothing can be created or removed. */
  whileLocked<T>(body: (names: Listing[]) => T): T {
    return this.locked(() => body(this.listAll()))
  }

  /** Whether any worker left something half made or half ended. The directory is locked. */
  get isUnswept(): boolean {
    return this.memory.load(Header.unswept) !== 0
  }

  /** Whether a call of this worker did. Asked when no such call is on the stack. */
  get isTorn(): boolean {
    return this.begun
  }

  /** Nothing is half made or half ended any more. The directory is locked. */
  swept(): void {
    this.end(0)
  }

  /**
   * Notes that something is being made or ended. Returns what the word said before, to be restored
   * at the end. After a death or an exception in between the note stays, and the next reaper
   * sweeps; a worker that lives on does it itself, in a turn of its own.
   */
  private begin(): number {
    const before = this.memory.load(Header.unswept)
    this.begun = true
    this.memory.store(Header.unswept, 1)
    return before
  }

  private end(unswept: number): void {
    this.memory.store(Header.unswept, unswept)
    this.begun = false
  }

  /** Runs `build`. A refusal (Misuse) leaves nothing half made. */
  private built(build: (serial: number) => number, serial: number, unswept: number): number {
    try {
      return build(serial)
    } catch (error) {
      if (error instanceof Misuse) this.end(unswept)
      throw error
    }
  }

  private locked<T>(body: () => T): T {
    // Nothing to repair when the last owner died: every change here is one store.
    this.locks.acquire(Header.directoryLock, 'arena directory')
    try {
      return body()
    } finally {
      this.locks.unlock(Header.directoryLock)
    }
  }

  private listAll(): Listing[] {
    const all: Listing[] = []
    for (let i = 0; i < this.entries; i++) {
      const entry = this.entryAt(i)
      if (this.memory.load(entry + Entry.kind) !== FREE) all.push(this.listing(entry, false))
    }
    return all
  }

  private search(kind: NamedKind, text: Uint8Array | undefined): number {
    for (let i = 0; i < this.entries; i++) {
      const entry = this.entryAt(i)
      if (this.memory.load(entry + Entry.kind) !== kind) continue
      if (text === undefined || this.hasName(entry, text)) return entry
    }
    return 0
  }

  private hasName(entry: number, text: Uint8Array): boolean {
    if (this.memory.peek(entry + Entry.nameBytes) !== text.length) return false
    return text.every((byte, i) => this.memory.peekByte(entry + Entry.name, i) === byte)
  }

  private listing(entry: number, created: boolean): Listing {
    const { memory } = this
    const length = memory.peek(entry + Entry.nameBytes)
    const kind = memory.load(entry + Entry.kind) as NamedKind
    if (kind < Named.lock || kind > Named.counter || !(length > 0 && length <= NAME_BYTES)) {
      throw new Corruption(
        `arena directory: the entry at ${entry} is damaged: kind ${kind}, a name of ${length} bytes`,
        { entry, kind, nameBytes: length },
      )
    }
    return {
      kind,
      name: decodeText(memory.readBytes(entry + Entry.name, 0, length)),
      address: memory.peek(entry + Entry.address),
      serial: memory.peek(entry + Entry.serial),
      entry,
      created,
    }
  }

  private entryAt(index: number): number {
    return this.at + index * Entry.WORDS
  }
}

function nameBytes(call: string, name: unknown): Uint8Array<ArrayBuffer> {
  const bytes = typeof name === 'string' ? encodeText(name) : undefined
  // Half a surrogate pair has no UTF-8: two names that differ only there would become one.
  if (bytes !== undefined && bytes.length > 0 && bytes.length <= NAME_BYTES) {
    if (decodeText(bytes) === name) return bytes
  }
  throw new Misuse(
    `${call}: the name is ${show(name)}; give a string of 1 to ${NAME_BYTES} bytes of UTF-8`,
    { name: show(name) },
  )
}
