/**
 * Death for real: workers are terminated, or throw, at random moments under full traffic, and others
 * take their place. The arena supervises them all. Nobody may hang, no reader may see anything that
 * is not whole, the survivors' reads never stop, and in the end every item is in exactly one place,
 * or is one that somebody had taken from a zone of its own when he died - which the audit names, and
 * which can be freed. Writes to the table lose nothing.
 */

import { env } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Arena, type Item, type Zone } from 'uma-smr'
import { expect, it } from 'vitest'
import { checkPages } from '#src/space/pages.ts'
import { checkTable } from '#src/table/stats.ts'
import { built } from '../helpers/built.ts'
import { Random } from '../helpers/random.ts'
import { DEFERRED, type Life, LOCK, PLAIN, READS, STOP, VIOLATIONS } from './deathLife.ts'
import { createTable, entry, isWhole } from './tableRecord.ts'
import { SEED } from './torture.ts'

const { TORTURE_DEATHS = 300 } = env
const TERMINATED = Number(TORTURE_DEATHS)
const THROWN = Math.ceil(TERMINATED / 6)
const AT_ONCE = 4
const KEYS = 64
const LONGEST_LIFE_MS = 25
const WINDOW_MS = 500
const TIMEOUT_MS = 240_000

const random = new Random(SEED)

function start(arena: Arena, role: Life['role']): Worker {
  const { handle } = arena
  const life: Life = { handle, seed: random.next(), role, keys: KEYS }
  return new Worker(built('torture/death.worker.ts'), { workerData: life })
}

/** Starts a worker that will die; resolves when it is dead and reaped, with how it ended. */
async function liveAndDie(arena: Arena, role: 'victim' | 'thrower'): Promise<string> {
  const worker = start(arena, role)
  const reaped = new Promise<void>((resolve) => arena.supervise(worker, () => resolve()))
  let error: unknown
  worker.on('error', (thrown) => {
    error = thrown
  })
  await new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('exit', () => reject(error ?? new Error('it died before it was ready')))
  })
  if (role === 'victim') {
    await sleep(random.below(LONGEST_LIFE_MS))
    await worker.terminate()
  }
  await reaped
  return error === undefined ? 'terminated' : String((error as Error).message)
}

/** Fewest reads that the survivors made in any window, while `over` is not. */
async function watch(arena: Arena, over: { yes: boolean }): Promise<number> {
  const at = arena.root(READS)
  let fewest = Number.POSITIVE_INFINITY
  let before = Atomics.load(arena.words, at)
  while (!over.yes) {
    await sleep(WINDOW_MS)
    const now = Atomics.load(arena.words, at)
    fewest = Math.min(fewest, (now - before) | 0)
    before = now
  }
  return fewest
}

/** What the dead had in hand, freed by us, so that nothing is unaccounted for. */
function bury(zone: Zone, reachable: Iterable<Item>, free: (item: Item) => void): number {
  const { leaked } = zone.audit(reachable)
  for (const item of leaked) free(item)
  expect(zone.audit(reachable)).toEqual({ leaked: [] })
  zone.check()
  return leaked.length
}

it(`survives ${TERMINATED} terminations and ${THROWN} uncaught errors`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const arena = Arena.create({ bytes: 2 ** 24, maxWorkers: 16 })
  const table = createTable(arena, 4, 2000)
  for (let key = 0; key < KEYS; key++) table.set(entry(key, 1))
  const smr = arena.smr('deferred')
  const deferred = arena.zone(DEFERRED.name, {
    bytes: DEFERRED.bytes,
    bucket: DEFERRED.bucket,
    smr,
  })
  const plain = arena.zone(PLAIN.name, { bytes: PLAIN.bytes, bucket: PLAIN.bucket })
  const survivors = (['reader', 'writer'] as const).map((role) => start(arena, role))
  const ended = survivors.map(
    (worker) =>
      new Promise<number>((resolve, reject) => worker.once('exit', resolve).once('error', reject)),
  )
  await Promise.all(
    survivors.map((worker) => new Promise((resolve) => worker.once('message', resolve))),
  )
  const over = { yes: false }
  const watched = watch(arena, over)
  const began = performance.now()

  const roles = Array.from({ length: TERMINATED + THROWN }, (_, i) =>
    i % 7 === 6 ? 'thrower' : 'victim',
  )
  const fates: string[] = []
  const lane = async (): Promise<void> => {
    for (let role = roles.pop(); role !== undefined; role = roles.pop()) {
      fates.push(await liveAndDie(arena, role as 'victim' | 'thrower'))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))

  over.yes = true
  const fewest = await watched
  Atomics.store(arena.words, arena.root(STOP), 1)
  expect(await Promise.all(ended)).toEqual([0, 0])

  const seconds = (performance.now() - began) / 1000
  const reads = Atomics.load(arena.words, arena.root(READS))
  const wrong = Atomics.load(arena.words, arena.root(VIOLATIONS))
  // A lock that somebody died with is taken over, not lost.
  arena.lock(LOCK).withLock(() => {})
  checkTable(table)
  expect(table.zone.audit(table.items())).toEqual({ leaked: [] })
  table.zone.check()
  const hands =
    bury(deferred, [], (item) => deferred.zfreeSmr(item)) +
    bury(plain, [], (item) => plain.zfree(item))
  console.log(
    `torture death: ${fates.length} deaths in ${seconds.toFixed(1)} s, seed ${SEED}: ${reads.toLocaleString('en-US')} reads by survivors, fewest in ${WINDOW_MS} ms ${fewest.toLocaleString('en-US')}, ${hands} items in dead hands, ${wrong} violations`,
  )
  expect(wrong).toBe(0)
  expect(fewest).toBeGreaterThan(0)
  expect(fates.filter((fate) => fate.includes('on purpose')).length).toBe(THROWN)
  expect([...table.entries()].filter((each) => !isWhole(each))).toEqual([])
  expect(arena.stats().workers.attached).toEqual([arena.workerId])
  for (const zone of [deferred, plain]) {
    zone.reclaim('all')
    expect(zone.stats()).toMatchObject({ live: 0, cached: 0, pending: 0, safe: 0 })
    zone.destroy()
  }
  for (const key of [...table.entries()].map((each) => each.key)) table.delete(key)
  table.zone.reclaim('all')
  table.zone.check()
  expect(table.zone.stats().live).toBe(0)
  const { memory, space } = arena as unknown as { memory: never; space: { pages: never } }
  checkPages(memory, space.pages)
})
