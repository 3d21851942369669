/**
 * Reaping that is not undisturbed: another worker resizes the table meanwhile, or the reaper dies.
 */

import { Header } from '#src/memory/layout.ts'
import type { Scenario, Thread } from './scenario.ts'
import type { Library } from './stage.ts'
import { type Death, deathScene, reap, rescue, VICTIM } from './tableDeathStage.ts'
import { grown } from './tableDeaths.ts'
import { holds } from './tableScenarios.ts'
import {
  FEW_CHAINS,
  type Hand,
  KEY,
  MORE_CHAINS,
  member,
  put,
  scene,
  type TableWorld,
} from './tableStage.ts'

const { a, b, c, d } = KEY

/** Nothing but a reaper and a resizer, so that all their interleavings can be had. */
export function reapedDuringResize(lib: Library): Scenario<TableWorld> {
  const grow = { dies: ({ table }: Hand) => table.resize(MORE_CHAINS) }
  return {
    ...deathScene(lib, 'death in grow, reaped while another resizes', grow),
    threads: [
      member(lib, 'victim', grow.dies),
      member(lib, 'rescuer', (hand) => reap(lib, hand, VICTIM), 'victim'),
      member(lib, 'resizer', ({ table }) => table.resize(2 * MORE_CHAINS), 'victim'),
    ],
    rules: { sample: { schedules: 500, depth: 5 } },
  }
}

/**
 * Whoever was reaped had nothing in its hands; so the sweep for what leads nowhere is alone with a
 * resize, and all their interleavings can be had in the tests as well.
 */
export function sweptDuringResize(lib: Library): Scenario<TableWorld> {
  return scene(lib, 'a sweep beside a resize', {
    // With a third record their stripe has got an array of its own.
    capacity: 4,
    grow: true,
    holds: [
      [b, 1],
      [c, 1],
      [d, 1],
    ],
    threads: [
      member(lib, 'gone', () => {}),
      member(lib, 'sweeper', (hand) => {
        // Somebody has left something half made: without that nobody sweeps.
        hand.memory.store(Header.unswept, 1)
        reap(lib, hand, VICTIM)
      }),
      member(lib, 'resizer', ({ table }) => table.resize(FEW_CHAINS)),
    ],
    rules: { bound: 2 },
  })
}

/** Two deaths: the victim's, and that of the rescuer, who is rescued in turn. */
export function twoDeaths(lib: Library): Scenario<TableWorld> {
  const first = {
    capacity: 8,
    grow: true,
    before: grown,
    dies: ({ table }: Hand) => table.resize(FEW_CHAINS),
    next: ({ table }: Hand) => table.resize(2 * MORE_CHAINS),
  }
  return rescuedTwice(lib, 'death in shrink, then death of the rescuer in resize', first, [
    rescue(lib, first),
  ])
}

/** The same in a write: what the victim had in its hands is settled by two. */
export function twoDeathsInWrites(lib: Library): readonly Scenario<TableWorld>[] {
  const replace = {
    bucket: 1,
    dies: ({ table }: Hand) => put(table, a, 2),
    versions: [1, 2],
  }
  return [
    rescuedTwice(lib, 'death in replace, then death of the reaper', replace, [
      member(lib, 'rescuer', (hand) => reap(lib, hand, VICTIM), 'victim'),
    ]),
  ]
}

function rescuedTwice(
  lib: Library,
  name: string,
  first: Death,
  rescuers: readonly Thread<TableWorld>[],
): Scenario<TableWorld> {
  return {
    ...deathScene(lib, name, first),
    threads: [
      member(lib, 'victim', first.dies),
      ...rescuers,
      member(
        lib,
        'second rescuer',
        (hand) => {
          reap(lib, hand, 0)
          reap(lib, hand, 1)
          table(hand)
        },
        'rescuer',
      ),
    ],
    rules: { bound: 0, maxVerbs: 20_000 },
  }

  function table({ arena, table: rows }: Hand): void {
    holds(rows, [b, 1], [d, 1])
    rows.resize(FEW_CHAINS)
    put(rows, c, 8)
    holds(rows, [b, 1], [c, 8], [d, 1])
    arena.detach()
  }
}
