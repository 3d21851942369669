/**
 * The verbs of the storm: one class of verbs per victim, each done over and over until the thread is
 * terminated. What a class needs in the arena is opened by name, with the same options by everybody.
 */

import {
  Arena,
  type Handle,
  HashTable,
  type Item,
  type Smr,
  type SmrOptions,
  SmrSList,
  type Zone,
  type ZoneOptions,
} from 'uma-smr'
import type { Random } from '../helpers/random.ts'
import { Entry, entry, openTable, type Table } from './tableRecord.ts'

/** What the test tells a victim. */
export interface Fate {
  readonly handle: Handle
  readonly seed: number
  readonly verb: string
  readonly smr: SmrOptions
}

/** The verb of the worker that lives on, and the words by which the test speaks with it. */
export const SURVIVOR = 'survivor'
export const PAUSE = 'pause'
export const VIOLATIONS = 'violations'
export const KEYS = 64
/** The most items that a victim holds on to, and that a batch may have in hand. */
const MOST_HELD = 40
export const MOST_IN_HAND = 200 + MOST_HELD
export const LOCK = 'storm'
export const QUEUE_LOCK = 'queue'

/** Every zone of the storm, by name: those with `smr` are bound to the domain "storm". */
export const ZONES: Readonly<Record<string, ZoneOptions & { readonly hasSmr: boolean }>> = {
  deferred: { bytes: 24, bucket: { min: 2, max: 8 }, limit: 400, hasSmr: true },
  hooked: { bytes: 32, bucket: 4, limit: 200, hasSmr: true },
  plain: { bytes: 40, bucket: 4, limit: 300, hasSmr: false },
  big: { bytes: 3000, bucket: 2, limit: 40, hasSmr: true, sealAfterMs: 5, trimEveryMs: 20 },
}

const hook = (): void => {}

/** All that one worker opens. */
export class Stage {
  readonly arena: Arena
  readonly smr: Smr
  readonly async: Smr
  readonly table: Table
  private readonly zones = new Map<string, Zone>()

  constructor(arena: Arena, smr: SmrOptions, table: Table = openTable(arena)) {
    this.arena = arena
    this.smr = arena.smr('storm', smr)
    this.async = arena.smr('async', { sleepable: true })
    this.table = table
    for (const [name, { hasSmr, ...options }] of Object.entries(ZONES)) {
      const hooks = name === 'hooked' ? { ctor: hook, dtor: hook, init: hook, fini: hook } : {}
      const domain = hasSmr ? { smr: this.smr } : {}
      this.zones.set(name, arena.zone(name, { ...options, ...hooks, ...domain }))
    }
  }

  zone(name: string): Zone {
    return this.zones.get(name) as Zone
  }
}

export interface Cast {
  readonly stage: Stage
  readonly random: Random
  readonly fate: Fate
}

export type Verb = (cast: Cast) => void | Promise<void>

/** Takes and frees items of one zone, holding a few. */
function churn(name: string): (cast: Cast) => void {
  const held: Item[] = []
  return ({ stage, random }) => {
    const zone = stage.zone(name)
    const hasSmr = ZONES[name]?.hasSmr === true
    if (held.length === MOST_HELD || (held.length > 0 && random.oneIn(2))) {
      const item = held.splice(random.below(held.length), 1)[0] as Item
      if (hasSmr) zone.zfreeSmr(item)
      else zone.zfree(item)
      return
    }
    const item = hasSmr ? zone.tryZallocSmr() : zone.tryZalloc()
    if (item !== 0) held.push(item)
  }
}

function keyOf(random: Random): number {
  return random.below(KEYS)
}

/** A zone that comes and goes. */
function passingZone({ arena, smr }: Stage, name: string): Zone {
  return arena.zone(name, { bytes: 48, bucket: 2, smr, reserve: 4 })
}

export const VERBS: Readonly<Record<string, () => Verb>> = {
  sections:
    () =>
    ({ stage: { smr } }) => {
      smr.enter()
      smr.exit()
      smr.read(() => smr.entered)
    },
  lookups:
    () =>
    ({ stage: { table }, random }) => {
      table.has(keyOf(random))
      table.get(keyOf(random))
      table.read(keyOf(random), (item) => item)
      table.getMany([keyOf(random), keyOf(random)])
      table.hasMany([keyOf(random), keyOf(random)])
      table.readMany([keyOf(random), keyOf(random)], (item) => item)
    },
  iteration:
    () =>
    ({ stage: { table } }) => {
      for (const _ of table.entries());
      table.items()
    },
  'insert and delete':
    () =>
    ({ stage: { table }, random }) => {
      const key = keyOf(random)
      if (!table.delete(key)) table.set(entry(key, random.below(1000)))
    },
  replace:
    () =>
    ({ stage: { table }, random }) => {
      table.set(entry(keyOf(random), random.below(1000)))
    },
  resize:
    () =>
    ({ stage: { table }, random }) => {
      table.resize(16 << random.below(5), { timeoutMs: 5 })
    },
  'alloc and free': () => churn('deferred'),
  'alloc and free, hooks': () => churn('hooked'),
  'alloc and free, plain': () => churn('plain'),
  'alloc and free, large': () => churn('big'),
  batches:
    () =>
    ({ stage, random }) => {
      const zone = stage.zone('deferred')
      zone.zfreeSmrBatch(zone.zallocSmrBatch(random.below(MOST_HELD)))
    },
  'a batch that fails':
    () =>
    ({ stage }) => {
      stage.zone('hooked').zallocSmrBatch(201)
    },
  seal:
    () =>
    ({ stage, random }) => {
      const zone = stage.zone(random.oneIn(2) ? 'deferred' : 'hooked')
      const item = zone.tryZallocSmr()
      if (item !== 0) zone.zfreeSmr(item)
      zone.seal()
    },
  reclaim:
    () =>
    ({ stage, random }) => {
      const zone = stage.zone(Object.keys(ZONES)[random.below(4)] as string)
      zone.reclaim((['trim', 'drain', 'all'] as const)[random.below(3)] as 'trim', { timeoutMs: 2 })
    },
  'arena.reclaim':
    () =>
    ({ stage: { arena } }) => {
      arena.reclaim('all', { timeoutMs: 2 })
    },
  tune:
    () =>
    ({ stage, random }) => {
      const bucket = 2 + random.below(7)
      stage
        .zone('deferred')
        .tune({ bucket, advanceEvery: 1 + random.below(3), depot: random.below(64) })
    },
  'prealloc and audit':
    () =>
    ({ stage, random }) => {
      const zone = stage.zone('deferred')
      zone.prealloc(random.below(300))
      zone.stats()
    },
  'zones come and go':
    () =>
    ({ stage, random }) => {
      const zone = passingZone(stage, 'passing zone')
      if (random.oneIn(2)) zone.zfreeSmr(zone.zallocSmr())
      zone.destroy({ timeoutMs: 1 })
    },
  'domains come and go':
    () =>
    ({ stage: { arena } }) => {
      const smr = arena.smr('passing domain')
      smr.synchronize({ timeoutMs: 1 })
      smr.destroy({ timeoutMs: 1 })
    },
  'tables come': () => {
    let n = 0
    return ({ stage: { arena }, random }) => {
      const name = `passing table ${n++ % 2}`
      HashTable.create(arena, name, { record: Entry, key: 'key', capacity: 32, reserve: 4 }).set(
        entry(keyOf(random), 1),
      )
    }
  },
  'the clock':
    () =>
    ({ stage: { smr }, random }) => {
      const goal = random.oneIn(2) ? smr.advance() : smr.deferredAdvance()
      if (random.oneIn(2)) smr.commit(goal)
      smr.poll(goal)
      if (random.oneIn(4)) smr.wait(goal, { timeoutMs: 1 })
      smr.stalled(0)
    },
  'a named lock':
    () =>
    ({ stage: { arena } }) => {
      const lock = arena.lock(LOCK)
      lock.withLock(() => Atomics.add(arena.words, arena.root('counter'), 1))
      if (lock.tryLock() !== false) lock.unlock()
    },
  'a queue': () => {
    let list: SmrSList | undefined
    return ({ stage, random }) => {
      const { arena, smr } = stage
      list ??= queueOf(arena)
      arena.lock(QUEUE_LOCK).withLock(() => {
        const item = stage.zone('deferred').tryZallocSmr()
        if (item !== 0) list?.insertHead(item)
        if (random.oneIn(2)) emptyQueue(stage)
      })
      smr.read(() => list?.enteredFirst())
    }
  },
  callbacks:
    () =>
    async ({ stage: { smr, table }, random }) => {
      for (let i = 0; i < 5; i++) smr.call(() => table.has(1), { expedite: random.oneIn(3) })
      if (random.oneIn(8)) await smr.barrier({ timeoutMs: 2 })
      if (random.oneIn(8)) await smr.flush({ timeoutMs: 2 })
    },
  'async sections':
    () =>
    async ({ stage: { async } }) => {
      const tracker = async.enterSleepable('storm')
      await async.readAsync(() => Promise.resolve(), 'inner')
      async.exitSleepable(tracker)
    },
  'async waits':
    () =>
    async ({ stage, random }) => {
      const zone = stage.zone('plain')
      const item = await zone.zallocAsync({ timeoutMs: 2 })
      zone.zfree(item)
      await stage.smr.synchronizeAsync({ timeoutMs: random.below(3) })
    },
  'attach and detach':
    () =>
    ({ fate, random }) => {
      const arena = Arena.attach(fate.handle)
      const stage = new Stage(arena, fate.smr)
      if (random.oneIn(2)) stage.table.set(entry(keyOf(random), 1))
      const zone = stage.zone('deferred')
      const item = zone.tryZallocSmr()
      if (item !== 0) zone.zfreeSmr(item)
      arena.detach()
    },
  names:
    () =>
    ({ stage: { arena }, random }) => {
      arena.root(`root ${random.below(4)}`)
      arena.lock(`lock ${random.below(4)}`).tryLock() === false ||
        arena.lock(`lock ${random.below(4)}`).held
      for (let i = 0; i < 4; i++) if (arena.lock(`lock ${i}`).held) arena.lock(`lock ${i}`).unlock()
      arena.stats()
    },
}

export function queueOf(arena: Arena): SmrSList {
  return new SmrSList(arena, { head: arena.root('queue'), link: 0 })
}

/** Takes all out, with the lock held: each change is one store, so a list is whole whoever died. */
export function emptyQueue(stage: Stage): void {
  const list = queueOf(stage.arena)
  for (let item = list.serializedFirst(); item !== 0; item = list.serializedFirst()) {
    list.remove(item)
    stage.zone('deferred').zfreeSmr(item)
  }
}
