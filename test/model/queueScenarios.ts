/**
 * The four queue types, walked while they are changed; and pointers.
 *
 * What a walk may meet is said beside each reader; see queueStage.ts.
 */

import type { Item, Smr, SmrPointer } from '#src/index.ts'
import type { Memory } from '#src/memory/memory.ts'
import {
  type Hand,
  hasTail,
  KINDS,
  type Kind,
  queueScene,
  reader,
  type Scene,
  type World,
  writer,
} from './queueStage.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'
import { DOMAIN, reap, WORDS, ZONE_STAGE } from './world.ts'

export function queueScenarios(lib: Library): readonly Scenario<World>[] {
  return KINDS.flatMap((kind) => scenariosOf(lib, kind))
}

function scenariosOf(lib: Library, kind: Kind): Scenario<World>[] {
  const tail = hasTail(kind)
  const walker = (...[which, sight]: [0 | 1, Parameters<typeof reader>[4]]): Thread<World> =>
    reader(lib, kind, which === 0 ? 'reader' : 'other reader', which, sight)
  const writes = (body: (hand: Hand) => void, name = 'writer'): Thread<World> =>
    writer(lib, kind, name, body)
  const scene = (is: Scene, more: Partial<Scenario<World>> = {}): Scenario<World> =>
    queueScene(lib, kind, is, more)
  const append = (hand: Hand): void => {
    hand.queue.append(hand.other)
    hand.other.init()
    if (tail) hand.insertTail(hand.fresh(40))
    else hand.queue.insertHead(hand.fresh(5))
  }

  return [
    scene({
      name: 'walk against inserts',
      queue: [20, 30],
      threads: [
        walker(0, { must: [20, 30], may: [5, 10, 40] }),
        writes((hand) => {
          hand.queue.insertHead(hand.fresh(10))
          if (tail) hand.insertTail(hand.fresh(40))
          else hand.queue.insertHead(hand.fresh(5))
        }),
      ],
      ends: [tail ? [10, 20, 30, 40] : [5, 10, 20, 30]],
    }),
    scene({
      name: 'walk against an insert into nothing',
      queue: [],
      threads: [
        walker(0, { may: [10, 40] }),
        writes((hand) => {
          if (tail) hand.insertTail(hand.fresh(10))
          else hand.queue.insertHead(hand.fresh(10))
        }),
      ],
      ends: [[10]],
    }),
    scene({
      name: 'walk against removal of neighbours',
      queue: [10, 20, 30, 40],
      threads: [
        walker(0, { must: [10, 40], may: [20, 30] }),
        writes((hand) => {
          hand.queue.remove(hand.element(20))
          hand.queue.remove(hand.element(30))
          hand.reclaim(20, 30)
        }),
      ],
      ends: [[10, 40]],
    }),
    scene({
      name: 'walk against erasure of both ends',
      queue: [10, 20, 30],
      threads: [
        walker(0, { must: [20], may: [10, 30] }),
        writes((hand) => {
          const cursor = hand.queue.iterate()
          for (const item of cursor) {
            if (item === hand.element(20)) cursor.next()
            else cursor.erase()
          }
          hand.reclaim(10, 30)
        }),
      ],
      ends: [[20]],
    }),
    scene({
      name: 'walk against replacement of neighbours',
      queue: [10, 20, 30],
      threads: [
        walker(0, { must: [10, 20, 30] }),
        writes((hand) => {
          hand.queue.replace(hand.element(20), hand.fresh(20))
          hand.queue.replace(hand.element(30), hand.fresh(30))
          hand.reclaim(20, 30)
        }),
      ],
      ends: [[10, 20, 30]],
    }),
    scene({
      name: 'walks against append',
      queue: [10],
      other: [20, 30],
      threads: [
        walker(0, { must: [10], together: [20, 30], may: [5, 40] }),
        walker(1, { together: [20, 30], may: [40] }),
        writes(append),
      ],
      ends: [tail ? [10, 20, 30, 40] : [5, 10, 20, 30]],
    }),
    scene({
      name: 'walks against append to nothing',
      queue: [],
      other: [20, 30],
      threads: [
        walker(0, { together: [20, 30], may: [5, 40] }),
        walker(1, { must: [20, 30] }),
        writes((hand) => hand.queue.append(hand.other)),
      ],
      ends: [[20, 30]],
    }),
    scene({
      name: 'walk against a move to another queue',
      queue: [10, 20, 30],
      other: [50],
      threads: [
        // On the element that moves a reader strays: it has seen what comes before it.
        walker(0, { must: [10], may: [20, 30, 50] }),
        walker(1, { must: [50], may: [20] }),
        writes((hand) => {
          hand.queue.remove(hand.element(20))
          hand.other.insertHead(hand.element(20))
        }),
      ],
      ends: [[10, 30]],
    }),
    scene(
      {
        name: 'walk against two writers by turns',
        queue: [20, 30],
        threads: [
          walker(0, { must: [20], may: [10, 30] }),
          writes((hand) => hand.locked(() => hand.queue.insertHead(hand.fresh(10))), 'inserter'),
          writes((hand) => {
            hand.locked(() => hand.queue.remove(hand.element(30)))
            hand.reclaim(30)
          }, 'remover'),
        ],
        ends: [[10, 20]],
      },
      { rules: { bound: 2 } },
    ),
  ]
}

// ---- death ------------------------------------------------------------------------------------

export const VICTIM = 'victim'
const VICTIM_SLOT = 0

/** A writer dies with the lock; a reader walks; the heir repairs and goes on. */
export function queueDeaths(lib: Library): readonly Scenario<World>[] {
  return KINDS.flatMap((kind) =>
    actionsOf(kind).map(([name, action]) => {
      const heir = {
        ...writer(lib, kind, 'heir', (hand) => inherit(lib, kind, hand)),
        after: VICTIM,
      }
      const victim = writer(lib, kind, VICTIM, (hand) => hand.locked(() => action(hand)))
      const walker = reader(lib, kind, 'reader', 0, {
        must: [20],
        may: [1, 5, 10, 30, 40, 50, 60, 70],
      })
      return queueScene(
        lib,
        kind,
        {
          name: `death in ${name}`,
          queue: [10, 20, 30],
          other: [50, 60],
          threads: [victim, heir, walker],
          ends: [[20]],
        },
        { rules: { bound: 2 } },
      )
    }),
  )
}

function actionsOf(kind: Kind): readonly (readonly [string, (hand: Hand) => void])[] {
  const insert = (hand: Hand): void => {
    if (hasTail(kind)) hand.insertTail(hand.fresh(40))
    else hand.queue.insertHead(hand.fresh(5))
  }
  return [
    ['insert', insert],
    ['remove', (hand) => hand.queue.remove(hand.element(30))],
    ['replace', (hand) => hand.queue.replace(hand.element(30), hand.fresh(30))],
    ['append', (hand) => hand.queue.append(hand.other)],
  ]
}

/** Puts the queue right, uses it, and takes out what stands beside the middle. */
function inherit(lib: Library, kind: Kind, hand: Hand): void {
  reap(lib, hand.arena, VICTIM_SLOT)
  hand.locked(() => {
    const count = hand.queue.repair()
    if (hand.queue.check() !== count) throw new Error('repaired, and counted otherwise')
    if (hasTail(kind)) hand.insertTail(hand.fresh(70, 1))
    else hand.queue.insertHead(hand.fresh(1, 1))
    hand.queue.check()
    const cursor = hand.queue.iterate()
    for (const item of cursor) item === hand.element(20) ? cursor.next() : cursor.erase()
  })
}

// ---- pointers ---------------------------------------------------------------------------------

interface PointerWorld {
  readonly at: number
  readonly items: readonly Item[]
}

interface PointerHand extends PointerWorld {
  readonly smr: Smr
  readonly pointer: SmrPointer
}

const FRESH = 7
const REUSED = 99

export function pointerScenarios(lib: Library): readonly Scenario<PointerWorld>[] {
  const prepare = (memory: Memory, world: PointerWorld): PointerHand => ({
    ...world,
    smr: join(lib, memory).smr(DOMAIN),
    pointer: lib.pointer({ memory }, world.at),
  })
  const worker = (
    name: string,
    body: (hand: PointerHand, memory: Memory) => unknown,
  ): Thread<PointerWorld> =>
    thread({ name, prepare, body: (memory, _control, hand: PointerHand) => body(hand, memory) })
  const looker = worker('reader', ({ smr, pointer }, memory) => {
    smr.enter()
    const item = pointer.enteredLoadAssert(smr)
    if (item !== 0 && memory.peek(item) !== FRESH) throw new Error(`a reader found ${item} reused`)
    smr.exit()
  })
  const reclaim = ({ smr }: PointerHand, memory: Memory, item: Item): void => {
    const goal = smr.advance()
    while (!smr.poll(goal)) memory.pause()
    memory.poke(item, REUSED)
  }
  const item = (hand: PointerHand, i: number): Item => hand.items[i] as Item
  const made = (hand: PointerHand, i: number, memory: Memory): Item => {
    memory.poke(item(hand, i), FRESH)
    return item(hand, i)
  }
  const scene = (name: string, threads: readonly Thread<PointerWorld>[]): Scenario<PointerWorld> =>
    scenario<PointerWorld>({
      name: `pointer: ${name}`,
      words: WORDS,
      setup: (memory) =>
        raise(lib, memory, ZONE_STAGE, (arena) => {
          arena.smr(DOMAIN)
          const zone = arena.zone('words', { bytes: 16 })
          const [at, ...items] = [zone.zalloc(), zone.zalloc(), zone.zalloc(), zone.zalloc()]
          memory.poke(items[0] as Item, FRESH)
          memory.store(at as Item, items[0] as Item)
          return { at: at as Item, items }
        }),
      threads,
      final(_memory, results) {
        const replaced = results.filter((each) => typeof each === 'number')
        if (new Set(replaced).size < replaced.length) throw new Error('replaced twice')
      },
      rules: { bound: 3 },
    })
  const swapper = (i: number): Thread<PointerWorld> =>
    worker(`swapper ${i}`, (hand, memory) => {
      const old = hand.pointer.serializedSwap(made(hand, i, memory))
      reclaim(hand, memory, old)
      return old
    })

  return [
    scene('store against a reader', [
      looker,
      worker('writer', (hand, memory) => {
        const old = hand.pointer.serializedLoad()
        hand.pointer.serializedStore(made(hand, 1, memory))
        reclaim(hand, memory, old)
      }),
    ]),
    scene('clear against a reader', [
      looker,
      worker('writer', (hand, memory) => {
        hand.pointer.clearStore()
        reclaim(hand, memory, item(hand, 0))
      }),
    ]),
    scene('two swap against a reader', [looker, swapper(1), swapper(2)]),
  ]
}
