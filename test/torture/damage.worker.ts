/**
 * One worker of the damage program: for each seed a small world in use, one to three words of it
 * changed by somebody who should not, and then a script of verbs, the death of a member and its
 * reaping among them. What may come of it: right answers, wrong ones (counted), errors of ours. What
 * may not: an error of the engine's, a section or a lock that stays, a verb that does not end.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { Arena, formatStats, type SharedMemory, UmaSmrError } from 'uma-smr'
import { Random } from '../helpers/random.ts'
import {
  allocate,
  BYTES,
  build,
  free,
  ownClock,
  setPerson,
  setWord,
  sumOf,
  type World,
  write,
} from './damageWorld.ts'

export interface Task {
  readonly first: number
  readonly trials: number
  /** Word 0: the trial under way. Word 1: its verb. Word 2: how many verbs were begun. */
  readonly line: Int32Array<SharedArrayBuffer>
}

/** What became of one trial. */
export interface Outcome {
  readonly seed: number
  readonly area: string
  /** What was changed: address, before, after. */
  readonly flips: readonly (readonly number[])[]
  /** Errors of ours, by name. */
  readonly errors: readonly string[]
  /** Wrong answers before anybody was told of the damage: which verbs. */
  readonly wrong: readonly string[]
  /** What must never be. */
  readonly violations: readonly string[]
  readonly slowestMs: number
  readonly slowest: string
}

const VERBS_PER_TRIAL = 40
const SOON = { timeoutMs: 3 }

const { first, trials, line } = workerData as Task
/** One memory for all trials: a host has address space for a few only. */
const { memory } = Arena.create({ bytes: BYTES }).handle
if (memory === undefined) throw new Error('this host has no shared WebAssembly.Memory')

/** A verb says false when its answer was wrong. */
type Verb = (world: World, random: Random) => unknown

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
const any = <T>(random: Random, from: readonly T[]): T | undefined =>
  from[random.below(from.length)]

const VERBS: Readonly<Record<string, Verb>> = {
  'table.get': ({ mine, model }, random) => {
    const id = random.below(120)
    return same(mine.people.get(id), model.people.get(id))
  },
  'table.has': ({ mine, model }, random) => {
    const id = random.below(120)
    return mine.people.has(id) === model.people.has(id)
  },
  'table.get text': ({ mine, model }, random) => {
    const text = `word ${random.below(60)}`
    return same(mine.words.get(text), model.words.get(text))
  },
  'table.getMany': ({ mine, model }) => {
    const ids = Array.from({ length: 120 }, (_, id) => id)
    return same(
      mine.people.getMany(ids),
      ids.map((id) => model.people.get(id)),
    )
  },
  'table.hasMany': ({ mine, model }) => {
    const ids = Array.from({ length: 120 }, (_, id) => id)
    return same(
      mine.people.hasMany(ids),
      ids.map((id) => model.people.has(id)),
    )
  },
  'table.set': (world, random) => setPerson(world, random.below(120), random),
  'table.set text': (world, random) => setWord(world, `word ${random.below(60)}`, random),
  'table.delete': ({ mine, model }, random) => {
    const id = random.below(120)
    return mine.people.delete(id) === model.people.delete(id)
  },
  'table.delete text': ({ mine, model }, random) => {
    const text = `word ${random.below(60)}`
    return mine.words.delete(text) === model.words.delete(text)
  },
  'table.entries': ({ mine, model }) => {
    const all = [...mine.people.entries()]
    return all.length === model.people.size && all.every((it) => same(it, model.people.get(it.id)))
  },
  'table.items': ({ mine, model }) => mine.words.items().length === model.words.size,
  'table.size': ({ mine, model }) => mine.people.size === model.people.size,
  'table.resize': ({ mine }, random) => mine.people.resize(60 << random.below(5), SOON),
  'table.stats': ({ mine }) => void mine.words.stats(),
  'zone.alloc': (world, random) =>
    many(random, () => allocate(world, random.oneIn(2) ? world.mine.nodes : world.mine.plain)),
  'zone.free': (world, random) =>
    many(random, () => free(world, random.oneIn(2) ? world.mine.nodes : world.mine.plain, random)),
  'zone.batch': ({ mine }, random) => {
    const items = mine.nodes.zallocSmrBatch(random.below(30))
    mine.nodes.zfreeSmrBatch(items)
    return new Set(items).size === items.length
  },
  'zone.seal': ({ mine }) => mine.nodes.seal(),
  'zone.reclaim': ({ mine }, random) => {
    const zone = any(random, [mine.nodes, mine.plain, mine.people.zone, mine.words.zone])
    zone?.reclaim(any(random, ['trim', 'drain', 'all'] as const) ?? 'trim', SOON)
  },
  'zone.prealloc': ({ mine }, random) => mine.plain.prealloc(random.below(200)),
  'zone.check': ({ mine }, random) => {
    any(random, [mine.nodes, mine.plain, mine.people.zone])?.check()
  },
  'zone.audit': ({ mine }, random) => {
    any(random, [mine.nodes, mine.plain])?.audit([])
  },
  'zone.tune': ({ mine }, random) => mine.plain.tune({ bucket: 2 + random.below(7) }),
  'zone.new': ({ mine }, random) => {
    const zone = mine.arena.zone('new', { bytes: 8 << random.below(8), bucket: 3 })
    const items = Array.from({ length: random.below(20) }, () => zone.zalloc())
    for (const item of items) zone.zfree(item)
    zone.destroy(SOON)
    return new Set(items).size === items.length
  },
  'smr.new': ({ mine }) => {
    const smr = mine.arena.smr('new')
    smr.read(() => {})
    smr.destroy(SOON)
  },
  'smr.read': ({ mine, model }, random) => {
    const it = any(random, model.held.get(mine.nodes) ?? [])
    const whole = mine.plainSmr.read(
      () => it === undefined || mine.arena.words[it.item] === it.stamp,
    )
    return mine.turnSmr.read(() => whole)
  },
  'smr.advance': ({ mine }) => {
    mine.plainSmr.poll(mine.plainSmr.advance())
    mine.turnSmr.poll(mine.turnSmr.advance())
  },
  'smr.synchronize': ({ mine }) => void mine.plainSmr.synchronize(SOON),
  'smr.stalled': ({ mine }) => {
    mine.plainSmr.stalled(0)
    mine.plainSmr.stats()
  },
  'queue.walk': ({ mine, model }) => {
    const seen = mine.plainSmr.read(() => [...mine.jobs.entered()])
    return same(seen, model.jobs) && same([...mine.stack.serialized()], model.stack)
  },
  'queue.safe': ({ mine, model }) => same([...mine.jobs.serializedSafe()], model.jobs),
  'queue.insert': (world) => {
    const { mine, model } = world
    const item = mine.nodes.zallocSmr()
    write(mine.arena, item, world.stamp++)
    const other = mine.nodes.zallocSmr()
    write(mine.arena, other, world.stamp++)
    mine.jobs.insertTail(item)
    model.jobs.push(item)
    mine.stack.insertHead(other)
    model.stack.unshift(other)
    return sumOf(world.stamp - 1) === mine.arena.words[other + 1]
  },
  'queue.remove': ({ mine, model }, random) => {
    const item = any(random, model.stack)
    if (item !== undefined) {
      mine.stack.remove(item)
      model.stack = model.stack.filter((each) => each !== item)
      mine.nodes.zfreeSmr(item)
    }
    const job = model.jobs[0]
    if (job === undefined) return
    mine.jobs.remove(job)
    model.jobs.shift()
    mine.nodes.zfreeSmr(job)
  },
  'queue.iterate': ({ mine, model }) => {
    const cursor = mine.jobs.iterate()
    let count = 0
    for (const _ of cursor) {
      cursor.next()
      count++
    }
    return count === model.jobs.length
  },
  'queue.check': ({ mine, model }) =>
    mine.jobs.check() === model.jobs.length && mine.stack.check() === model.stack.length,
  'queue.repair': ({ mine, model }) => mine.jobs.repair() === model.jobs.length,
  'lock.withLock': ({ mine }) => mine.arena.lock('lock').withLock(() => {}, SOON),
  'arena.stats': ({ mine }) => void formatStats(mine.arena.stats()),
  'arena.reap': ({ dead, mine }) => void mine.arena.reap(dead),
  'arena.attach': ({ mine }) => {
    const other = Arena.attach(mine.arena.handle)
    ownClock(other)
    other.zone('nodes').zfreeSmr(other.zone('nodes').zallocSmr())
    other.detach()
  },
}

const NAMES = Object.keys(VERBS)

function many(random: Random, verb: () => boolean): boolean {
  let right = true
  for (let n = 1 + random.below(20); n > 0; n--) right = verb() && right
  return right
}

/** Some value that a word may have by mistake. */
function nonsense(random: Random, words: Int32Array, was: number): number {
  switch (random.below(8)) {
    case 0:
    case 1:
      return was ^ (1 << random.below(32))
    case 2:
      return random.next() | 0
    case 3:
      return 0
    case 4:
      return -1 - random.below(3)
    case 5:
      return random.below(words.length) & ~1
    case 6:
      return words[random.below(words.length / 4)] as number
    default:
      return was + (random.oneIn(2) ? 1 : -1)
  }
}

function trial(seed: number): Outcome {
  const random = new Random(seed)
  const world = build(memory as SharedMemory, random)
  const { arena } = world.mine
  const { words } = arena
  const { areas } = world
  const area = areas[random.below(areas.length)] as (typeof areas)[number]
  const flips: number[][] = []
  for (let n = random.oneIn(3) ? 3 : 1; n > 0; n--) {
    const at = area.at(random.below(area.size))
    const was = words[at] as number
    const is = nonsense(random, words, was)
    words[at] = is
    flips.push([at, was, words[at] as number])
  }
  const touched = new Set(flips.map(([at]) => at))
  const errors = new Set<string>()
  const wrong = new Set<string>()
  const violations: string[] = []
  let slowestMs = 0
  let slowest = ''
  let told = false
  const run = (name: string, verb: () => unknown): void => {
    Atomics.store(line, 1, NAMES.indexOf(name))
    Atomics.add(line, 2, 1)
    const start = performance.now()
    try {
      const right = verb()
      if (right === false && !told) wrong.add(name)
    } catch (error) {
      if (error instanceof UmaSmrError) {
        errors.add(error.name)
        told = true
      } else violations.push(`${name}: ${(error as Error)?.stack ?? String(error)}`)
    }
    const ms = performance.now() - start
    if (ms > slowestMs) {
      slowestMs = ms
      slowest = name
    }
    if (!arena.space.isOpen) return
    for (const smr of [world.mine.plainSmr, world.mine.turnSmr]) {
      if (smr.entered) {
        violations.push(`${name}: leaves a section of ${smr.name} open`)
        smr.exit()
      }
    }
    for (const at of world.locks) {
      if (touched.has(at) || !arena.space.locks.holds(at)) continue
      violations.push(`${name}: leaves the lock at ${at} held`)
      arena.space.locks.abandon(at)
    }
  }
  const reapAt = random.below(VERBS_PER_TRIAL)
  for (let n = 0; n < VERBS_PER_TRIAL; n++) {
    const name = n === reapAt ? 'arena.reap' : (NAMES[random.below(NAMES.length)] as string)
    run(name, () => VERBS[name]?.(world, random))
  }
  run('arena.stats', () => VERBS['arena.stats']?.(world, random))
  run('arena.detach', () => arena.detach())
  const list = { errors: [...errors], wrong: [...wrong], violations }
  return { seed, area: area.name, flips, ...list, slowestMs, slowest }
}

for (let seed = first; seed < first + trials; seed++) {
  Atomics.store(line, 0, seed)
  parentPort?.postMessage(trial(seed))
}
