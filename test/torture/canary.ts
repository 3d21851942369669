/**
 * Canaries: content that can only be right if nobody else has written.
 *
 *   | generation | f(item, generation, 1) | f(item, generation, 2) | ...
 *
 * Plain accesses throughout: what orders them is under test.
 */

import type { Item } from 'uma-smr'
import type { Random } from '../helpers/random.ts'
import { dwell } from './dwell.ts'

/** Words of an item that carries a canary. */
export const CANARY_WORDS = 8

export function generationOf(words: Int32Array, item: Item): number {
  return words[item] as number
}

export function writeCanary(words: Int32Array, item: Item, generation: number): void {
  for (let i = CANARY_WORDS - 1; i > 0; i--) words[item + i] = feather(item, generation, i)
  words[item] = generation
}

/** Whether every word says that this is the item, of this generation. */
export function canaryIsWhole(words: Int32Array, item: Item, generation: number): boolean {
  for (let i = 1; i < CANARY_WORDS; i++) {
    if (words[item + i] !== feather(item, generation, i)) return false
  }
  return words[item] === generation
}

/** Two looks at an item in a section, and some time between them: what was wrong, if anything was. */
export function lookTwice(words: Int32Array, item: Item, random: Random): string | undefined {
  const found = generationOf(words, item)
  const first = canaryIsWhole(words, item, found)
  dwell(random)
  const second = canaryIsWhole(words, item, found)
  if (first && second) return undefined
  return `item ${item}: generation ${found}, then ${generationOf(words, item)}, ${first}, ${second}`
}

function feather(item: number, generation: number, i: number): number {
  const h = Math.imul(item ^ Math.imul(generation, 0x9e3779b1) ^ i, 0x85ebca6b)
  return h ^ (h >>> 15)
}
