/**
 * The options of a zone: checked, and turned into words.
 *
 * Sizes and options become frozen words of the zone. Hooks are functions and cannot be shared: the
 * zone stores only which of them exist, and every worker that opens it gives its own.
 */

import type { Item } from '../base/brands.ts'
import { integer, Misuse, onlyOptions, show } from '../base/errors.ts'
import { BYTES_PER_WORD, LINE_WORDS } from '../memory/memory.ts'
import { roundUp } from '../memory/struct.ts'
import { Smr } from '../smr/domain.ts'
import { defaultCapacity } from './bucket.ts'
import {
  checkPreset,
  type GivenKnobs,
  givenKnobs,
  KNOBS,
  type PresetName,
  type TuneOptions,
} from './knobOptions.ts'

/** Called with the item; legal verbs inside are those of other zones, not of this one. */
export type Hook = (item: Item) => void

/** The part of a record schema that a zone needs: its size, and a text that identifies it. */
export interface RecordShape {
  readonly bytes: number
  readonly signature: string
}

/** Options of `arena.zone`. A later opener may leave any out, but must not give other values. */
export interface ZoneOptions extends TuneOptions {
  /** Size of an item in bytes, from 1 to what fits into the arena. Give this or `record`. */
  readonly bytes?: number
  /** Schema of the records in it. */
  readonly record?: RecordShape
  /** Alignment of items in bytes: a power of two from 8 to 4096. Default 8. */
  readonly align?: number
  /** Domain whose readers may still see freed items; then use `zallocSmr` and `zfreeSmr`. */
  readonly smr?: Smr
  /** Knobs not given are those of this preset: see knobOptions.ts. Default `balanced`. */
  readonly preset?: PresetName
  /**
   * Most items outside the slabs: live, cached, pending and safe together; 1 to 2^31 - 1. Default:
   * what the arena has room for. FreeBSD uma_zone_set_max(9).
   */
  readonly limit?: number
  /** Items whose memory is set aside at creation and stays with the zone. Default 0. */
  readonly reserve?: number
  /**
   * The reserve is for `zone.useReserve` only: other allocations leave so many items in the slabs, and
   * under the limit. Default false: it is open to all. FreeBSD uma_zone_reserve(9) and M_USE_RESERVE.
   */
  readonly keepReserve?: boolean
  /**
   * Slabs never go back to the arena: a stale address leads to an old or a new item of this zone,
   * never to another thing. FreeBSD UMA_ZONE_NOFREE.
   */
  readonly noFree?: boolean
  /** Runs at each allocation. May throw: then the item is not allocated. */
  readonly ctor?: Hook
  /**
   * Runs at each free; in a zone with smr at reclamation, when no reader can see the item. Must not
   * throw: if it does, the item is freed all the same, and the call that ran it throws the error.
   * In a zone with smr that may be another worker's allocation. When pages run out, an allocation
   * from any zone runs it too, in a worker that has this one open; then its error is a warning.
   */
  readonly dtor?: Hook
  /** Runs when an item enters the zone from fresh memory. May throw: then the item stays there. */
  readonly init?: Hook
  /** Runs when an item's memory leaves the zone. Must not throw, as `dtor`. */
  readonly fini?: Hook
}

export interface Hooks {
  readonly ctor: Hook | undefined
  readonly dtor: Hook | undefined
  readonly init: Hook | undefined
  readonly fini: Hook | undefined
}

/** The options, checked. `undefined`: not given. */
export interface ZoneShape {
  readonly bytes: number | undefined
  readonly words: number | undefined
  readonly schema: string | undefined
  readonly alignWords: number | undefined
  readonly smr: Smr | undefined
  readonly limit: number | undefined
  readonly reserve: number | undefined
  readonly keepReserve: boolean | undefined
  readonly noFree: boolean | undefined
  readonly preset: PresetName | undefined
  readonly knobs: GivenKnobs
  readonly hooks: Hooks
  /** Made for a table of the same name: until that exists, the zone is its maker's alone. */
  readonly forTable?: boolean
  /** Serial of the heap that it is a size class of. */
  readonly heap?: number | undefined
}

const KNOWN = [
  'bytes',
  'record',
  'align',
  'smr',
  'limit',
  'reserve',
  'keepReserve',
  'noFree',
  'preset',
  ...KNOBS,
  'ctor',
  'dtor',
  'init',
  'fini',
] as const satisfies readonly (keyof ZoneOptions)[]

const HOOKS = ['ctor', 'dtor', 'init', 'fini'] as const
const STATEFUL: readonly string[] = ['init', 'fini']
const LEAVING: readonly string[] = ['dtor', 'fini']
export const MIN_ALIGN_BYTES = 8
const MAX_ALIGN_BYTES = 4096
export const MAX_ITEMS = 2 ** 31 - 1

export function zoneShape(call: string, options: ZoneOptions, arenaBytes: number): ZoneShape {
  onlyOptions(call, options, KNOWN)
  const { record, smr } = options
  if (options.bytes !== undefined && record !== undefined) {
    throw new Misuse(`${call}: give bytes or record, not both`)
  }
  const size = record === undefined ? options.bytes : recordBytes(call, record)
  const bytes = size === undefined ? undefined : integer(call, 'bytes', size, 1, arenaBytes)
  if (smr !== undefined && !(smr instanceof Smr)) {
    throw new Misuse(`${call}: smr is ${show(smr)}; give what arena.smr() returned`)
  }
  return {
    bytes,
    words: bytes === undefined ? undefined : Math.ceil(bytes / BYTES_PER_WORD),
    schema: record?.signature,
    alignWords: options.align === undefined ? undefined : alignWords(call, options.align),
    smr,
    limit: optional(call, 'limit', options.limit, 1, MAX_ITEMS),
    reserve: optional(call, 'reserve', options.reserve, 0, MAX_ITEMS),
    keepReserve: flag(call, 'keepReserve', options.keepReserve),
    noFree: flag(call, 'noFree', options.noFree),
    preset: checkPreset(call, options.preset),
    knobs: givenKnobs(call, options, arenaBytes),
    hooks: hooksOf(call, options),
  }
}

/** Items per bucket by default. */
export function capacityFor(recordWords: number): number {
  return defaultCapacity(recordWords, LINE_WORDS)
}

export function strideFor(recordWords: number, align: number): number {
  return roundUp(recordWords, align)
}

/** Hooks as the bit set that the zone's words keep. */
export function hookBits(hooks: Hooks): number {
  return HOOKS.reduce((bits, name, i) => bits | (hooks[name] === undefined ? 0 : 1 << i), 0)
}

/** Whether free items keep state, so that they must not be filled. */
export function keepsState(bits: number): boolean {
  return HOOKS.some((name, i) => STATEFUL.includes(name) && ((bits >> i) & 1) === 1)
}

/**
 * Whether a hook must run before an item goes back from the depot to its slab. In a plain zone the
 * destructor ran when it was freed.
 */
export function needsHooksToLeave(bits: number, isPlain: boolean): boolean {
  const leaving = isPlain ? ['fini'] : LEAVING
  return HOOKS.some((name, i) => leaving.includes(name) && ((bits >> i) & 1) === 1)
}

export function hookNames(bits: number): string {
  const names = HOOKS.filter((_, i) => ((bits >> i) & 1) === 1)
  return names.length === 0 ? 'no hooks' : names.join(', ')
}

export const NO_HOOKS: Hooks = {
  ctor: undefined,
  dtor: undefined,
  init: undefined,
  fini: undefined,
}

function hooksOf(call: string, options: ZoneOptions): Hooks {
  for (const name of HOOKS) {
    const hook: unknown = options[name]
    if (hook === undefined || typeof hook === 'function') continue
    throw new Misuse(`${call}: ${name} is ${show(hook)}; give a function of the item`)
  }
  return { ctor: options.ctor, dtor: options.dtor, init: options.init, fini: options.fini }
}

function recordBytes(call: string, record: RecordShape): number {
  if (typeof record === 'object' && record !== null && typeof record.signature === 'string') {
    return record.bytes
  }
  throw new Misuse(`${call}: record is ${show(record)}; give what record() returned`)
}

function alignWords(call: string, align: unknown): number {
  const bytes = integer(call, 'align', align, MIN_ALIGN_BYTES, MAX_ALIGN_BYTES)
  if ((bytes & (bytes - 1)) === 0) return bytes / BYTES_PER_WORD
  throw new Misuse(`${call}: align is ${bytes}; give a power of two`, { align: bytes })
}

function flag(call: string, what: string, value: unknown): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value
  throw new Misuse(`${call}: ${what} is ${show(value)}; give true or false`)
}

function optional(
  call: string,
  what: string,
  value: unknown,
  min: number,
  max: number,
): number | undefined {
  return value === undefined ? undefined : integer(call, what, value, min, max)
}
