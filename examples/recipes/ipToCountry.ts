/**
 * From an address to a country: all 210,190 ranges of IPv4 and IPv6 addresses of a public list, in two ordered
 * tables that all workers share. The range of an address is the one with the greatest start that is not behind
 * it: `floor`.
 *
 *     npm run build && node build/examples/recipes/ipToCountry.js
 *
 * Two workers look up addresses by chance and compare each answer with a list of their own. Meanwhile the main
 * thread replaces the ranges of whole /16 blocks: it splits each in two, and joins them again at its next visit.
 * It puts the upper half before it cuts the lower one, and joins before it deletes: so at any moment the range
 * that `floor` finds is the right one. IPv4 addresses are u32 keys, those of IPv6 16 bytes: both compare as
 * addresses do.
 */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setImmediate as turn } from 'node:timers/promises'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Arena, bytes, type Item, OrderedTable, record, u32, utf8 } from 'uma-smr'

const V4 = record({ start: u32, end: u32, country: utf8(2), split: u32 })
const V6 = record({ start: bytes(16), end: bytes(16), country: utf8(2) })
const BY_START = { key: 'start' } as const

const WORKERS = 2
const LOOKUPS = 200_000
const BLOCK = 2 ** 16

type Line = readonly [start: bigint, end: bigint, country: string]

/** The list, by start. */
function lines(version: 4 | 6): Line[] {
  const name = `@ip-location-db/asn-country/asn-country-ipv${version}-num.csv`
  const text = readFileSync(createRequire(import.meta.url).resolve(name), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [start = '', end = '', country = ''] = line.trim().split(',')
      return [BigInt(start), BigInt(end), country]
    })
}

function bytesOf(address: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(address.toString(16).padStart(32, '0'), 'hex'))
}

function addressOf(of: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(of).toString('hex')}`)
}

/** The index of the last of these starts that is not behind the address; -1 for none. */
function search(starts: ArrayLike<number | bigint>, address: number | bigint): number {
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((starts[middle] as number) <= address) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** Numbers by chance, the same ones each time (Marsaglia's xorshift). */
function chance(seed: number): (n: number) => number {
  let x = Math.imul(seed, 0x9e3779b1) | 1
  return (n) => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return Math.floor(((x >>> 0) / 2 ** 32) * n)
  }
}

interface Report {
  readonly found: number
  readonly wrong: number
  readonly split: number
}

if (isMainThread) {
  const arena = Arena.create({ bytes: 2 ** 26 })
  const v4 = OrderedTable.create(arena, 'IPv4', { record: V4, ...BY_START })
  const v6 = OrderedTable.create(arena, 'IPv6', { record: V6, ...BY_START })
  const [ranges4, ranges6] = [lines(4), lines(6)]
  for (const [start, end, country] of ranges4) {
    v4.set({ start: Number(start), end: Number(end), country, split: 0 })
  }
  for (const [start, end, country] of ranges6) {
    v6.set({ start: bytesOf(start), end: bytesOf(end), country })
  }
  const [dns4, dns6] = [0x08080808, bytesOf(0x2001_4860_4860_0000_0000_0000_0000_8888n)]
  console.log(
    `8.8.8.8 is in ${v4.floor(dns4)?.country}, and 2001:4860:4860::8888 in ${v6.floor(dns6)?.country}`,
  )

  let open = 0
  const reports = Array.from({ length: WORKERS }, (_, i) => {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { handle: arena.handle, seed: i + 1 },
    })
    arena.supervise(worker)
    open++
    return new Promise<Report>((resolve) => {
      worker.once('message', resolve)
      worker.once('exit', () => open--)
    })
  })
  const random = chance(99)
  let replaced = 0
  for (; open > 0; await turn()) {
    const block = random(2 ** 16) * BLOCK
    for (const each of [...v4.range({ from: block, to: block + BLOCK - 1 })]) {
      const { start, end, country, split } = each
      const upper = start + ((end - start + 1) >>> 1)
      if (split !== 0) {
        // The lower half of a range: its end is the end of the upper one again, which then goes.
        const other = v4.get(split)
        if (other !== undefined) v4.set({ start, end: other.end, country, split: 0 })
        v4.delete(split)
      } else if (upper > start && v4.get(start)?.end === end) {
        v4.set({ start: upper, end, country, split: 0 })
        v4.set({ start, end: upper - 1, country, split: upper })
      } else continue
      replaced++
    }
    const [start, end, country] = ranges6[random(ranges6.length)] as Line
    v6.set({ start: bytesOf(start), end: bytesOf(end), country })
  }
  const all = await Promise.all(reports)
  const sum = (of: (each: Report) => number): number => all.reduce((n, each) => n + of(each), 0)
  const halves = sum((each) => each.split)
  const claim = (holds: boolean, text: string): void =>
    console.log(`${holds ? 'yes' : 'NO '}  ${text}`)
  const count = (n: number): string => n.toLocaleString('en-US')
  claim(
    sum((each) => each.found) > 0,
    `${count(sum((each) => each.found))} addresses looked up beside ${count(replaced)} ranges split or joined`,
  )
  claim(
    sum((each) => each.wrong) === 0,
    `${count(sum((each) => each.wrong))} wrong or torn answers; ${count(halves)} were a range's half`,
  )
  const covered = [...v4].reduce((n, each) => n + (each.end - each.start + 1), 0)
  const listed = ranges4.reduce((n, [start, end]) => n + Number(end - start + 1n), 0)
  claim(covered === listed, `${count(covered)} IPv4 addresses in the table, as in the list`)
  claim(
    [...v6.keys()].every((key, i) => addressOf(key) === ranges6[i]?.[0]),
    `${count(v6.size)} ranges of IPv6 in the order of the list`,
  )
} else {
  const { handle, seed } = workerData as { handle: Arena['handle']; seed: number }
  const arena = Arena.attach(handle)
  const v4 = OrderedTable.open(arena, 'IPv4', { record: V4, ...BY_START })
  const v6 = OrderedTable.open(arena, 'IPv6', { record: V6, ...BY_START })
  const [list4, list6] = [lines(4), lines(6)]
  const starts4 = Uint32Array.from(list4, ([start]) => Number(start))
  const starts6 = list6.map(([start]) => start)
  const random = chance(seed)
  let split = 0
  let wrong = 0

  /** Whether this is the range of the address, or a half of it. */
  const isRight = (address: number, [first, last, country]: Line, item: Item): boolean => {
    const [start, end] = [V4.get.start(arena, item), V4.get.end(arena, item)]
    if (start > first || end < last) split++
    if (start < first || end > last || V4.get.country(arena, item) !== country) return false
    return start <= address && (address <= end || address > last)
  }
  for (let i = 0; i < LOOKUPS; i++) {
    const address = random(2 ** 16) * BLOCK + random(BLOCK)
    const line = list4[search(starts4, address)]
    const found = v4.floorRead(
      address,
      (item) => line !== undefined && isRight(address, line, item),
    )
    if ((found ?? line === undefined) !== true) wrong++
    if (i % 8 !== 0) continue
    const [start, end, country] = list6[random(list6.length)] as Line
    const inside = start + (BigInt(random(2 ** 30)) * (end - start)) / 2n ** 30n
    const range = v6.floor(bytesOf(inside))
    if (range === undefined || range.country !== country) wrong++
    else if (
      addressOf(range.start) !== starts6[search(starts6, inside)] ||
      addressOf(range.end) !== end
    )
      wrong++
  }
  arena.detach()
  parentPort?.postMessage({ found: LOOKUPS + LOOKUPS / 8, wrong, split } satisfies Report)
}
