/**
 * Whole allocations and frees of the shipped zone, by two and three workers at once.
 *
 * Limits are so small that no scenario ends before buckets have been retired, polled and taken
 * again: a reader that still looks is then detected by the race (see zoneStage.ts).
 */

import type { RunTimeOptions } from '#src/index.ts'
import {
  aging,
  both,
  churning,
  freeing,
  insisting,
  leaving,
  otherZone,
  plainly,
  reclaiming,
  sealing,
  straying,
  taking,
  tuning,
  unlinking,
} from './actions.ts'
import type { Scenario } from './scenario.ts'
import type { Library } from './stage.ts'
import { CHECKED_STAGE, WRAP_STAGE } from './world.ts'
import {
  type Body,
  lifelong,
  reading,
  replacing,
  replacingBoth,
  type Small,
  watching,
  worker,
  zoneScene,
} from './zoneStage.ts'

/** Two who insist would wake each other for ever, and a schedule that is not fair might let them. */
const PATIENCE = 3
const SMALLER: RunTimeOptions = { bucket: 1, advanceEvery: 2, depot: 0 }
const LARGER: RunTimeOptions = { bucket: 2, advanceEvery: 1, depot: 100 }

/** Scenarios that a bound of 2 finishes within seconds. */
export function zoneScenarios(lib: Library): readonly Scenario<undefined>[] {
  const of = (name: string, number: number, body: Body, first?: Body) =>
    worker(lib, name, number, body, first === undefined ? {} : { first })
  const watched = (name: string, number: number, body: Body) =>
    worker(lib, name, number, body, { hooks: watching })
  const reader = (times = 1) => of('reader', 0, reading(times, 0))
  const one: Small = { heads: [0], zone: { limit: 4 } }
  const scene = (
    name: string,
    threads: Scenario<undefined>['threads'],
    small: Small,
    more: Partial<Scenario<undefined>> = {},
  ) => zoneScene(lib, name, threads, small, more)

  const plain = (name: string, bucket: number): Scenario<undefined> =>
    scene(name, [of('one', 0, plainly(3, 2)), of('other', 1, plainly(3, 2))], {
      zone: { limit: 4, bucket },
      plain: true,
    })

  return [
    scene('recycling under a reader', [reader(), of('writer', 1, replacing(5, 0))], one),
    scene('recycling under a reader, checked', [reader(), of('writer', 1, replacing(5, 0))], {
      ...one,
      stage: CHECKED_STAGE,
    }),
    scene('recycling under a reader, buckets of 1', [reader(), of('writer', 1, replacing(4, 0))], {
      ...one,
      zone: { limit: 3, bucket: 1 },
    }),
    scene(
      'batches under a reader',
      [of('reader', 0, reading(1, 0, 1)), of('writer', 1, replacingBoth(3))],
      { heads: [0, 1], zone: { limit: 6 } },
    ),
    scene(
      'retire against refill',
      [of('freer', 0, freeing, taking(4)), of('taker', 1, taking(4))],
      { zone: { limit: 5 } },
    ),
    scene('depot full and empty', [of('one', 0, churning(3, 1)), of('other', 1, churning(3, 1))], {
      zone: { limit: 3, bucket: 1 },
    }),
    scene(
      'seal, then reuse',
      [reader(), of('freer', 1, both(unlinking, sealing)), of('taker', 2, insisting)],
      { ...one, zone: { limit: 1 } },
      { rules: { bound: 1 } },
    ),
    scene(
      'seal, then reuse, two threads',
      [reader(2), of('freer', 1, both(unlinking, sealing, insisting))],
      { ...one, zone: { limit: 1 } },
      { rules: { bound: 3 } },
    ),
    scene(
      'detach with buckets',
      [reader(), of('leaver', 1, both(unlinking, leaving)), of('taker', 2, insisting)],
      { ...one, zone: { limit: 1 } },
      { rules: { bound: 1 } },
    ),
    scene(
      'slabs come and go',
      [
        of('churner', 0, churning(2, 2)),
        of('reclaimer', 1, both(churning(1, 1), reclaiming('all'))),
      ],
      { zone: { limit: 4 } },
    ),
    scene(
      'drain under a reader',
      [reader(), of('drainer', 1, both(unlinking, reclaiming('drain'), taking(1)))],
      { ...one, zone: { limit: 1 } },
    ),
    scene(
      'trim against refill',
      [
        of('churner', 0, churning(2, 2)),
        of('trimmer', 1, both(reclaiming('trim'), reclaiming('trim'))),
      ],
      { zone: { limit: 4 } },
    ),
    scene(
      'a flush is asked for',
      [of('hoarder', 0, churning(2, 2), churning(1, 2)), of('beggar', 1, taking(3))],
      { zone: { limit: 4 } },
    ),
    scene(
      'destructors',
      [watched('reader', 0, reading(1, 0)), watched('writer', 1, replacing(4, 0))],
      { ...one, zone: { limit: 3, bucket: 1 }, hooks: watching },
    ),
    scene(
      'destructors, checked',
      [watched('one', 1, churning(2, 1)), watched('other', 2, churning(2, 2))],
      { zone: { limit: 3 }, hooks: watching, stage: CHECKED_STAGE },
    ),
    scene(
      'two writers and a reader',
      [
        of('reader', 0, reading(1, 0, 1)),
        of('one', 1, both(replacing(3, 0, PATIENCE), leaving)),
        of('other', 2, both(replacing(3, 1, PATIENCE), leaving)),
      ],
      { heads: [0, 1], zone: { limit: 6 } },
      { rules: { bound: 1 } },
    ),
    scene('recycling under a reader, paced', [reader(), of('writer', 1, replacing(5, 0))], {
      ...one,
      zone: { limit: 5, bucket: 1, advanceEvery: 2 },
    }),
    scene(
      "another's bucket is not due",
      [of('freer', 0, freeing, taking(2)), of('taker', 1, insisting)],
      { zone: { limit: 2, bucket: 1, advanceEvery: 4096 } },
    ),
    scene(
      'retire against refill, paced',
      [of('freer', 0, freeing, taking(4)), of('taker', 1, taking(4))],
      { zone: { limit: 5, advanceEvery: 2 } },
    ),
    scene('buckets grow', [of('one', 0, churning(2, 2)), of('other', 1, freeing, taking(3))], {
      zone: { limit: 6, bucket: { min: 1, max: 2 } },
    }),
    scene(
      'knobs are turned',
      [
        of('one', 0, churning(2, 2)),
        of('other', 1, both(tuning(SMALLER), taking(2), tuning(LARGER), freeing)),
      ],
      { zone: { limit: 6, bucket: { min: 1, max: 2 } } },
      { rules: { bound: 1 } },
    ),
    scene(
      'the limit falls and rises',
      [
        of('one', 0, churning(1, 1)),
        of('other', 1, both(tuning({ limit: 1 }), freeing, tuning({ limit: 2 })), taking(2)),
      ],
      { zone: { limit: 3, bucket: 1 } },
      { rules: { bound: 1 } },
    ),
    scene(
      "another zone's item",
      [
        of('stray', 0, straying(1), otherZone),
        of('churner', 1, both(churning(1, 1), reclaiming('all'))),
      ],
      { zone: { limit: 4 } },
      { rules: { bound: 1 } },
    ),
    scene(
      'an age is over',
      [reader(), of('freer', 1, both(unlinking, aging)), of('taker', 2, insisting)],
      { ...one, zone: { limit: 1 } },
      { rules: { bound: 1 } },
    ),
    scene(
      'a depot with a limit',
      [reader(), of('one', 1, churning(3, 1)), of('other', 2, replacing(2, 0, PATIENCE))],
      { ...one, zone: { limit: 5, bucket: 1, depot: 0 } },
      { rules: { bound: 1 } },
    ),
    plain('plain items change hands', 2),
    plain('plain items change hands, buckets of 1', 1),
  ]
}

/** Too large to be finished: sampled. Everybody does a bit of everything. */
export function zoneMixtures(lib: Library): readonly Scenario<undefined>[] {
  const sampled = { rules: { sample: { schedules: 1000, depth: 5 } } }
  const mixture = (name: string, bodies: readonly Body[], small: Small): Scenario<undefined> => {
    const more = small.hooks === undefined ? {} : { hooks: small.hooks }
    const threads = bodies.map((body, i) => worker(lib, `worker ${i}`, i, body, more))
    return zoneScene(lib, name, threads, { ...small, laws: { thorough: true } }, sampled)
  }
  const two = { heads: [0, 1] } as const
  const mixed: readonly Body[] = [
    both(reading(2, 0, 1), churning(2, 2), reading(1, 0)),
    both(replacing(3, 0, PATIENCE), sealing, replacing(2, 0, PATIENCE), reclaiming('trim')),
    both(replacing(3, 1, PATIENCE), reclaiming('all'), replacing(1, 1, PATIENCE), leaving),
  ]
  const plain: readonly Body[] = [
    both(plainly(2, 3), reclaiming('all')),
    both(plainly(3, 2), reclaiming('trim'), plainly(1, 2)),
    both(plainly(2, 2), leaving),
  ]
  return [
    mixture('three workers', mixed, { ...two, zone: { limit: 12 } }),
    mixture('three workers, checked', mixed, { ...two, zone: { limit: 12 }, stage: CHECKED_STAGE }),
    mixture('three workers, buckets of 1', mixed, { ...two, zone: { limit: 9, bucket: 1 } }),
    mixture('three workers, all hooks', mixed, { ...two, zone: { limit: 12 }, hooks: lifelong }),
    mixture('three workers at the wrap', mixed, { ...two, zone: { limit: 12 }, stage: WRAP_STAGE }),
    mixture('three workers, plain', plain, { plain: true, zone: { limit: 9 } }),
    mixture('three workers, plain, all hooks', plain, {
      plain: true,
      zone: { limit: 9 },
      hooks: lifelong,
    }),
  ]
}
