/**
 * Opening a heap by name: finds it or makes it. A heap is one run of pages, a few words, which is
 * written before the directory names it; its zones and runs come later.
 */

import { Misuse, onlyOptions, show } from '../base/errors.ts'
import { DomainWords, HeapWords, Named, RunKind } from '../memory/layout.ts'
import { encodeText } from '../memory/utf8.ts'
import { Smr } from '../smr/domain.ts'
import type { Listing } from '../space/directory.ts'
import type { Space } from '../space/space.ts'
import { relieve } from '../zone/pressure.ts'
import { inBytes, noMemory } from '../zone/shortage.ts'
import { Heap, LONGEST_NAME, type ZoneOpener } from './heap.ts'

/** What a heap is opened for: for use, or for a new table, or for one that is there. */
export type HeapPurpose = 'use' | { readonly makeFor: number } | { readonly of: number }

/** Options of `arena.heap`. A later opener may leave them out, but must not give others. */
export interface HeapOptions {
  /** Domain whose readers may still see freed blocks; then use `allocSmr` and `freeSmr`. */
  readonly smr?: Smr
}

/**
 * Opens the heap, or creates it. `known` is this worker's handle of that name; `domainAt` finds
 * this worker's handle of a domain by address, for an opener that did not name the domain.
 */
export function openHeap(
  caller: string,
  space: Space,
  name: string,
  options: HeapOptions,
  known: Heap | undefined,
  domainAt: (address: number) => Smr | undefined,
  opener: ZoneOpener,
  purpose: HeapPurpose = 'use',
): Heap {
  const call = `${caller}: heap ${show(name)}`
  onlyOptions(call, options, ['smr'])
  const { smr } = options
  if (smr !== undefined && !(smr instanceof Smr)) {
    throw new Misuse(`${call}: smr is ${show(smr)}; give what arena.smr() returned`)
  }
  if (smr !== undefined && smr.space !== space) {
    throw new Misuse(`${call}: smr ${show(smr.name)} is another arena handle's; use the same one`)
  }
  assertName(call, name)
  if (purpose !== 'use') prepare(call, space, name, purpose)
  const owner = typeof purpose === 'object' && 'makeFor' in purpose ? purpose.makeFor : 0
  const open = (): Listing | undefined =>
    space.directory.open(caller, Named.heap, name, (serial) =>
      build(call, space, smr, owner, serial),
    )
  const found = open() ?? (relieve(space, [HeapWords.WORDS]) ? open() : undefined)
  if (found === undefined) {
    throw noMemory(space, `${call}: no memory for it`, inBytes([HeapWords.WORDS]), { heap: name })
  }
  const { memory } = space
  const domainAddress = memory.peek(found.address + HeapWords.domain)
  if (smr !== undefined && smr.address !== domainAddress) {
    throw new Misuse(
      `${call}: the heap exists with ${domainAddress === 0 ? 'no' : 'another'} smr domain`,
      { heap: name },
    )
  }
  if (known?.isAlive() && known.serial === found.serial) return known
  const domain = domainAddress === 0 ? undefined : domainAt(domainAddress)
  if (domainAddress !== 0 && domain === undefined) {
    throw new Misuse(`${call}: its smr domain is gone`, { heap: name })
  }
  return new Heap(space, found, domain, opener)
}

/** Its zones have names that are made from it. */
function assertName(call: string, name: string): void {
  if (typeof name !== 'string' || encodeText(name).length <= LONGEST_NAME) return
  throw new Misuse(`${call}: the name of a heap has at most ${LONGEST_NAME} bytes of UTF-8`, {
    heap: name,
  })
}

/**
 * For a table. A new one finds no heap of its name, or one of a table that has ended, which is swept;
 * one that is there finds its own.
 */
function prepare(
  call: string,
  space: Space,
  name: string,
  purpose: Exclude<HeapPurpose, 'use'>,
): void {
  const { directory, memory } = space
  const find = (): Listing | undefined => directory.find(call, Named.heap, name)
  const ownerOf = ({ address }: Listing): number => memory.peek(address + HeapWords.zone)
  let found = find()
  if ('of' in purpose) {
    if (found !== undefined && ownerOf(found) === purpose.of) return
    throw new Misuse(`${call}: the heap of the table is gone; create the table again`, {
      heap: name,
    })
  }
  if (found !== undefined && ownerOf(found) !== 0) {
    space.sweep()
    found = find()
  }
  if (found === undefined) return
  throw new Misuse(`${call}: there is such a heap, and a table has one of its own of its name`, {
    heap: name,
  })
}

function build(
  call: string,
  space: Space,
  smr: Smr | undefined,
  owner: number,
  serial: number,
): number {
  const { memory, pages } = space
  if (smr !== undefined && !smr.isAlive()) {
    throw new Misuse(`${call}: smr ${show(smr.name)} was destroyed; open it again`)
  }
  const at = pages.reserve(HeapWords.WORDS)
  if (at === 0) return 0
  memory.fill(at, HeapWords.WORDS, 0)
  memory.poke(at + HeapWords.serial, serial)
  memory.poke(at + HeapWords.domain, smr?.address ?? 0)
  memory.poke(at + HeapWords.zone, owner)
  pages.publish(at, RunKind.heap)
  if (smr !== undefined) memory.add(smr.address + DomainWords.users, 1)
  return at
}
