/**
 * Death in batches of a keg that follow others, when what was written down of the last one is still
 * there; and a second death, while somebody finishes the batch of the first.
 */

import type { Zone } from '#src/index.ts'
import type { Parts } from '#src/zone/parts.ts'
import { both, freeing, reclaiming, taking } from './actions.ts'
import { REAPER } from './arenaDeaths.ts'
import { type Action, deathScene, HEIR, VICTIM, work } from './deathStage.ts'
import type { Scenario } from './scenario.ts'
import type { Library } from './stage.ts'
import { reap } from './world.ts'
import { type Body, watching, worker, zoneScene } from './zoneStage.ts'

/** So many that the first batch is of two, and those after it, when less is left, of one. */
const LIMIT = 8

const ACTIONS: readonly Action[] = [
  {
    name: 'alloc: a small batch after a larger one',
    first: taking(2),
    body: taking(1),
    limit: LIMIT,
  },
  {
    name: 'reclaim: a small batch after a larger one',
    first: taking(1),
    body: reclaiming('all'),
    limit: LIMIT,
  },
  {
    // An item that is given back leaves its bucket empty, for the next to be freed into.
    name: 'alloc: after a batch back whose bucket is in use again',
    first: both(taking(5), freeing),
    body: taking(3),
    knobs: { bucket: 1, depot: 0 },
  },
]

export function kegDeaths(lib: Library): readonly Scenario<undefined>[] {
  return ACTIONS.map((action) => deathScene(lib, { ...action, name: `death in ${action.name}` }))
}

// ---- two deaths -------------------------------------------------------------------------------

const partsOf = (zone: Zone): Parts =>
  (zone as unknown as { readonly supply: { readonly parts: Parts } }).supply.parts

/** Fills the bucket that this worker allocates from: that alone, for there are few places to die in it. */
const batchOut: Body = (_memory, { zone }) => {
  const { cache, keg: records } = partsOf(zone)
  const bucket = cache.unloadAlloc()
  records.take(bucket, 2)
  cache.loadAlloc(bucket)
}
/** Empties it. */
const batchBack: Body = (_memory, { zone }) => {
  const { cache, keg: records } = partsOf(zone)
  const bucket = cache.unloadAlloc()
  records.give(bucket)
  cache.loadAlloc(bucket)
}
const reaping =
  (lib: Library, then: Body = () => {}): Body =>
  (memory, hired, hand) => {
    reap(lib, hired.arena, 0)
    then(memory, hired, hand)
  }

/** At most `hands` items are in the hands of each when it dies. */
function twoDeaths(
  lib: Library,
  name: string,
  first: Body,
  body: Body,
  second: Body,
  hands = 0,
): Scenario<undefined> {
  const watched = { hooks: watching }
  return zoneScene(
    lib,
    name,
    [
      worker(lib, VICTIM, 0, body, { ...watched, first }),
      worker(lib, REAPER, 1, second, { ...watched, after: VICTIM }),
      worker(
        lib,
        HEIR,
        2,
        (memory, hired, hand) => {
          for (const slot of [0, 1]) reap(lib, hired.arena, slot)
          work(memory, hired, hand, false)
        },
        { ...watched, after: REAPER },
      ),
    ],
    { zone: { limit: LIMIT }, laws: { thorough: true }, hooks: watching, hands },
    { rules: { bound: 0 } },
  )
}

/** Two of the first one's items; what is left in its bucket, or is not, is the batch's. */
const TAKEN = taking(2)

/** A step at which the first one has written its batch down, and not done it. */
export const IN_BATCH = 11

export function twoKegDeaths(lib: Library): readonly Scenario<undefined>[] {
  return [
    twoDeaths(lib, 'two deaths: a batch out', TAKEN, batchOut, reaping(lib)),
    twoDeaths(lib, 'two deaths: a batch back', both(TAKEN, batchOut), batchBack, reaping(lib)),
    // The one who has finished the batch goes on, and dies when its bucket has been emptied.
    twoDeaths(
      lib,
      'two deaths: a batch out, and the next',
      TAKEN,
      batchOut,
      reaping(lib, taking(3)),
      1,
    ),
  ]
}
