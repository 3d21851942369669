/** The rows of torture/holds: every field follows from key and version, so a mixture shows. */

import { type Arena, type Handle, HashTable, record, text, u32 } from 'uma-smr'

export const KEYS = 16
export const HOLDS = 6
const NAME = 'held'
const ODD = 0x9e3779b1

const Row = record({ key: u32, version: u32, note: text(), sum: u32 })

export interface Task {
  readonly handle: Handle
  readonly role: 'holder' | 'writer' | 'victim'
  readonly seed: number
}

export interface Report {
  readonly holds: number
  /** Rows that were replaced or deleted while they were held. */
  readonly gone: number
  readonly wrong: number
  readonly writes: number
}

export function rowOf(key: number, version: number) {
  return { key, version, note: noteOf(version), sum: sumOf(key, version) }
}

export function createHeld(arena: Arena) {
  const options = { record: Row, key: 'key', capacity: KEYS, bucket: 4, holds: HOLDS } as const
  return HashTable.create(arena, NAME, options)
}

export function openHeld(arena: Arena): Held {
  return HashTable.open(arena, NAME, { record: Row, key: 'key' })
}

export type Held = ReturnType<typeof createHeld>

/** Whether it is what it was when it was held. */
export function isWhole(found: ReturnType<typeof rowOf>, version: number): boolean {
  return (
    found.version === version &&
    found.sum === sumOf(found.key, version) &&
    found.note === noteOf(version)
  )
}

function sumOf(key: number, version: number): number {
  return Math.imul(key ^ Math.imul(version + 1, ODD), ODD) >>> 0
}

function noteOf(version: number): string {
  return `version ${version} `.repeat(1 + (version % 5))
}
