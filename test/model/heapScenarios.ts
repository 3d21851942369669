/**
 * Heaps: sizes that two want first, large blocks under readers and in two hands; deaths and
 * exceptions in all of it. What the zones below do is explored in zoneScenarios.ts.
 */

import {
  BLOCKS,
  type HeapAction,
  type HeapBody,
  type HeapWorker,
  heapDeath,
  heapScene,
  heapThread,
  heapThrow,
  LARGE,
  SMALL_BLOCK,
} from './heapStage.ts'
import type { Scenario } from './scenario.ts'
import type { Library } from './stage.ts'
import { DOMAIN, reap } from './world.ts'

const times =
  (count: number, body: HeapBody): HeapBody =>
  (it) => {
    for (let i = 0; i < count; i++) body(it)
  }
const reading = (count: number): HeapBody => times(count, (it) => it.look())
/** Patient when readers hold everything back. */
const replacing = (count: number, bytes: number): HeapBody =>
  times(count, (it) => {
    while (!it.replace(bytes)) it.memory.pause()
  })
/** As often as that, if there is one. */
const churning = (count: number, bytes: number): HeapBody =>
  times(count, (it) => {
    if (it.take(bytes)) it.drop()
  })
const dropping = (it: HeapWorker): void => void it.drop()
const taking =
  (bytes: number): HeapBody =>
  (it) =>
    void it.take(bytes)

export function heapScenarios(lib: Library): readonly Scenario<undefined>[] {
  const of = (name: string, number: number, body: HeapBody, first?: HeapBody) =>
    heapThread(lib, name, number, body, first === undefined ? {} : { first })
  return [
    heapScene(
      lib,
      'two want the first block of a size',
      [of('one', 0, taking(SMALL_BLOCK)), of('other', 1, taking(SMALL_BLOCK))],
      {},
      { rules: { bound: 1 } },
    ),
    heapScene(
      lib,
      'the first block of a size is freed by another',
      [of('one', 0, (it) => void it.replace(SMALL_BLOCK)), of('other', 1, (it) => it.unlink())],
      {},
      { rules: { bound: 1 } },
    ),
    heapScene(
      lib,
      'a large block under a reader',
      [of('reader', 0, reading(1)), of('writer', 1, replacing(3, LARGE))],
      { head: LARGE },
    ),
    heapScene(
      lib,
      'two retired large blocks, one under a reader',
      [
        of('reader', 0, reading(1)),
        of('writer', 1, (it) => {
          it.replace(LARGE)
          it.unlink()
          while (it.take(LARGE));
        }),
      ],
      { head: LARGE },
    ),
    heapScene(
      lib,
      'large blocks of two writers under a reader',
      [
        of('reader', 0, reading(1)),
        of('one', 1, replacing(1, LARGE)),
        of('other', 2, (it) => it.unlink()),
      ],
      { head: LARGE },
      { rules: { bound: 1 } },
    ),
    heapScene(
      lib,
      'large blocks change hands',
      [of('one', 0, churning(2, LARGE)), of('other', 1, churning(2, LARGE))],
      {},
    ),
    heapScene(
      lib,
      'large plain blocks change hands',
      [of('one', 0, churning(2, LARGE)), of('other', 1, churning(2, LARGE))],
      { plain: true },
    ),
  ]
}

const ACTIONS: readonly HeapAction[] = [
  {
    name: 'the first block of a size',
    bytes: SMALL_BLOCK,
    all: 3,
    // What is swept then must not be what others use.
    head: LARGE,
    body: taking(SMALL_BLOCK),
  },
  { name: 'a large alloc', bytes: LARGE, all: 2, body: taking(LARGE) },
  { name: 'a large plain alloc', bytes: LARGE, all: 2, body: taking(LARGE), plain: true },
  { name: 'a large free', bytes: LARGE, all: 2, first: taking(LARGE), body: dropping },
  {
    name: 'a large plain free',
    bytes: LARGE,
    all: 2,
    first: taking(LARGE),
    body: dropping,
    plain: true,
  },
  {
    name: 'replacing a large block',
    bytes: LARGE,
    all: 2,
    head: LARGE,
    body: times(2, (it) => void it.replace(LARGE)),
  },
]

export function heapDeaths(lib: Library): readonly Scenario<undefined>[] {
  const alone = ACTIONS.map((each) => heapDeath(lib, { ...each, name: `death in ${each.name}` }))
  return [...alone, deathInEnding(lib)]
}

export function accompaniedHeapDeaths(lib: Library): readonly Scenario<undefined>[] {
  return ACTIONS.filter(({ bytes }) => bytes === LARGE).map((each) =>
    heapDeath(lib, {
      ...each,
      name: `death beside a third in ${each.name}`,
      other: churning(1, LARGE),
    }),
  )
}

export function heapThrows(lib: Library): readonly Scenario<undefined>[] {
  return ACTIONS.map((each) => heapThrow(lib, { ...each, name: `an exception in ${each.name}` }))
}

/** A heap is there as a whole, or gone, and its name can be used. */
function deathInEnding(lib: Library): Scenario<undefined> {
  const used: HeapBody = (it) => {
    for (const bytes of [SMALL_BLOCK, LARGE]) churning(1, bytes)(it)
  }
  return heapScene(
    lib,
    'death in ending a heap',
    [
      heapThread(lib, 'victim', 0, ({ heap }) => heap.destroy({ timeoutMs: 0 }), { first: used }),
      heapThread(
        lib,
        'heir',
        1,
        ({ arena }) => {
          reap(lib, arena, 0)
          const heap = arena.heap(BLOCKS, { smr: arena.smr(DOMAIN) })
          for (const bytes of [SMALL_BLOCK, LARGE, LARGE]) heap.freeSmr(heap.allocSmr(bytes))
        },
        { after: 'victim' },
      ),
    ],
    { thorough: true },
    { rules: { bound: 0, maxVerbs: 30_000 } },
  )
}
