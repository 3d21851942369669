/**
 * What can somebody do who chooses the keys?
 *
 * The hash of a table without a secret seed is known, and for keys of one word it can be inverted: here the
 * keys are those whose hashes are 0, 1, 2 and so on, which meet in one chain. They are put into a table that
 * has `seed: 0` and into one with the random seed that is the default; beside them as many ordinary keys.
 * The tables do not grow, so that the chosen keys stay together. One chain of n records takes n * n / 2 steps
 * to fill: 50,000 of them take some ten seconds, and are left out of a quick run.
 */
import { type HashTable, record, u32 } from 'uma-smr'
import { sink, time } from '../harness/measure.ts'
import type { Group, Outcome, Question, Settings } from '../harness/question.ts'

const COUNTS = [5000, 50_000]
const RARE = 50_000
/** Keys that are looked up, spread over all of them. */
const PROBES = 1000
const ARENA_BYTES = 2 ** 25
const NS_PER_MS = 1e6
/** Where hashes with seed 0 start, and the inverses of the factors of murmur3's fmix32 modulo 2^32. */
const START = 0x1b873593
const INVERSE_2 = 0x7ed1b41d
const INVERSE_1 = 0xa5cb9243

const Row = record({ id: u32, size: u32 })
type Fields = { id: typeof u32; size: typeof u32 }

/** What the package does not export. */
interface Inside {
  readonly parts: {
    readonly stripes: { readonly bits: number }
    readonly chains: {
      current(stripe: number): number
      firstIn(chains: number, stripe: number): number
      nodes(chains: number, from: number, to: number): Iterable<number>
    }
  }
}

/** The key that has this hash when the seed is 0. */
function keyFor(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, INVERSE_2)
  h = Math.imul(h ^ (h >>> 13) ^ (h >>> 26), INVERSE_1)
  return (h ^ (h >>> 16) ^ START) >>> 0
}

async function keysOf(count: number, areChosen: boolean): Promise<Uint32Array> {
  if (!areChosen) return Uint32Array.from({ length: count }, (_, i) => i + 1)
  const hash = await import(new URL('../../../dist/record/hash.js', import.meta.url).href)
  const keys = Uint32Array.from({ length: count }, (_, i) => keyFor(i))
  if (keys.some((key, i) => hash.hashWord(key, hash.seedsOf(0)) !== i)) {
    throw new Error('the hash has changed: invert it anew')
  }
  return keys
}

async function makeTable(count: number, seed: number | undefined) {
  const { Arena, HashTable } = await import('uma-smr')
  const arena = Arena.create({ bytes: ARENA_BYTES, maxWorkers: 2 })
  const options = { record: Row, key: 'id', capacity: count, grow: false } as const
  return HashTable.create(arena, 'keys', seed === undefined ? options : { ...options, seed })
}

function fill(table: HashTable<Fields, 'id'>, keys: Uint32Array): void {
  for (const id of keys) table.set({ id, size: 1 })
}

function longestChain(table: HashTable<Fields, 'id'>): number {
  const { chains, stripes } = (table as unknown as Inside).parts
  let longest = 0
  for (let stripe = 0; stripe < 2 ** stripes.bits; stripe++) {
    const now = chains.current(stripe)
    const end = chains.firstIn(now, stripe + 1)
    for (let i = chains.firstIn(now, stripe); i < end; i++) {
      longest = Math.max(longest, [...chains.nodes(now, i, i + 1)].length)
    }
  }
  return longest
}

interface Case {
  readonly name: string
  readonly seed?: number
  readonly areChosen: boolean
}

const CASES: readonly Case[] = [
  { name: 'ordinary keys, random seed', areChosen: false },
  { name: 'ordinary keys, seed 0', seed: 0, areChosen: false },
  { name: 'chosen keys, random seed', areChosen: true },
  { name: 'chosen keys, seed 0', seed: 0, areChosen: true },
]

async function sets(settings: Settings, count: number, { seed, areChosen }: Case) {
  const keys = await keysOf(count, areChosen)
  const times: number[] = []
  const until = performance.now() + settings.warmupMs + settings.timeMs
  while (times.length === 0 || performance.now() < until) {
    const table = await makeTable(count, seed)
    const start = performance.now()
    fill(table, keys)
    times.push(((performance.now() - start) * NS_PER_MS) / count)
    sink.value += table.size
  }
  times.sort((x, y) => x - y)
  const [best, median] = [times[0] as number, times[times.length >> 1] as number]
  return { timing: { best, median, samples: times.length } }
}

async function gets(settings: Settings, count: number, { seed, areChosen }: Case) {
  const keys = await keysOf(count, areChosen)
  const table = await makeTable(count, seed)
  fill(table, keys)
  const probes = Uint32Array.from({ length: PROBES }, (_, i) => keys[(i * 617) % count] ?? 0)
  const outcome = time(settings, PROBES, () => {
    let sum = 0
    for (const key of probes) sum += table.get(key)?.size ?? 0
    if (sum !== PROBES) throw new Error(`${PROBES - sum} keys were not found`)
    return sum
  })
  return { ...outcome, facts: { 'longest chain': longestChain(table) } }
}

function group(
  count: number,
  operation: string,
  measure: (settings: Settings, count: number, which: Case) => Promise<Outcome>,
): Group {
  const rare = count >= RARE ? { rare: true } : {}
  return {
    name: `${count.toLocaleString('en-US')} keys, ${operation}`,
    operation,
    baseline: CASES[0]?.name ?? '',
    variants: CASES.map((which) => ({
      name: which.name,
      ...rare,
      run: (settings) => measure(settings, count, which),
    })),
  }
}

const question: Question = {
  name: 'seeds',
  processes: 1,
  asks: 'what does a table cost when somebody has chosen keys that meet in one chain?',
  groups: COUNTS.flatMap((count) => [
    group(count, 'set, into a table that was empty', sets),
    group(count, 'get', gets),
  ]),
}

export default question
