/**
 * A small world in use, of which one word is about to be damaged: domains, zones, tables, queues, a
 * lock and a root, and a second worker that dies somewhere in the middle of its work. Beside it a
 * model in private memory says what every verb should answer.
 *
 * Nothing here waits for real: the worker's clock is its own, and a sleep moves it. So a time-out of
 * 30 s costs what its steps cost, and a script does the same each time.
 */

import {
  Arena,
  bytes,
  f64,
  HashTable,
  type Item,
  record,
  type SharedMemory,
  type Smr,
  SmrSList,
  SmrTailQ,
  u32,
  utf8,
  type WorkerId,
  type Zone,
} from 'uma-smr'
import {
  DepotWords,
  Entry,
  Header,
  KegWords,
  Named,
  PAGE_WORDS,
  RunKind,
  StripeWords,
  TableWords,
  tableParts,
  WorkerSlot,
  zoneParts,
} from '#src/memory/layout.ts'
import { ownerOf } from '#src/space/workers.ts'
import type { Random } from '../helpers/random.ts'

export const BYTES = 2 ** 20
const WORKERS = 3
const KEYS = 120
const ITEMS = 40
const ELEMENTS = 12
const ELSEWHERE = 7
/** Items of a zone here: a stamp, what makes a sum with it, and two links. */
const STAMP_WORDS = 6
const LINK = 2

export const Person = record({ id: u32, age: u32, name: utf8(20), weight: f64 })
export const Word = record({ text: utf8(24), count: u32, raw: bytes(6) })

type PersonTable = ReturnType<typeof openPeople>
type WordTable = ReturnType<typeof openWords>

function openPeople(arena: Arena) {
  return HashTable.open(arena, 'people', { record: Person, key: 'id' })
}

function openWords(arena: Arena) {
  return HashTable.open(arena, 'words', { record: Word, key: 'text' })
}

/** What one worker holds. */
export interface Hands {
  readonly arena: Arena
  readonly plainSmr: Smr
  readonly turnSmr: Smr
  readonly nodes: Zone
  readonly plain: Zone
  readonly people: PersonTable
  readonly words: WordTable
  readonly jobs: SmrTailQ
  readonly stack: SmrSList
}

/** What should be there. */
export interface Model {
  readonly people: Map<number, { id: number; age: number; name: string; weight: number }>
  readonly words: Map<string, { text: string; count: number; raw: Uint8Array }>
  /** Items of each zone that this worker holds, with their stamp. */
  readonly held: Map<Zone, { item: Item; stamp: number }[]>
  jobs: Item[]
  stack: Item[]
}

export interface World {
  readonly mine: Hands
  readonly dead: WorkerId
  readonly model: Model
  /** Words whose content says who has locked what. */
  readonly locks: readonly number[]
  readonly areas: readonly Area[]
  /** A stamp that no item has had yet. */
  stamp: number
}

export function sumOf(stamp: number): number {
  return Math.imul(stamp, 0x9e3779b1) | 0
}

/** Gives an item a content that can be recognised. */
export function write(arena: Arena, item: Item, stamp: number): void {
  arena.words[item] = stamp
  arena.words[item + 1] = sumOf(stamp)
}

function open(arena: Arena): Hands {
  const { words } = arena
  return {
    arena,
    plainSmr: arena.smr('readers'),
    turnSmr: arena.smr('turns'),
    nodes: arena.zone('nodes'),
    plain: arena.zone('plain'),
    people: openPeople(arena),
    words: openWords(arena),
    jobs: new SmrTailQ(arena, { head: words[arena.root('jobs')] as number, link: LINK }),
    stack: new SmrSList(arena, { head: arena.root('stack'), link: LINK }),
  }
}

/** Lets time pass without waiting: see above. */
export function ownClock(arena: Arena): void {
  const { memory } = arena
  let now = 1e6
  const sleep = (ms: number): void => {
    now += ms
  }
  Object.assign(memory, {
    now: () => {
      now += 0.001
      return now
    },
    sleep,
    wait: (_at: number, _value: number, ms: number) => sleep(ms),
    pause: () => {},
  })
}

/** Builds a world in this memory, whatever was in it before. */
export function build(memory: SharedMemory, random: Random): World {
  new Int32Array(memory.buffer).fill(0)
  const checks = random.oneIn(3)
  const intrinsics = !random.oneIn(2)
  const arena = Arena.create({ memory, maxWorkers: WORKERS, checks, intrinsics })
  ownClock(arena)
  const smr = arena.smr('readers', { sleepable: true })
  const turns = arena.smr('turns', { clock: 'lazy' })
  arena.zone('nodes', { smr, bytes: STAMP_WORDS * 4, bucket: 6, trimEveryMs: 0, sealAfterMs: 0 })
  const sizes = { bytes: 56, bucket: { min: 2, max: 8 }, sealAfterMs: 0, trimEveryMs: 0 }
  const plain = arena.zone('plain', sizes)
  arena.words[arena.root('jobs')] = plain.zalloc()
  const knobs = { capacity: KEYS, sealAfterMs: 0, trimEveryMs: 0 }
  HashTable.create(arena, 'people', { record: Person, key: 'id', smr, bucket: 5, ...knobs })
  HashTable.create(arena, 'words', { record: Word, key: 'text', smr: turns, ...knobs })
  const mine = open(arena)
  mine.jobs.init()
  mine.stack.init()
  const model: Model = {
    people: new Map(),
    words: new Map(),
    held: new Map([mine.nodes, mine.plain].map((zone) => [zone, []])),
    jobs: [],
    stack: [],
  }
  const locks = lockWords(arena)
  const world: World = { mine, dead: 0 as WorkerId, model, locks, areas: [], stamp: 1 }
  populate(world, random)
  const areas = areasOf(mine)
  const dead = dieInTheMiddle(arena, random, world.locks)
  return { ...world, dead, areas }
}

function populate(world: World, random: Random): void {
  const { mine, model } = world
  for (let n = 0; n < 2 * KEYS; n++) {
    const id = random.below(KEYS)
    setPerson(world, id, random)
    if (random.oneIn(4)) {
      const gone = random.below(KEYS)
      mine.people.delete(gone)
      model.people.delete(gone)
    }
    if (random.oneIn(2)) setWord(world, `word ${random.below(KEYS / 2)}`, random)
  }
  for (let n = 0; n < 3 * ITEMS; n++) {
    for (const zone of [mine.nodes, mine.plain]) {
      if (random.oneIn(3)) free(world, zone, random)
      else allocate(world, zone)
    }
  }
  for (let n = 0; n < ELEMENTS; n++) {
    for (const [queue, list] of [
      [mine.jobs, model.jobs],
      [mine.stack, model.stack],
    ] as const) {
      const item = mine.nodes.zallocSmr()
      write(mine.arena, item, world.stamp++)
      queue.insertHead(item)
      list.unshift(item)
    }
  }
  if (random.oneIn(2)) mine.people.resize(KEYS * 3)
}

export function setPerson({ mine, model }: World, id: number, random: Random): void {
  const person = { id, age: random.below(99), name: `no. ${random.below(1e6)}`, weight: id / 7 }
  mine.people.set(person)
  model.people.set(id, person)
}

export function setWord({ mine, model }: World, text: string, random: Random): void {
  const raw = new Uint8Array(random.below(7)).fill(random.below(256))
  const word = { text, count: random.below(1000), raw }
  mine.words.set(word)
  model.words.set(text, word)
}

/** Whether the zone's item was nobody else's, as far as the model knows. */
export function allocate(world: World, zone: Zone): boolean {
  const { mine, model } = world
  const item = zone === mine.plain ? zone.zalloc() : zone.zallocSmr()
  const held = model.held.get(zone) ?? []
  const known = held.some((each) => each.item === item) || model.jobs.includes(item)
  const stamp = world.stamp++
  write(mine.arena, item, stamp)
  held.push({ item, stamp })
  return !known && Number.isInteger(item) && !model.stack.includes(item)
}

/** Whether the item still held what its owner had written. */
export function free({ mine, model }: World, zone: Zone, random: Random): boolean {
  const held = model.held.get(zone) ?? []
  const [it] = held.splice(random.below(held.length), 1)
  if (it === undefined) return true
  const { words } = mine.arena
  const whole = words[it.item] === it.stamp && words[it.item + 1] === sumOf(it.stamp)
  if (zone === mine.plain) zone.zfree(it.item)
  else zone.zfreeSmr(it.item)
  return whole
}

/** Another worker does a little of everything, and stops. Returns its name. */
function dieInTheMiddle(arena: Arena, random: Random, locks: readonly number[]): WorkerId {
  const it = Arena.attach(arena.handle, { intrinsics: false })
  ownClock(it)
  const hands = open(it)
  for (let n = random.below(20); n > 0; n--) {
    const item = hands.nodes.zallocSmr()
    if (random.oneIn(2)) hands.nodes.zfreeSmr(item)
    const other = hands.plain.zalloc()
    if (random.oneIn(2)) hands.plain.zfree(other)
  }
  if (random.oneIn(2)) hands.plainSmr.enter()
  if (random.oneIn(2)) it.space.pages.reserve(1 + random.below(3 * PAGE_WORDS))
  for (let n = random.below(3); n > 0; n--) {
    const at = locks[random.below(locks.length)] as number
    if (!it.space.locks.holds(at)) it.space.locks.lock(at, 'a lock that dies')
  }
  // To its reaper it lives in another thread.
  const slot = arena.memory.peek(Header.workersAt) + it.space.slot * WorkerSlot.WORDS
  arena.memory.store(slot + WorkerSlot.owner, ownerOf(it.space.generation, ELSEWHERE))
  return it.workerId
}

function lockWords(arena: Arena): number[] {
  const { memory, space } = arena
  const all: number[] = [Header.directoryLock, Header.pageLock]
  for (const { kind, address } of space.directory.list()) {
    if (kind === Named.zone) {
      const parts = zoneParts(address, space.maxWorkers)
      all.push(parts.keg + KegWords.lock, parts.buckets + KegWords.lock)
      all.push(parts.depot + DepotWords.lock)
    } else if (kind === Named.table) {
      const stripeBits = memory.peek(address + TableWords.stripeBits)
      const { stripes, versions } = tableParts(address, stripeBits)
      all.push(address + TableWords.resizing)
      for (let at = stripes; at < versions; at += StripeWords.WORDS) all.push(at + StripeWords.lock)
    }
  }
  return all
}

// ---- where words are ------------------------------------------------------------------------

/** Words of one sort, by the number of each. */
export interface Area {
  readonly name: string
  readonly size: number
  at(index: number): number
}

const stretch = (name: string, from: number, words: number): Area => ({
  name,
  size: words,
  at: (index) => from + index,
})

const pieces = (name: string, bases: readonly number[], from: number, words: number): Area => ({
  name,
  size: bases.length * words,
  at: (index) => (bases[Math.floor(index / words)] as number) + from + (index % words),
})

/** Every sort of word of a world. */
function areasOf(mine: Hands): Area[] {
  const { memory, space } = mine.arena
  const names = space.directory.list()
  const runs = space.pages.runs()
  const of = (kind: number): number[] =>
    runs.filter((run) => run.state === 'used' && run.who === kind).map((run) => run.base)
  const freeRuns = runs.filter((run) => run.state === 'free').map((run) => run.base)
  const entries = names.map((each) => each.entry)
  const slabs = of(RunKind.slab)
  const zones = [mine.nodes, mine.plain, mine.people.zone, mine.words.zone]
  const buckets = zones.flatMap(({ parts }) => parts.buckets.keg.itemsOut())
  const items = zones.flatMap(({ parts }) => parts.keg.itemsOut())
  const domains = of(RunKind.domain)
  const shape = mine.nodes.parts.keg.shape
  const areas = [
    stretch('header', Header.magic, Header.WORDS - Header.magic),
    stretch('worker slots', memory.peek(Header.workersAt), WORKERS * WorkerSlot.WORDS),
    pieces('directory', entries, 0, Entry.WORDS),
    stretch('page table', memory.peek(Header.pageTableAt), memory.peek(Header.brk)),
    pieces('domain', domains, 0, 5 * 16),
    pieces('zone', of(RunKind.zone), 0, zoneParts(0, WORKERS).schema),
    pieces('bucket', buckets, 0, 16),
    pieces('slab', slabs, 0, shape.itemsAt),
    pieces('record', items, 0, STAMP_WORDS + 4),
    pieces('table', of(RunKind.table), 0, tableParts(0, 4).versions),
    pieces('chains', of(RunKind.chains), 0, KEYS),
    pieces('free run', freeRuns, 0, 2),
  ]
  return areas.filter(({ size }) => size > 0)
}
