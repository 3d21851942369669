/**
 * The data of the table questions.
 *
 * 100,000 records with three fields and a key, from a fixed seed, so that every process of every
 * variant works on the same ones in the same order. Integer keys are scattered over 30 bits (V8
 * keeps such integers untagged, which is kind to `Map`); string keys have 8 to 24 characters. What
 * is looked up is laid out beforehand in an order that has nothing to do with the order of
 * insertion. The strings that are looked up are *equal* to the inserted ones and are not the same
 * objects, as keys that come from a request or a file would be; a table that compares identity
 * first gains nothing by it.
 */
import { Buffer } from 'node:buffer'

export type KeyKind = 'int' | 'string'
export type Key = number | string

export interface Fields {
  population: number
  lat: number
  lon: number
}

export interface Row extends Fields {
  id: Key
}

export const ENTRIES = 100_000
export const LONGEST_KEY = 24

/** Probes are a power of two, so that a loop goes round with a mask. */
export const PROBES = 1 << 17
export const PROBE_MASK = PROBES - 1

const SEED = 0x5eed
const INT_KEYS = 2 ** 30
const SHORTEST_KEY = 8
const LETTERS = 'abcdefghijklmnopqrstuvwxyz-0123456789'

/** A small generator of good quality (mulberry32): the numbers from 0 to 1. */
export function randomness(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The records, in the order in which they are inserted. */
export function makeRows(kind: KeyKind, count = ENTRIES): Row[] {
  const random = randomness(SEED)
  const keys = new Set<Key>()
  while (keys.size < count) keys.add(kind === 'int' ? randomInt(random) : randomWord(random))
  return Array.from(keys, (id) => ({
    id,
    population: Math.floor(random() * 1e7),
    lat: degrees(random() * 180 - 90),
    lon: degrees(random() * 360 - 180),
  }))
}

/** What will be looked up: every probe is the key of some record. */
export function makeProbes(rows: readonly Row[], seed = SEED + 1): Key[] {
  const random = randomness(seed)
  return Array.from({ length: PROBES }, () => {
    const row = rows[Math.floor(random() * rows.length)]
    if (row === undefined) throw new RangeError('no rows to probe')
    return typeof row.id === 'string' ? anotherString(row.id) : row.id
  })
}

/** The checksum of one record that every rival must find in it. */
export function sumOf(fields: Fields): number {
  return fields.population + fields.lat + fields.lon
}

function randomInt(random: () => number): number {
  return 1 + Math.floor(random() * (INT_KEYS - 1))
}

function randomWord(random: () => number): string {
  const length = SHORTEST_KEY + Math.floor(random() * (LONGEST_KEY - SHORTEST_KEY + 1))
  let word = ''
  for (let i = 0; i < length; i++) word += LETTERS.charAt(Math.floor(random() * LETTERS.length))
  return anotherString(word)
}

/** Five decimals, as published coordinates have. */
export function degrees(value: number): number {
  return Math.round(value * 1e5) / 1e5
}

/** An equal string that is another object, and flat. */
function anotherString(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}
