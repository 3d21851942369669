/**
 * `arena.diagnose()`: what is wrong, who it is, and what to do, in plain sentences.
 *
 * Each function looks for one kind of trouble in the statistics, and says a sentence for each case.
 * Numbers of other workers may be a moment old, so no limit here is sharp. It only reads.
 */

import { show } from '../base/errors.ts'
import { DomainWords, Named, PAGE_WORDS } from '../memory/layout.ts'
import { BYTES_PER_WORD } from '../memory/memory.ts'
import { SECTIONS } from '../smr/options.ts'
import type { Listing } from '../space/directory.ts'
import type { Space } from '../space/space.ts'
import { freeBytes, type Holder, holders, holdings } from '../zone/shortage.ts'
import type { ZoneStats } from '../zone/stats.ts'
import { type ArenaStats, arenaStats } from './inspect.ts'

/** A section that has been in the way for so long is a trouble. */
const LONG_MS = 1000
/** Of all pages: less than this part free is near full. */
const NEAR_FULL = 1 / 10
/** Records in a chain. */
const LONG_CHAINS = 4
const MANY_CALLBACKS = 1000
/** Bytes that wait for readers and are not worth a word. */
const FEW_BYTES = 2 ** 16
/** Of the visits to a depot, and how many there must have been. */
const CONTENDED = 1 / 4
const MANY_VISITS = 100
/** Records that writers may be about to link or to free. */
const IN_HAND = 8
const PAGE_BYTES = PAGE_WORDS * BYTES_PER_WORD

interface Picture {
  readonly space: Space
  readonly names: readonly Listing[]
  readonly stats: ArenaStats
  readonly readers: readonly Holder[]
}

const LOOKS: readonly ((picture: Picture) => Iterable<string>)[] = [
  stuckReaders,
  deadWorkers,
  nearFull,
  limits,
  tooMuchPending,
  callbacks,
  leaks,
  longChains,
  contention,
]

/** One sentence or two for each trouble, a line each. */
export function diagnose(space: Space): string {
  const names = space.directory.list()
  const domains = names.filter(({ kind }) => kind === Named.domain).map(({ address }) => address)
  const readers = holders(space, names, new Set(domains)).filter(({ forMs }) => forMs >= LONG_MS)
  const picture = { space, names, stats: arenaStats(space), readers }
  const found = LOOKS.flatMap((look) => [...look(picture)])
  return found.length > 0 ? found.join('\n') : nothing(picture)
}

function nothing({ space, stats }: Picture): string {
  const { zones } = stats
  const workers = stats.workers.attached.length
  return `Nothing is wrong: ${say(freeBytes(space))} of ${say(stats.bytes)} bytes are free, zones: ${zones.length}, workers: ${workers}, and no reader has been in the way for a second.`
}

function* stuckReaders({ names, readers, space }: Picture): Generator<string> {
  for (const reader of readers) {
    const { bytes, domain, forMs, kind, label } = reader
    const who = sayWorker(space, reader.workerId)
    const held = `for ${say(forMs)} ms; ${say(bytes)} freed bytes wait in its zones`
    const at = names.find((each) => each.kind === Named.domain && each.name === domain)?.address
    const turning = SECTIONS[space.memory.peek((at ?? 0) + DomainWords.sections)] === 'turn'
    if (kind === 'async') {
      const what = label === '' ? 'an async section' : `the async section ${show(label)}`
      yield `${who} has had ${what} of domain ${show(domain)} open ${held}. End it, or give what it awaits a time-out.`
    } else if (turning) {
      yield `${who} has not ended its turn of the event loop, with turn sections in domain ${show(domain)}, ${held}. Let its event loop turn, or call smr.offline() before it computes or blocks for long.`
    } else {
      yield `${who} has been in a section of domain ${show(domain)} ${held}. It must leave: make the section shorter; if the worker is dead, reap it.`
    }
  }
}

function* deadWorkers({ space: { workers } }: Picture): Generator<string> {
  for (const seen of workers.unreaped()) {
    const id = workers.nameOf(seen)
    yield `Worker ${id} is dead and not reaped: what it held is nobody's. Call arena.reap(${id}), and arena.supervise(worker) for each new worker.`
  }
}

function* nearFull({ names, space, stats }: Picture): Generator<string> {
  const { total } = stats.pages
  const free = freeBytes(space)
  if (free >= total * PAGE_BYTES * NEAR_FULL) return
  const held = holdings(space, names)
  const idle = held.reduce((sum, { bytes }) => sum + bytes, 0)
  const [most] = held
  const where = most === undefined ? '' : `, most of them in zone ${show(most.zone)}`
  yield `The arena is nearly full: ${say(free)} of ${say(total * PAGE_BYTES)} bytes are free; zones hold ${say(idle)} bytes that are not in use${where}. Create it with more bytes, or give zones a limit; arena.reclaim('all') gives back what can be had now.`
}

function* limits({ stats }: Picture): Generator<string> {
  for (const zone of stats.zones) {
    const { created, inSlabs, knobs, limit, live, name, pending } = zone
    if (limit > 0 && created - inSlabs >= limit)
      yield `Zone ${show(name)} is at its limit of ${say(limit)} items: ${say(live)} live, ${say(pending)} pending. Free some, or raise it: zone.tune({ limit }).`
    if (knobs.pendingLimit > 0 && pending >= knobs.pendingLimit)
      yield `Zone ${show(name)} has reached its pendingBytes: ${say(pending)} items wait for readers, and it takes no fresh memory. Find the reader that does not leave, or raise it: zone.tune({ pendingBytes }).`
  }
}

function* tooMuchPending({ readers, stats }: Picture): Generator<string> {
  for (const zone of stats.zones) {
    const { itemBytes, live, name, pending } = zone
    const bytes = pending * itemBytes
    if (bytes < FEW_BYTES || pending <= live) continue
    const why =
      readers.length > 0
        ? 'The reader named above keeps them.'
        : 'No reader keeps them: they come back when the zone needs them, or by zone.reclaim. A smaller bucket or sealAfterMs, or pendingBytes, keeps less.'
    yield `Zone ${show(name)} has more pending than live: ${say(pending)} items, ${say(bytes)} bytes, beside ${say(live)}. ${why}`
  }
}

function* callbacks({ readers, stats }: Picture): Generator<string> {
  for (const { callsLost, callsPending, name } of stats.domains) {
    const held = readers.some(({ domain }) => domain === name)
    if (callsPending >= MANY_CALLBACKS || (callsPending > 0 && held))
      yield `${say(callsPending)} callbacks of domain ${show(name)} wait: for its readers, or for a turn of the event loop of the workers that queued them.`
    if (callsLost > 0)
      yield `${say(callsLost)} callbacks of domain ${show(name)} will never run: their workers have left or died. Let workers await smr.flush() before they detach.`
  }
}

function* leaks({ space, stats }: Picture): Generator<string> {
  const slack = IN_HAND * stats.workers.attached.length
  for (const [name, { live, size }] of tables(space)) {
    if (live - size <= slack) continue
    yield `Table ${show(name)} has ${say(size)} records, and its zone ${say(live)} live items: ${say(live - size)} are lost, by workers that died and were not reaped, or by items that were never freed. With all workers at rest, zone.audit(reachable) names them, and they can be freed.`
  }
}

function* longChains({ space }: Picture): Generator<string> {
  for (const [name, { chains, load, size }] of tables(space)) {
    if (load === undefined || load < LONG_CHAINS) continue
    yield `Table ${show(name)} has ${say(size)} records in ${say(chains ?? 0)} chains: a lookup meets ${say(load / 2)} others. Call table.resize(${size}), or create it with that capacity.`
  }
}

function* contention({ stats }: Picture): Generator<string> {
  for (const zone of stats.zones) {
    const visits = visitsOf(zone)
    if (visits < MANY_VISITS || zone.contended < visits * CONTENDED) continue
    yield `Workers have met at the depot of zone ${show(zone.name)} in ${say(zone.contended)} of ${say(visits)} visits. Let its buckets grow: bucket: { min, max }, or preset: 'latency'.`
  }
}

/** Roughly how often the depot was gone to. */
function visitsOf({ refills, retired }: Pick<ZoneStats, 'refills' | 'retired'>): number {
  return refills + retired
}

interface TableFacts {
  readonly size: number
  readonly live: number
  readonly chains?: number | undefined
  readonly load?: number | undefined
}

/** Tables that this worker has opened last, and that have not ended. */
function* tables({ directory, tables: known }: Space): Generator<[string, TableFacts]> {
  const alive = new Set(directory.list().map(({ name }) => name))
  for (const [name, table] of known) {
    if (!alive.has(name)) {
      known.delete(name)
      continue
    }
    const { chains, load, size, zone } = table.stats()
    yield [name, { chains, load, size, live: zone.live }]
  }
}

function sayWorker({ workers }: Space, id: number): string {
  const seen = workers.named(id)
  const label = seen && workers.introduced(seen.slot)?.label
  return label === undefined || label === '' ? `Worker ${id}` : `Worker ${id} (${show(label)})`
}

function say(n: number): string {
  return n.toLocaleString('en-US', { maximumFractionDigits: 1 })
}
