/**
 * Death in what the arena does: attaching, making and ending named things, locks, pages - and in
 * reaping itself, where the reaper dies as well and a third worker starts over.
 */

import type { Arena, Item, Zone } from '#src/index.ts'
import { RunKind } from '#src/memory/layout.ts'
import type { Memory } from '#src/memory/memory.ts'
import { both, freeing, taking } from './actions.ts'
import { HEIR, VICTIM, work } from './deathStage.ts'
import type { Kill } from './rules.ts'
import { type Scenario, scenario, type Thread, thread } from './scenario.ts'
import { join, type Library, raise } from './stage.ts'
import { boardAt, checkArena, endTurn, type Laws, reap, WORDS, ZONE_STAGE } from './world.ts'
import { type Body, reading, watching, worker, zoneScene } from './zoneStage.ts'

const COUNTER = boardAt(0)
const TARGETS = [boardAt(1), boardAt(2)] as const

export interface ArenaAction {
  readonly name: string
  /** Before anybody dies: by one who leaves, and by the victim and the heir. */
  readonly setup?: (arena: Arena) => void
  readonly first?: (arena: Arena) => void
  readonly body: (arena: Arena, memory: Memory) => void
  /** Items that may be in the victim's hands when it dies. */
  readonly mayLeak?: number
  /** It takes a lock of the user's: one that a call has left locked is had again after the turn. */
  readonly leavesLocked?: boolean
  /** What the heir looks at when the dead one's locks are anybody's, and nothing is tidied up yet. */
  readonly before?: (arena: Arena, memory: Memory) => void
  /** What the heir does when it has reaped the victim; again, to see that nothing stands in the way. */
  readonly again?: (arena: Arena, memory: Memory) => void
}

const zoneOf = (arena: Arena) => arena.zone('new', { bytes: 512, bucket: 2, smr: arena.smr('own') })

/** One record, made and freed. */
function useZone(arena: Arena): void {
  const zone = zoneOf(arena)
  zone.zfreeSmr(zone.zallocSmr())
}

function otherZone(arena: Arena): Zone {
  return arena.zone('other', { bytes: 512, bucket: 2 })
}

/** All named things are gone: so is every run that is in use. */
function noRunIsLost(arena: Arena): void {
  const used = arena.space.pages.runs().filter(({ state }) => state === 'used')
  if (used.length > 0) throw new Error(`${used.length} runs are nobody's`)
}

/** Ends it as often as somebody has left it. */
function endZone(arena: Arena): void {
  zoneOf(arena).destroy({ timeoutMs: 0 })
}

const idleZone = (arena: Arena) =>
  arena.zone('idle', { bytes: 1800, bucket: 2, trimEveryMs: 0, smr: arena.smr('own') })
const needy = (arena: Arena) => arena.zone('needy', { bytes: 800, bucket: 2 })

/** One record, which there is only if the idle zone gives up its pages. */
function takeOne(arena: Arena): void {
  const zone = needy(arena)
  const item = zone.tryZalloc()
  if (item === 0) throw new Error('the idle zone keeps its pages')
  zone.zfree(item)
}

/** A page each, as many as a second attempt needs if the first has lost all that it took. */
const pageZone = (arena: Arena) =>
  arena.zone('pages', { bytes: 4000, bucket: 4, trimEveryMs: 0, smr: arena.smr('own') })
/** More than one slab of the needy zone. */
const MANY = 6

/** So many records, which there are only if a zone of this worker's gives up what it caches. */
function takeMany(arena: Arena): void {
  const zone = needy(arena)
  const items = Array.from({ length: MANY }, () => zone.tryZalloc()).filter((item) => item !== 0)
  if (items.length < MANY) throw new Error('this worker keeps pages from itself')
  for (const item of items) zone.zfree(item)
}

/** Adds one, and says so before and after. */
function addOne(arena: Arena, memory: Memory): void {
  const counter = arena.counter('hits')
  memory.poke(COUNTER, memory.peek(COUNTER) + 1)
  counter.add(1)
  memory.poke(COUNTER + 1, memory.peek(COUNTER + 1) + 1)
}

/** What was added for certain is there, whoever added it, and no more than was begun. */
function countsAll(arena: Arena, memory: Memory): void {
  const { value } = arena.counter('hits')
  const [begun, done] = [memory.peek(COUNTER), memory.peek(COUNTER + 1)]
  if (value < done || value > begun) throw new Error(`${done} to ${begun} were added, not ${value}`)
}

/** Two plain words that the lock keeps equal. */
function count(arena: Arena, memory: Memory): void {
  arena.lock('counter').withLock((taken) => {
    const [one, other] = [memory.peek(COUNTER), memory.peek(COUNTER + 1)]
    if (one !== other && taken !== 'owner-died') throw new Error(`${one} and ${other}, and no word`)
    memory.poke(COUNTER, one + 1)
    memory.poke(COUNTER + 1, one + 1)
  })
}

export const ARENA_DEEDS: readonly ArenaAction[] = [
  {
    name: 'making a domain',
    body: (arena) => void arena.smr('new'),
    again: (arena) => void arena.smr('new').synchronize(),
  },
  {
    name: 'ending a domain',
    setup: (arena) => void arena.smr('new'),
    body: (arena) => arena.smr('new').destroy(),
    again: (arena) => arena.smr('new').destroy(),
  },
  {
    name: 'ending a domain with callbacks',
    setup: (arena) => void arena.smr('new'),
    // No turn ends here: who ends the domain runs them.
    first(arena) {
      arena.space.turn.later = () => {}
    },
    body(arena) {
      const smr = arena.smr('new')
      smr.call(() => void smr.advance())
      smr.call(() => {})
      smr.destroy()
    },
    again: (arena) => arena.smr('new').destroy(),
  },
  { name: 'making a zone', setup: (arena) => void arena.smr('own'), body: zoneOf, again: useZone },
  {
    name: 'ending a zone',
    setup: useZone,
    first(arena) {
      const zone = zoneOf(arena)
      const items = [zone.zallocSmr(), zone.zallocSmr(), zone.zallocSmr()]
      for (const item of items) zone.zfreeSmr(item)
    },
    body: endZone,
    again: (arena) => {
      useZone(arena)
      endZone(arena)
      arena.smr('own').destroy()
    },
  },
  {
    name: "taking an idle zone's pages",
    setup(arena) {
      needy(arena)
      const idle = idleZone(arena)
      const items: Item[] = []
      for (let item = idle.tryZallocSmr(); item !== 0; item = idle.tryZallocSmr()) items.push(item)
      // Beginning with the first: the last slabs become empty, the others stay part-filled.
      for (const item of items) idle.zfreeSmr(item)
    },
    body: takeOne,
    mayLeak: 1,
    again(arena) {
      takeOne(arena)
      const idle = idleZone(arena)
      idle.zfreeSmr(idle.zallocSmr())
    },
  },
  {
    name: "taking the pages that this worker's other zone caches",
    setup: (arena) => void needy(arena),
    first(arena) {
      const zone = needy(arena)
      zone.zfree(zone.zalloc())
      const mine = pageZone(arena)
      const items = Array.from({ length: 4 }, () => mine.zallocSmr())
      for (const item of items) mine.zfreeSmr(item)
    },
    // All other pages are reserved by it, until it is reaped, or its turn ends.
    body(arena) {
      // An attempt before was in another turn, and may have had what it caches.
      endTurn(arena)
      const { inFree } = pageZone(arena).parts.cache.counts()
      if (inFree > 0) while (arena.space.pages.reserve(1) !== 0) {}
      takeMany(arena)
    },
    mayLeak: MANY,
    again(arena) {
      const zone = pageZone(arena)
      zone.zfreeSmr(zone.zallocSmr())
    },
  },
  {
    name: 'ending a zone, and another is made before it is reaped',
    setup: useZone,
    first(arena) {
      const zone = zoneOf(arena)
      const items = [zone.zallocSmr(), zone.zallocSmr(), zone.zallocSmr()]
      for (const item of items) zone.zfreeSmr(item)
    },
    body: endZone,
    // Where the dead one's words were, if it had given them back.
    before: (arena) => otherZone(arena).check(),
    again(arena) {
      const zone = otherZone(arena)
      zone.check()
      zone.zfree(zone.zalloc())
      useZone(arena)
      endZone(arena)
      zone.destroy()
      arena.smr('own').destroy()
      noRunIsLost(arena)
    },
  },
  {
    name: 'making a counter, and adding to it',
    body: (arena, memory) => {
      for (let i = 0; i < 3; i++) addOne(arena, memory)
    },
    again(arena, memory) {
      countsAll(arena, memory)
      addOne(arena, memory)
      countsAll(arena, memory)
    },
  },
  { name: 'making a lock', body: (arena) => void arena.lock('counter'), again: count },
  {
    name: 'holding a lock',
    first: (arena) => void arena.lock('counter'),
    body: count,
    leavesLocked: true,
    again: count,
  },
  { name: 'taking pages', body: takePages, again: takePages },
  {
    name: 'pages with a redo record',
    body(arena) {
      const { pages } = arena.space
      const [one, other] = TARGETS
      const base = pages.allocateInto(one, 2000, RunKind.chains)
      pages.allocateInto(other, 1000, RunKind.chains)
      pages.releaseFrom(one, base)
      pages.allocateInto(one, 3000, RunKind.chains)
    },
    before(arena, memory) {
      const runs = arena.space.pages.runs().filter((run) => run.who === RunKind.chains)
      const used = runs.filter((run) => run.state === 'used').map((run) => run.base)
      const said = TARGETS.map((at) => memory.peek(at)).filter((base) => base !== 0)
      if (used.sort().join() === said.sort().join()) return
      throw new Error(`the redo records say ${said}, used are ${used}`)
    },
    again: takePages,
  },
]

function takePages(arena: Arena): void {
  const { pages } = arena.space
  const runs = [1000, 4000, 2000].map((words) => pages.reserve(words))
  for (const run of runs) if (run !== 0) pages.release(run)
}

/** Actions of the arena; kill `VICTIM`. */
export function arenaDeaths(lib: Library): readonly Scenario<undefined>[] {
  return [attaching(lib), ...ARENA_DEEDS.map((action) => arenaDeath(lib, action))]
}

function arenaDeath(lib: Library, action: ArenaAction): Scenario<undefined> {
  const { name, setup, first, body, mayLeak = 0 } = action
  const laws = { thorough: true, mayLeak }
  return arenaScene(lib, `death in ${name}`, setup, laws, [
    thread({
      name: VICTIM,
      prepare(memory: Memory, _world: undefined): Arena {
        const arena = join(lib, memory)
        first?.(arena)
        return arena
      },
      body: (memory: Memory, _control, arena: Arena) => body(arena, memory),
    }),
    heir(lib, action),
  ])
}

function heir(
  lib: Library,
  { first, before, again }: Pick<ArenaAction, 'first' | 'before' | 'again'>,
): Thread<undefined> {
  return thread({
    name: HEIR,
    after: VICTIM,
    prepare(memory: Memory, _world: undefined): Arena {
      const arena = join(lib, memory)
      first?.(arena)
      return arena
    },
    body(memory: Memory, _control, arena: Arena) {
      const { space } = arena
      const others = [0, 1, 2, 3].filter((slot) => slot !== space.slot)
      for (const slot of others) space.workers.beginReap(slot, space.locks.signature)
      before?.(arena, memory)
      for (const slot of others) reap(lib, arena, slot)
      again?.(arena, memory)
    },
  })
}

/** The heir attaches first, and finds whatever slot the victim may have claimed. */
function attaching(lib: Library): Scenario<undefined> {
  return arenaScene(lib, 'death in attaching', undefined, { thorough: true }, [
    thread({
      name: VICTIM,
      body(memory: Memory, _control, _world: undefined) {
        const arena = join(lib, memory)
        arena.smr('own').read(() => 0)
        arena.detach()
      },
    }),
    heir(lib, { again: (arena) => void arena.smr('own').synchronize() }),
  ])
}

export function arenaScene(
  lib: Library,
  name: string,
  setup: ArenaAction['setup'],
  laws: Laws,
  threads: readonly Thread<undefined>[],
): Scenario<undefined> {
  return scenario<undefined>({
    name,
    words: WORDS,
    setup(memory) {
      raise(lib, memory, ZONE_STAGE, (arena) => {
        arena.smr('own')
        setup?.(arena)
      })
      return undefined
    },
    threads,
    final: (memory) => checkArena(lib, memory, laws),
    rules: { bound: 0 },
  })
}

// ---- death in reaping -------------------------------------------------------------------------

export const REAPER = 'reaper'

/**
 * Somebody left in the middle of things (killed before its `step`-th one); a reaper sees to it, and
 * is killed as well, after each of its steps; a third worker reaps both.
 */
export function reaperDeath(
  lib: Library,
  name: string,
  first: Body,
  body: Body,
): Scenario<undefined> {
  const watched = { hooks: watching }
  const heirs: Body = (memory, hired, hand) => {
    // What the reaper had begun is nobody's any more, and nobody comes back for it by name.
    for (const slot of [0, 1]) reap(lib, hired.arena, slot)
    const left = hired.arena.space.workers.unreaped()
    if (left.length > 0) throw new Error(`slot ${left.map(({ slot }) => slot)} is left unreaped`)
    work(memory, hired, hand, false)
  }
  const reaps: Body = (memory, hired, hand) => {
    reap(lib, hired.arena, 0)
    work(memory, hired, hand, false)
  }
  return zoneScene(
    lib,
    name,
    [
      worker(lib, VICTIM, 0, body, { ...watched, first }),
      worker(lib, REAPER, 1, reaps, { ...watched, after: VICTIM }),
      worker(lib, HEIR, 2, heirs, { ...watched, after: REAPER }),
    ],
    { heads: [0], zone: { limit: 6 }, laws: { thorough: true }, hooks: watching },
    { rules: { bound: 0 } },
  )
}

/** The victim may die as well, at the step that the rules name. */
export function reaperDeaths(lib: Library): readonly Scenario<undefined>[] {
  return [
    reaperDeath(lib, 'two deaths: frees', both(taking(3)), both(freeing, taking(2))),
    reaperDeath(lib, 'two deaths: a section', both(taking(3), freeing), reading(1, 0)),
  ]
}

export function victimAt(afterStep: number): Kill {
  return { thread: VICTIM, afterStep }
}
