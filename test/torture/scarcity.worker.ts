/**
 * Takes all that it can have of one zone after the other, in an arena that is too small for them
 * together; every item carries a canary while it is held. Some of them are terminated meanwhile.
 */

import { setImmediate } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'
import { Arena, type Handle, type Item } from 'uma-smr'
import { Random } from '../helpers/random.ts'
import { canaryIsWhole, generationOf, writeCanary } from './canary.ts'

export interface Task {
  readonly handle: Handle
  readonly seed: number
  /** 0: a victim, without end. */
  readonly rounds: number
}

/** Sizes of the zones: a slab holds many, some, one. */
export const SIZES: readonly number[] = [64, 1000, 7900]
export const zoneName = (bytes: number): string => `of ${bytes}`

/** Marks what its destructor has seen: an item that is handed out again must not carry a canary. */
export function openZones(arena: Arena) {
  const smr = arena.smr('scarce')
  return SIZES.map((bytes) =>
    arena.zone(zoneName(bytes), {
      bytes,
      smr,
      bucket: 4,
      sealAfterMs: 5,
      trimEveryMs: 50,
      dtor: (item) => {
        if (!canaryIsWhole(arena.words, item, generationOf(arena.words, item)))
          throw new Error(`item ${item} was written to before its destructor ran`)
      },
    }),
  )
}

async function work({ handle, rounds, seed }: Task): Promise<void> {
  const arena = Arena.attach(handle, { label: rounds === 0 ? 'victim' : 'member' })
  const zones = openZones(arena)
  const taken = arena.counter('taken')
  const random = new Random(seed)
  for (let round = 0; rounds === 0 || round < rounds; round++) {
    const zone = zones[random.below(zones.length)] as (typeof zones)[number]
    const most = random.oneIn(3) ? Number.POSITIVE_INFINITY : 1 + random.below(40)
    const held: Item[] = []
    const generation = (seed + round) | 1
    while (held.length < most) {
      const item = zone.tryZallocSmr()
      if (item === 0) break
      writeCanary(arena.words, item, generation)
      held.push(item)
    }
    taken.add(held.length)
    for (const item of held) {
      if (!canaryIsWhole(arena.words, item, generation)) throw new Error(`item ${item} is torn`)
    }
    while (held.length > 0) zone.zfreeSmr(held.pop() as Item)
    if (random.oneIn(4)) await setImmediate()
  }
  arena.detach()
}

if (workerData !== null && typeof workerData === 'object' && 'rounds' in workerData)
  await work(workerData as Task)
