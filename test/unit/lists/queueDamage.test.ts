/** A queue whose last element leads back to an earlier one: each walk ends, and says Corruption. */

import { beforeEach, describe, expect, it } from 'vitest'
import type { Item, SmrQueue } from '#src/index.ts'
import { SmrList, SmrSList, SmrStailQ, SmrTailQ } from '#src/index.ts'
import { corruption } from '../../helpers/refusals.ts'
import { CONFIGS, type Config, tinyArena } from '../../helpers/tiny.ts'

const LINK = 1
const KINDS = [SmrSList, SmrList, SmrStailQ, SmrTailQ]

describe.each(KINDS.map((Kind) => [Kind.name, Kind] as const))('%s', (_, Kind) => {
  let queue: SmrQueue
  let absent: Item

  // A tail of one element, and circles of each length up to the whole queue.
  describe.each([0, 1, 2, 4])('from the last element to the one at %i', (back) => {
    beforeEach(() => {
      const arena = tinyArena(CONFIGS[0] as Config)
      const zone = arena.zone('z', { bytes: 16, sealAfterMs: 0, trimEveryMs: 0 })
      queue = new Kind(arena, { head: zone.zalloc(), link: LINK })
      queue.init()
      const items = Array.from({ length: 5 }, () => zone.zalloc())
      absent = zone.zalloc()
      for (const item of items.toReversed()) queue.insertHead(item)
      arena.memory.store((items[4] as Item) + LINK, items[back] as Item)
    })

    it.each<[string, () => unknown]>([
      ['entered', () => [...queue.entered()].length],
      ['serialized', () => [...queue.serialized()].length],
      ['serializedSafe', () => [...queue.serializedSafe()].length],
      ['iterate', () => turns(queue)],
      ['check', () => queue.check()],
      ['repair', () => queue.repair()],
    ])('%s', (_name, verb) => {
      expect(corruption(verb).message).toContain('at ')
    })

    it.runIf(Kind === SmrSList || Kind === SmrStailQ)('remove, where it walks', () => {
      expect(corruption(() => queue.remove(absent)).message).toContain('circle')
    })
  })
})

function turns(queue: SmrQueue): number {
  const cursor = queue.iterate()
  let count = 0
  for (const _ of cursor) {
    cursor.next()
    count++
  }
  return count
}
