/**
 * What does it cost to find the range of an address?
 *
 * All 141,822 ranges of IPv4 addresses of a public list, by their starts; addresses by chance. The range of an
 * address is the one with the greatest start that is not behind it. The baseline shares nothing and cannot
 * change: a binary search over the starts in a `Uint32Array`. The private map in order is npm's sorted-btree.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import sorted from 'sorted-btree'
import { Arena, OrderedTable, record, u32, utf8 } from 'uma-smr'
import { time } from '../harness/measure.ts'
import type { Group, Question, Settings, Variant } from '../harness/question.ts'

const LIST = '@ip-location-db/asn-country/asn-country-ipv4-num.csv'
const OPERATIONS = 20_000

interface Range {
  start: number
  end: number
  country: string
}

const Row = record({ start: u32, end: u32, country: utf8(2) })

function ranges(): Range[] {
  const text = readFileSync(createRequire(import.meta.url).resolve(LIST), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [start, end, country = ''] = line.trim().split(',')
      return { start: Number(start), end: Number(end), country }
    })
}

/** Addresses by chance (Marsaglia's xorshift), the same ones for all. */
function addresses(): Uint32Array {
  let x = 0x9e3779b1
  return Uint32Array.from({ length: OPERATIONS }, () => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return x >>> 0
  })
}

interface Store {
  /** The end of the range, 0 for none. */
  end(address: number): number
  /** The whole range. */
  range(address: number): Range | undefined
}

function search(): Store {
  const all = ranges()
  const starts = Uint32Array.from(all, ({ start }) => start)
  const ends = Uint32Array.from(all, ({ end }) => end)
  const at = (address: number): number => {
    let low = 0
    let high = starts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((starts[middle] as number) <= address) low = middle + 1
      else high = middle
    }
    return low - 1
  }
  return { end: (address) => ends[at(address)] ?? 0, range: (address) => all[at(address)] }
}

function tree(): Store {
  const map = new sorted.default<number, Range>(ranges().map((each) => [each.start, each]))
  return {
    end: (address) => map.getPairOrNextLower(address)?.[1].end ?? 0,
    range: (address) => map.getPairOrNextLower(address)?.[1],
  }
}

function table(sections: 'fenced' | 'turn'): Store {
  const arena = Arena.create({ bytes: 2 ** 25 })
  const smr = arena.smr('ranges', { sections })
  const ordered = OrderedTable.create(arena, 'ranges', { record: Row, key: 'start', smr })
  ordered.setMany(ranges())
  const end = (item: Parameters<typeof Row.get.end>[1]): number => Row.get.end(arena, item)
  return {
    end: (address) => ordered.floorRead(address, end) ?? 0,
    range: (address) => ordered.floor(address),
  }
}

const STORES: readonly (readonly [string, () => Store])[] = [
  ['binary search', search],
  ['sorted-btree', tree],
  ['uma, turn', () => table('turn')],
  ['uma, fenced', () => table('fenced')],
]

function group(
  name: string,
  operation: string,
  loop: (store: Store, addresses: Uint32Array) => number,
): Group {
  const run = (open: () => Store) => (settings: Settings) => {
    const [store, probes] = [open(), addresses()]
    return time(settings, OPERATIONS, () => loop(store, probes))
  }
  const variants: Variant[] = STORES.map(([variant, open]) => ({ name: variant, run: run(open) }))
  return { name, operation, baseline: 'binary search', variants }
}

const question: Question = {
  name: 'nearest-key',
  asks: 'what does it cost to find the range of an address, of 141,822?',
  groups: [
    group('floor, one number', 'a range is found, and its end read', (store, all) => {
      let sum = 0
      for (const address of all) sum = (sum + store.end(address)) | 0
      return sum
    }),
    group('floor, whole record', 'a range to keep, its country looked at', (store, all) => {
      let sum = 0
      for (const address of all) sum += store.range(address)?.country.charCodeAt(0) ?? 0
      return sum
    }),
  ],
}

export default question
