/**
 * Structs: a declaration as data becomes a table of offsets.
 *
 * Each field has one phrase that says what its word means, and a kind: who may access it, and how:
 *
 *   shared   any worker, any time, with atomic verbs only
 *   owned    one worker (the phrase says which), with plain verbs
 *   locked   the worker that holds the lock that the phrase names, with plain verbs
 *   frozen   written before publication, then only read, with plain verbs
 *   tally    a counter that one worker writes: 64-bit float, two words; others read it for print
 *
 * `line()` starts a new cache line: words that are used together share one, words that different
 * workers write never do. Dumps are printed from the same tables, and a test pins every offset.
 */

import { LINE_WORDS, WORDS_PER_FLOAT } from './units.ts'

export type AccessKind = 'shared' | 'owned' | 'locked' | 'frozen' | 'tally'

export interface Field {
  readonly kind: AccessKind
  readonly words: number
  readonly about: string
}

const field =
  (kind: AccessKind, each = 1) =>
  (about: string, count = 1): Field => ({ kind, words: each * count, about })

export const shared: (about: string, count?: number) => Field = field('shared')
export const owned: (about: string, count?: number) => Field = field('owned')
export const locked: (about: string, count?: number) => Field = field('locked')
export const frozen: (about: string, count?: number) => Field = field('frozen')
export const tally: (about: string, count?: number) => Field = field('tally', WORDS_PER_FLOAT)

type FieldGroup = Readonly<Record<string, Field>>

/** One field with its name and offset: for checks and dumps. */
export interface StructField extends Field {
  readonly name: string
  readonly at: number
}

/** Offsets by field name, the size in words, and a list of the fields. */
export type Struct<Name extends string> = { readonly [K in Name]: number } & {
  readonly NAME: string
  readonly WORDS: number
  readonly PLACES: readonly StructField[]
}

/** Fields that share a cache line (or a run of them). */
export function line<const F extends FieldGroup>(fields: F): F {
  return fields
}

type NamesOf<L extends readonly FieldGroup[]> = { [I in keyof L]: keyof L[I] & string }[number]

/** Rounds up to whole multiples; `unit` is a power of two. */
export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit
}

export function struct<const L extends readonly FieldGroup[]>(
  name: string,
  ...lines: L
): Struct<NamesOf<L>> {
  const offsets: Record<string, number> = {}
  const places: StructField[] = []
  let at = 0
  for (const fields of lines) {
    at = roundUp(at, LINE_WORDS)
    for (const [key, each] of Object.entries(fields)) {
      if (each.kind === 'tally') at = roundUp(at, WORDS_PER_FLOAT)
      offsets[key] = at
      places.push({ name: key, at, ...each })
      at += each.words
    }
  }
  const WORDS = roundUp(at, LINE_WORDS)
  // The names come from the objects that the type was inferred from.
  return Object.freeze({ ...offsets, NAME: name, WORDS, PLACES: places }) as unknown as Struct<
    NamesOf<L>
  >
}
