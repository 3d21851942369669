/**
 * Hooks that count, in words that all share, the lives of a zone's records; and the laws of that.
 *
 *   init   ctor   dtor   ctor   dtor   ...   fini
 *
 * A destructor finds the record as its user left it, whole, and spoils it: so a second one is noticed by
 * itself, and one that comes too early by whoever still reads the record, or is given it. What it leaves,
 * and what `init` made, is what a constructor or `fini` finds, unless the arena is a checked one, which
 * fills what is free.
 */

import type { Item, Zone } from 'uma-smr'
import { CANARY_WORDS, canaryIsWhole, generationOf } from './canary.ts'

const HOOKS = ['init', 'ctor', 'dtor', 'fini'] as const
type HookName = (typeof HOOKS)[number]

export const LIVES_WORDS = HOOKS.length

export type Lives = Readonly<Record<HookName, (item: Item) => void>>

/** `at`: LIVES_WORDS words of zeros. `wrong` is told what must never be. */
export function lives(
  words: Int32Array,
  at: Item,
  checked: boolean,
  wrong: (what: string) => void,
): Lives {
  const count = (hook: HookName): void => {
    Atomics.add(words, at + HOOKS.indexOf(hook), 1)
  }
  const spoil = (item: Item): void => {
    words.fill(0, item, item + CANARY_WORDS)
  }
  const mustBeSpoilt = (item: Item, hook: HookName): void => {
    if (checked || words.subarray(item, item + CANARY_WORDS).every((word) => word === 0)) return
    wrong(`${hook} of item ${item}, which lives`)
  }
  return {
    init(item) {
      spoil(item)
      count('init')
    },
    ctor(item) {
      mustBeSpoilt(item, 'ctor')
      count('ctor')
    },
    dtor(item) {
      if (!canaryIsWhole(words, item, generationOf(words, item))) {
        wrong(`dtor of item ${item}, which is not whole`)
      }
      spoil(item)
      count('dtor')
    },
    fini(item) {
      mustBeSpoilt(item, 'fini')
      count('fini')
    },
  }
}

interface Balance {
  readonly ctor: number
  readonly dtor: number
  /** More by `init` than by `fini`: the records that are out of their slabs. */
  readonly made: number
}

/** How often hooks have run, and how often they must have: when nothing is pending, nothing cached. */
export function livesOf(
  words: Int32Array,
  at: Item,
  zone: Zone,
): { seen: Balance; due: Balance; least: number } {
  const { allocs, created, frees, inSlabs } = zone.stats()
  const [init = 0, ctor = 0, dtor = 0, fini = 0] = words.subarray(at, at + LIVES_WORDS)
  return {
    seen: { ctor, dtor, made: init - fini },
    due: { ctor: allocs, dtor: frees, made: created - inSlabs },
    least: Math.min(init, ctor, dtor, fini),
  }
}
