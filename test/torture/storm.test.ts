/**
 * The storm: workers that do one class of verbs each, killed at random moments, and after each death
 * everything is looked at: every law of every zone and table, every page, every lock, every name.
 *
 *   STORM_KILLS=3000 npx vitest run --config test/vitest.config.ts torture/storm
 *
 * Two victims at a time, beside a worker that lives on. Before the look all is quiet: the victims are
 * dead and reaped, the survivor stands still. What victims had in hand is found by `audit`, and freed;
 * the table has lost nothing.
 */

import { env } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { Arena, type Item, type ReapReport, type SmrOptions, type Zone } from 'uma-smr'
import { expect, it } from 'vitest'
import { checkPages } from '#src/space/pages.ts'
import { checkTable } from '#src/table/stats.ts'
import { built } from '../helpers/built.ts'
import { Random } from '../helpers/random.ts'
import {
  emptyQueue,
  type Fate,
  LOCK,
  MOST_IN_HAND,
  PAUSE,
  QUEUE_LOCK,
  Stage,
  SURVIVOR,
  VERBS,
  VIOLATIONS,
  ZONES,
} from './stormVerbs.ts'
import { createTable, entry, isWhole } from './tableRecord.ts'
import { SEED } from './torture.ts'

const CLASSES = Object.keys(VERBS)
const { STORM_KILLS = 3 * CLASSES.length } = env
const KILLS = Number(STORM_KILLS)
const AT_ONCE = 2
const KILLS_PER_ARENA = 60
const LONGEST_LIFE_MS = 12
const PATIENCE_MS = 10_000
const MS_PER_KILL = 2_000

const SMR: readonly SmrOptions[] = [
  {},
  { sections: 'turn' },
  { clock: 'deferred', limit: 3 },
  { clock: 'lazy', tickMs: 1 },
]

const random = new Random(SEED)

class Storm {
  readonly arena: Arena
  readonly stage: Stage
  private readonly smr: SmrOptions
  private readonly survivor: Worker

  constructor(smr: SmrOptions, checks: boolean) {
    this.smr = smr
    this.arena = Arena.create({ bytes: 2 ** 21, maxWorkers: 12, checks })
    const table = createTable(this.arena, 4, 400)
    this.stage = new Stage(this.arena, smr, table)
    for (let key = 0; key < 32; key++) table.set(entry(key, 1))
    this.survivor = this.start(SURVIVOR)
  }

  private start(verb: string): Worker {
    const fate: Fate = { handle: this.arena.handle, seed: random.next(), verb, smr: this.smr }
    return new Worker(built('torture/storm.worker.ts'), { workerData: fate })
  }

  /** Resolves at the next word that the survivor says; rejects if it dies. */
  private hear(): Promise<void> {
    return new Promise((resolve, reject) => {
      const died = (error: unknown): void => reject(error ?? new Error('the survivor is dead'))
      this.survivor.once('message', () => {
        this.survivor.off('error', died)
        resolve()
      })
      this.survivor.once('error', died)
    })
  }

  async begin(): Promise<void> {
    await this.hear()
  }

  /** One victim: started, let live for a moment, terminated, reaped. */
  async kill(verb: string): Promise<ReapReport> {
    const victim = this.start(verb)
    const reaped = new Promise<ReapReport>((resolve) => this.arena.supervise(victim, resolve))
    await new Promise((resolve, reject) => {
      victim.once('message', resolve)
      victim.once('error', reject)
    })
    const failed = new Promise<never>((_, reject) => {
      victim.once('error', (cause) => reject(new Error(`victim "${verb}": ${cause}`, { cause })))
    })
    failed.catch(() => {})
    await Promise.race([sleep(random.below(LONGEST_LIFE_MS * 1000) / 1000), failed])
    await victim.terminate()
    return await Promise.race([reaped, failed])
  }

  /** Everything stands still, and everything is in order. Answers how many items the dead had. */
  async audit(killed: readonly string[]): Promise<number> {
    const { arena, stage } = this
    const { words } = arena
    const pauseAt = arena.root(PAUSE)
    const paused = this.hear()
    Atomics.add(words, pauseAt, 1)
    await paused
    try {
      return this.lookAtAll(killed)
    } catch (error) {
      this.tellBuckets()
      throw new Error(`after the death of ${killed.join(' and ')}, seed ${SEED}: ${error}`, {
        cause: error,
      })
    } finally {
      Atomics.add(words, pauseAt, 1)
      Atomics.notify(words, pauseAt)
      stage.smr.assertNotEntered()
    }
  }

  /** Who has which bucket, and how many items are in it: for whoever has to find out. */
  private tellBuckets(): void {
    const { arena, stage } = this
    console.log(`attached: ${arena.stats().workers.attached.join(' ')}`)
    for (const name of Object.keys(ZONES)) {
      const { buckets } = stage.zone(name).parts
      const all = buckets.all().map(({ bucket, owner }) => `${owner}: ${buckets.count(bucket)}`)
      console.log(`${name}: buckets by owner: ${all.join(', ')}`)
    }
  }

  private lookAtAll(killed: readonly string[]): number {
    const { arena, stage } = this
    const { table } = stage
    // Locks are to be had at once, and the word that the last owner died is heard once.
    arena.lock(LOCK).withLock(() => {}, { timeoutMs: PATIENCE_MS })
    expect(arena.lock(LOCK).withLock((taken) => taken)).toBe('ok')
    arena.lock(QUEUE_LOCK).withLock(() => emptyQueue(stage), { timeoutMs: PATIENCE_MS })
    // Nobody is in a section.
    for (const smr of [stage.smr, stage.async]) {
      expect(smr.stalled(0)).toEqual([])
      expect(smr.synchronize({ timeoutMs: PATIENCE_MS })).toBe(true)
    }
    checkTable(table)
    expect(table.size).toBe([...table.entries()].length)
    expect([...table.entries()].filter((each) => !isWhole(each))).toEqual([])
    let hands = 0
    for (const [name, { hasSmr }] of Object.entries(ZONES)) {
      hands += this.bury(stage.zone(name), [], hasSmr)
    }
    expect(this.bury(table.zone, table.items(), true), 'lost by the table').toBe(0)
    expect(hands).toBeLessThanOrEqual(killed.length * MOST_IN_HAND)
    expect(table.zone.stats().live).toBe(table.size)
    this.endPassing()
    const { memory, space } = arena as unknown as { memory: never; space: { pages: never } }
    checkPages(memory, space.pages)
    return hands
  }

  /** Frees what the dead had in hand; then nothing is live that nobody can reach. */
  private bury(zone: Zone, reachable: readonly Item[], hasSmr: boolean): number {
    zone.check()
    const { leaked } = zone.audit(reachable)
    for (const item of leaked) {
      if (hasSmr) zone.zfreeSmr(item)
      else zone.zfree(item)
    }
    zone.check()
    expect(zone.stats().live).toBe(reachable.length)
    return leaked.length
  }

  /** Names that a victim had made can be opened and ended, or are free to be made. */
  private endPassing(): void {
    const { arena, stage } = this
    const zone = arena.zone('passing zone', { bytes: 48, bucket: 2, smr: stage.smr, reserve: 4 })
    for (const item of zone.audit([]).leaked) zone.zfreeSmr(item)
    zone.destroy({ timeoutMs: PATIENCE_MS })
    arena.smr('passing domain').destroy({ timeoutMs: PATIENCE_MS })
  }

  async end(): Promise<void> {
    const { arena, stage } = this
    const over = new Promise((resolve) => this.survivor.once('exit', resolve))
    Atomics.store(arena.words, arena.root(PAUSE), -2)
    Atomics.notify(arena.words, arena.root(PAUSE))
    expect(await over).toBe(0)
    expect(arena.stats().workers.attached).toEqual([arena.workerId])
    expect(Atomics.load(arena.words, arena.root(VIOLATIONS))).toBe(0)
    for (const key of [...stage.table.entries()].map((each) => each.key)) stage.table.delete(key)
    for (const name of [...Object.keys(ZONES)]) {
      stage.zone(name).reclaim('all', { timeoutMs: PATIENCE_MS })
      expect(stage.zone(name).stats()).toMatchObject({ live: 0, cached: 0, pending: 0, safe: 0 })
      stage.zone(name).destroy({ timeoutMs: PATIENCE_MS })
    }
    arena.detach()
  }
}

it(`the storm: ${KILLS} workers die in ${CLASSES.length} classes of verbs`, {
  timeout: 60_000 + KILLS * MS_PER_KILL,
}, async () => {
  expect(CLASSES.length).toBeGreaterThanOrEqual(24)
  const began = performance.now()
  let kills = 0
  let hands = 0
  for (let era = 0; kills < KILLS; era++) {
    const storm = new Storm(SMR[era % SMR.length] as SmrOptions, era % 3 === 2)
    await storm.begin()
    for (let n = 0; n < KILLS_PER_ARENA && kills < KILLS; n += AT_ONCE) {
      const killed = Array.from(
        { length: AT_ONCE },
        () => CLASSES[kills++ % CLASSES.length] as string,
      )
      const reports = await Promise.all(killed.map((verb) => storm.kill(verb)))
      expect(
        reports.filter(({ reaped }) => !reaped),
        killed.join(' and '),
      ).toEqual([])
      hands += await storm.audit(killed)
    }
    await storm.end()
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(
    `storm: ${kills} deaths in ${seconds} s, seed ${SEED}: ${hands} items were in their hands`,
  )
})
