/**
 * Death in verbs of many records, and where what was taken goes back: a batch that fails, a
 * constructor that throws. As many items as the victim has asked for may be lost with it.
 */

import type { Item, ZoneOptions } from '#src/index.ts'
import { PAGE_WORDS } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import { both, churning, freeing, reclaiming, sealing, taking } from './actions.ts'
import { type Action, deathScene } from './deathStage.ts'
import type { Scenario } from './scenario.ts'
import type { Library } from './stage.ts'
import { boardAt, CHECKED_STAGE } from './world.ts'
import { type Body, watching } from './zoneStage.ts'

/** Takes so many at once; what it does not get is none of its business. */
const takingAll =
  (count: number): Body =>
  (_memory, { zone }, hand) => {
    let items: readonly Item[] = []
    try {
      items = zone.zallocSmrBatch(count)
    } catch (error) {
      if (!(error instanceof Error && error.name === 'Exhausted')) throw error
    }
    for (const item of items) hand.take(item)
  }

const freeingOne: Body = (_memory, { zone }, hand) => zone.zfreeSmr(hand.drop() as Item)

const freeingAll: Body = (_memory, { zone }, hand) => {
  const items: Item[] = []
  for (let item = hand.drop(); item !== 0; item = hand.drop()) items.push(item as Item)
  zone.zfreeSmrBatch(items)
}

/** While this word of the board is 1, constructors refuse every second item. */
const REFUSING = boardAt(12)

const refusing = (memory: Memory): ZoneOptions => {
  const hooks = watching(memory)
  let calls = 0
  return {
    ...hooks,
    ctor(item) {
      hooks.ctor?.(item)
      if (memory.peek(REFUSING) === 1 && ++calls % 2 === 0) throw new Error('refused')
    },
  }
}

const refused: Body = (memory, { zone }, hand) => {
  memory.poke(REFUSING, 1)
  for (let i = 0; i < 3; i++) {
    try {
      hand.take(zone.tryZallocSmr())
    } catch (error) {
      if (!(error instanceof Error && error.message === 'refused')) throw error
    }
  }
  memory.poke(REFUSING, 0)
}

/** Wide enough for all there are: what goes back finds its place in the bucket it came from. */
const WIDE = { bucket: 6 }
/** Without hooks items are moved many at a time. */
const bare = (): ZoneOptions => ({})

/** Each of these takes a page, so that they run out. */
const PAGEFUL = { bucket: 600 }
/** Takes all the pages that are left; they are what a dead worker has reserved. */
const filling: Body = (_memory, { arena }) => {
  while (arena.space.pages.reserve(PAGE_WORDS) !== 0) {}
}

const ACTIONS: readonly Action[] = [
  { name: 'alloc: a batch', first: churning(2, 3), body: takingAll(4), hooks: bare, hands: 4 },
  { name: 'alloc: a batch, watched', first: churning(2, 3), body: takingAll(4), hands: 4 },
  {
    name: 'alloc: a batch that is not to be had',
    body: takingAll(9),
    knobs: WIDE,
    hooks: bare,
    hands: 6,
  },
  {
    name: 'alloc: a batch that is not to be had, of expired items',
    first: churning(1, 6),
    body: takingAll(9),
    knobs: WIDE,
    hooks: bare,
    hands: 6,
  },
  {
    // What goes back comes to lie where one has lain that somebody has now.
    name: 'alloc: a batch that is not to be had, the last bucket part-filled',
    first: taking(1),
    body: takingAll(9),
    knobs: { bucket: 3 },
    limit: 8,
    hooks: bare,
    hands: 7,
  },
  {
    name: 'alloc: a batch that is not to be had, checked',
    body: takingAll(9),
    knobs: WIDE,
    stage: CHECKED_STAGE,
    hooks: bare,
    hands: 6,
  },
  {
    name: 'alloc: a batch that is not to be had, in small buckets',
    body: takingAll(9),
    hooks: bare,
    hands: 6,
  },
  {
    name: 'free: no bucket at all',
    first: both(taking(2), reclaiming('all'), filling),
    body: freeing,
    knobs: PAGEFUL,
  },
  { name: 'free: a batch', first: taking(5), body: freeingAll, hooks: bare, hands: 5 },
  {
    name: 'free: a batch, checked',
    first: taking(5),
    body: both(freeingAll, takingAll(2)),
    stage: CHECKED_STAGE,
    hands: 5,
  },
  {
    name: 'free: no bucket but the one it allocates from',
    first: both(taking(2), filling),
    body: both(freeing, sealing),
    limit: 2,
    knobs: PAGEFUL,
  },
  {
    name: 'free: no bucket but one that is pending',
    first: both(taking(3), filling, freeingOne, sealing),
    body: freeing,
    knobs: PAGEFUL,
  },
  {
    name: 'alloc: a constructor that refuses',
    body: both(refused, freeing),
    also: (memory) => memory.poke(REFUSING, 0),
    hooks: refusing,
  },
]

export function batchDeaths(lib: Library): readonly Scenario<undefined>[] {
  return ACTIONS.map((action) => deathScene(lib, { ...action, name: `death in ${action.name}` }))
}
