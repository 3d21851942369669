/**
 * What an error says when memory has run out: how many bytes were wanted, how many are free, which
 * zones hold bytes that are in no use, and which reader keeps these from coming back.
 *
 * It is written when everything else has failed: other zones have given up what they could
 * (pressure.ts). It only reads, takes one lock, briefly, and never fails: without the names of the
 * arena it says less.
 */

import { Exhausted, type Facts, show } from '../base/errors.ts'
import { Named, PAGE_WORDS, ZoneWords } from '../memory/layout.ts'
import { BYTES_PER_WORD } from '../memory/memory.ts'
import { Smr } from '../smr/domain.ts'
import type { Stall } from '../smr/stall.ts'
import type { Listing } from '../space/directory.ts'
import { isTimeOut } from '../space/lock.ts'
import type { Space } from '../space/space.ts'
import { zoneStats } from './stats.ts'

/** Bytes that a zone has and no record uses. */
export interface Holding {
  readonly zone: string
  /** Of the domain that the zone is bound to, 0 none. */
  readonly domain: number
  readonly bytes: number
  /** Of these, freed while readers may still see them. */
  readonly pendingBytes: number
}

/** A section that holds memory back, and in which domain. */
export interface Holder extends Stall {
  readonly domain: string
}

/** How long an error may wait for the names in it. */
const PATIENCE_MS = 20
const MOST_ZONES = 3

/** What each zone holds beside its live records, most first. */
export function holdings(space: Space, names: readonly Listing[]): Holding[] {
  const all: Holding[] = []
  for (const { address, kind, name } of names) {
    if (kind !== Named.zone) continue
    const { cached, created, inSlabs, itemBytes, pending, safe } = zoneStats(space, address, name)
    const idle = Math.min(created, cached + pending + safe + inSlabs)
    if (idle <= 0) continue
    const domain = space.memory.peek(address + ZoneWords.domain)
    all.push({ zone: name, domain, bytes: idle * itemBytes, pendingBytes: pending * itemBytes })
  }
  return all.sort((a, b) => b.bytes - a.bytes)
}

/** Sections that hold back what is pending in any of `domains`, longest first. */
export function holders(
  space: Space,
  names: readonly Listing[],
  domains: ReadonlySet<number>,
): Holder[] {
  return names
    .filter(({ address, kind }) => kind === Named.domain && domains.has(address))
    .flatMap(({ address, name, serial }) =>
      new Smr(space, name, address, serial).stalled(0).map((stall) => ({ ...stall, domain: name })),
    )
    .sort((a, b) => b.forMs - a.forMs)
}

/** Bytes in pages that nobody has. */
export function freeBytes({ pages }: Space): number {
  const { free, untouched } = pages.room()
  return (free + untouched) * PAGE_WORDS * BYTES_PER_WORD
}

/** A reader in words: `worker 257 for 12 ms in domain "clock"`. */
export function sayHolder({ domain, forMs, label, workerId }: Holder): string {
  const what = label === '' ? '' : ` (${show(label)})`
  return `worker ${workerId}${what} for ${Math.round(forMs)} ms in a section of domain ${show(domain)}`
}

export interface Shortage {
  /** The end of the message. */
  readonly text: string
  readonly facts: Facts
}

/** What has run out: pages, what the zone's limit allows, or what may be pending. */
export type Lack = 'memory' | 'limit' | 'pending'

/**
 * What is missing where pieces of so many bytes were to be had. At a limit it is not memory:
 * then only the reader is named, if the message does not do that already.
 */
export function shortage(space: Space, pieces: readonly number[], lack: Lack = 'memory'): Shortage {
  const wanted = pieces.reduce((sum, bytes) => sum + bytes, 0)
  const free = freeBytes(space)
  const { held, reader } = seen(space)
  const reclaimable = held.reduce((sum, { bytes }) => sum + bytes, 0)
  const zones = sayZones(held)
  const parts: string[] = []
  if (lack === 'memory') {
    const how = pieces.length === 1 ? 'in one piece' : `in ${pieces.length} pieces`
    parts.push(`${say(wanted)} bytes are wanted ${how}, ${say(free)} are free in all`)
    parts.push(held.length === 0 ? 'no zone has any to spare' : `not in use: ${zones}`)
  }
  if (reader !== undefined && lack !== 'pending') parts.push(`held back by ${sayHolder(reader)}`)
  return {
    text: parts.map((each) => `; ${each}`).join(''),
    facts: {
      wanted,
      free,
      reclaimable,
      zones,
      ...(reader && {
        heldBy: reader.workerId,
        heldForMs: reader.forMs,
        heldIn: reader.domain,
        heldLabel: reader.label,
      }),
    },
  }
}

/**
 * The error of a call for which the arena had no piece, or no pieces, of so many bytes: `message`, and
 * what is missing.
 * Tells listeners of 'exhausted'. For tables and heaps too.
 */
export function noMemory(
  space: Space,
  message: string,
  wanted: number | readonly number[],
  about: Facts,
  lack: Lack = 'memory',
): Exhausted {
  const pieces = typeof wanted === 'number' ? [wanted] : wanted
  const { text, facts } = shortage(space, pieces, lack)
  const error = new Exhausted(message + text, { ...about, ...facts, lack })
  space.events.publish('exhausted', { message: error.message, ...error.facts }, message)
  return error
}

/** Sizes of runs, given in words. */
export function inBytes(runs: readonly number[]): number[] {
  return runs.map((words) => words * BYTES_PER_WORD)
}

function sayZones(held: readonly Holding[]): string {
  const most = held.slice(0, MOST_ZONES).map(({ bytes, pendingBytes, zone }) => {
    const waiting = pendingBytes > 0 ? `, ${say(pendingBytes)} of them pending` : ''
    return `${say(bytes)} bytes in zone ${show(zone)}${waiting}`
  })
  const more = held.length - most.length
  if (more > 0) most.push(`and in ${more} more zones`)
  return most.join('; ')
}

/** What zones hold, and the reader in the way; nothing where the lock of the names is not free. */
function seen(space: Space): { held: readonly Holding[]; reader?: Holder | undefined } {
  try {
    return space.locks.withPatience(PATIENCE_MS, () => {
      const names = space.directory.list()
      const held = holdings(space, names)
      const pending = held.filter(({ pendingBytes }) => pendingBytes > 0)
      const [reader] = holders(space, names, new Set(pending.map(({ domain }) => domain)))
      return { held, reader }
    })
  } catch (error) {
    if (!isTimeOut(error)) throw error
    return { held: [] }
  }
}

function say(bytes: number): string {
  return bytes.toLocaleString('en-US')
}
