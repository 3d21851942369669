/**
 * Torture of a zone's knobs while they are being turned: real threads allocate, publish, read and
 * free records in one zone, and the main thread, or they themselves, turn everything that can be
 * turned. The traffic is in knobs.worker.ts, the steps that all take together in knobTurns.ts.
 *
 * Knobs are advice about when: whatever they say, no record may be reused under a reader, no turn may
 * be lost, no bucket may be larger than its room, and nothing may leak. What they do say must come
 * true in the end: buckets grow where workers meet, and what nobody needs goes back when it is quiet.
 * All that is waited for, in a bound that only says that it is never; no time is asserted.
 */

import { env } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { Arena, type Item, type KnobStats, type Zone } from 'uma-smr'
import { describe, expect, it } from 'vitest'
import type { Report } from '../helpers/member.ts'
import { Random } from '../helpers/random.ts'
import { type Service, spawn } from '../helpers/spawn.ts'
import { CANARY_WORDS } from './canary.ts'
import { blockFor } from './dwell.ts'
import type { Doings, Task } from './knobs.worker.ts'
import {
  ackAt,
  anyTurn,
  BOARD_WORDS,
  BURST,
  CELLS,
  COMMAND,
  cellAt,
  commandOf,
  DOMAIN,
  did,
  differing,
  entered,
  KNOB_SABOTAGES,
  type KnobSabotage,
  MADE,
  ownTurn,
  RECORD_BYTES,
  roundsAt,
  STIR,
  type Step,
  said,
  TRAFFIC,
  type Turn,
  wrongBucket,
  ZONE,
} from './knobTurns.ts'
import { LIVES_WORDS, type Lives, lives, livesOf } from './lives.ts'
import { type Sabotage, ZONE_SABOTAGES } from './sabotage.ts'
import { comboRuns, expectNoViolations, honestRuns, type Run, SEED } from './torture.ts'

const { TORTURE_SECONDS = 5 } = env
const WORD_BYTES = 4
/** Turns of the main thread in each step in which it turns. */
const TURNS = Math.ceil(12 * Number(TORTURE_SECONDS))
const LONGEST_PAUSE_MS = 3
/** Rounds of each member before a step may end. */
const ROUNDS = 300
/** Everything that is waited for happens in a fraction of this, or never. */
const NEVER_MS = 20_000
const TEAM_SECONDS = 100 + 10 * Number(TORTURE_SECONDS)
const TIMEOUT_MS = TEAM_SECONDS * 1000 + 10_000
const SABOTAGE_SECONDS = 18
/** Reached now and then; and the arena has memory for a bucket at all times, so no free waits. */
const LIMIT = 6000
const ARENA_BYTES = 2 ** 23
const HOLD_MS = 1
/** How long nothing may happen while no trim is asked for. */
const QUIET_MS = 30
/** After so long in vain members come by a slow path again. */
const STIR_MS = 500
/** What a trim shrinks by halves is at its least after so many. */
const TRIMS = 8

const AGES = [0, 1, 5]
const LONG_AGES = [...AGES, 1000]
/** What the zone is made with. Who is idle hears of a turn when his timer rings: seconds would be too long. */
const AT_FIRST = { sealAfterMs: 5, trimEveryMs: 50 }

const TRIMMING: Turn = { sealAfterMs: 1, trimEveryMs: 5 }
/** Nothing is given back unless somebody asks. */
const STILL: Turn = {
  bucket: MADE,
  advanceEvery: 1,
  depot: Number.POSITIVE_INFINITY,
  pendingBytes: Number.POSITIVE_INFINITY,
  sealAfterMs: 0,
  trimEveryMs: 0,
}

interface Kind {
  readonly checks: boolean
  readonly hooks: boolean
  readonly ages: readonly number[]
}

/** One arena and its team, as the main thread sees them. */
class Course {
  readonly arena: Arena
  readonly zone: Zone
  readonly board: Item
  readonly checks: boolean
  /** Where hooks count; 0 without hooks. */
  readonly lives: Item | 0
  /** What the main thread's own hooks have found. */
  readonly wrong: string[] = []
  readonly members: number
  readonly ages: readonly number[]
  readonly random: Random
  readonly counts = {
    turned: 0,
    looks: 0,
    'met unforced': 0,
    'grown unforced': 0,
    met: 0,
    'sizes seen': 0,
    stirs: 0,
    'slabs before': 0,
    'slabs after': 0,
  }
  /** The team has left, for whatever reason: nothing will come of waiting. */
  isOver = false

  constructor(run: Run, { ages, checks, hooks }: Kind) {
    const { sequence } = run.config
    this.arena = Arena.create({ bytes: ARENA_BYTES, maxWorkers: 8, sequence, checks })
    const smr = this.arena.smr(DOMAIN, run.smr)
    this.checks = checks
    this.board = this.zeros('board', BOARD_WORDS)
    this.lives = hooks ? this.zeros('lives', LIVES_WORDS) : 0
    const size = { bytes: RECORD_BYTES, bucket: MADE, limit: LIMIT }
    this.zone = this.arena.zone(ZONE, { ...size, ...AT_FIRST, ...this.hooks(), smr })
    this.members = run.threads
    this.ages = ages
    this.random = new Random(SEED, run.threads)
  }

  private zeros(name: string, words: number): Item {
    const at = this.arena.zone(name, { bytes: words * WORD_BYTES }).zalloc()
    this.arena.words.fill(0, at, at + words)
    return at
  }

  private hooks(): Partial<Lives> {
    if (this.lives === 0) return {}
    return lives(this.arena.words, this.lives, this.checks, (what) => this.wrong.push(what))
  }

  // ---- steps -------------------------------------------------------------------------------

  command(step: Step): void {
    Atomics.store(this.arena.words, this.board + COMMAND, commandOf(step))
  }

  /** Waits for what must come. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    const deadline = performance.now() + NEVER_MS
    while (!isSo()) {
      if (this.isOver) throw new Error(`the team is gone; awaited: ${what}`)
      if (performance.now() > deadline) {
        throw new Error(`never: ${what}; ${JSON.stringify(this.zone.stats())}`)
      }
      await sleep(1)
    }
  }

  private all(isSo: (member: number) => boolean): boolean {
    return Array.from({ length: this.members }, (_, i) => i).every(isSo)
  }

  async acknowledged(step: Step, word: number): Promise<void> {
    const { words } = this.arena
    const isAcked = (i: number): boolean => Atomics.load(words, ackAt(this.board, i)) === word
    await this.until(`all in step ${step}`, () => this.all(isAcked))
  }

  /** Traffic with something beside it, until everybody has had a part in it. */
  async traffic(step: Step, beside: () => Promise<void>): Promise<void> {
    this.command(step)
    await this.acknowledged(step, entered(step))
    await beside()
    await this.rounds(step, ROUNDS)
  }

  async rounds(step: Step, many: number): Promise<void> {
    const { words } = this.arena
    const isThere = (i: number): boolean => Atomics.load(words, roundsAt(this.board, i)) >= many
    await this.until(`rounds of all in step ${step}`, () => this.all(isThere))
  }

  /** All do it, and then nothing. */
  async duty(step: Step): Promise<void> {
    this.command(step)
    await this.acknowledged(step, did(step))
  }

  // ---- knobs -------------------------------------------------------------------------------

  tune(turn: Turn): void {
    this.zone.tune(turn)
    this.counts.turned++
  }

  look(): void {
    expect(wrongBucket(this.zone)).toBe(undefined)
    // Without the lock size and range need not agree, but there is room for it always.
    const { bucket } = this.zone.stats()
    expect(bucket).toBeGreaterThanOrEqual(MADE.min)
    expect(bucket).toBeLessThanOrEqual(MADE.max)
    this.counts.looks++
  }

  async turns(turn: () => void): Promise<void> {
    for (let i = 0; i < TURNS && !this.isOver; i++) {
      turn()
      this.look()
      await sleep(1 + this.random.below(LONGEST_PAUSE_MS))
    }
  }

  /** Nobody else turns: what was not said stays, but for a preset all of it. */
  mainTurn(): void {
    const before = this.zone.stats().knobs
    const turn = anyTurn(this.random, this.ages)
    this.tune(turn)
    const { bucketMax, bucketMin } = before
    const kept = turn.preset === undefined ? before : { bucketMin, bucketMax }
    expect(this.zone.stats().knobs).toMatchObject({ ...kept, ...said(turn, this.checks) })
  }

  /** Each of us turns its own. */
  ownTurns(): Promise<void> {
    let mine: Partial<KnobStats> = {}
    return this.turns(() => {
      expect(differing(this.zone.stats().knobs, mine)).toBe(undefined)
      const turn = ownTurn(this.random, this.ages, this.members, this.members + 1)
      this.tune(turn)
      mine = said(turn, this.checks)
    })
  }

  // ---- growth ------------------------------------------------------------------------------

  /**
   * Buckets grow from the least to the most. First as it comes, which on a machine with one core may be
   * not at all; then the main thread holds the depot's lock for moments, so that whoever wants it
   * finds it taken.
   */
  async grow(): Promise<void> {
    const { zone } = this
    this.tune({ ...STILL, bucket: MADE.min })
    const met = zone.stats().contended
    const sizes: number[] = [MADE.min]
    this.tune({ bucket: MADE })
    for (let i = 0; i < TURNS && !this.isOver; i++) {
      sizes.push(zone.stats().bucket)
      await sleep(1)
    }
    const { bucket, contended } = zone.stats()
    this.counts['met unforced'] = contended - met
    this.counts['grown unforced'] = bucket - MADE.min
    await this.until('buckets grown to the most', () => {
      zone.parts.depot.tune(() => blockFor(HOLD_MS))
      this.look()
      sizes.push(zone.stats().bucket)
      return sizes.at(-1) === MADE.max
    })
    // Nobody trims, nobody turns: there is no way but up.
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b))
    this.counts.met = zone.stats().contended - met
    this.counts['sizes seen'] = new Set(sizes).size
    expect(this.counts['sizes seen']).toBeGreaterThan(1)
    // Each growth is a meeting.
    expect(this.counts.met).toBeGreaterThanOrEqual(this.counts['sizes seen'] - 1)
  }

  // ---- quiet -------------------------------------------------------------------------------

  /** What a quiet zone has, and where. */
  private holdings() {
    const { cached, created, inSlabs, live, pending, safe, slabs } = this.zone.stats()
    return { cached, created, inSlabs, live, pending, safe, slabs }
  }

  /** Without a trim nothing moves; with one all memory goes back but that of the published. */
  async quiet(): Promise<void> {
    this.tune(STILL)
    // What somebody has asked for before is given up in the burst; idle members do it later.
    this.zone.reclaim('all')
    await this.duty('burst')
    const before = this.holdings()
    await sleep(QUIET_MS)
    expect(this.holdings()).toEqual(before)
    expect(before.created).toBeGreaterThanOrEqual(BURST)

    this.tune(TRIMMING)
    this.command('trimmed')
    await this.acknowledged('trimmed', entered('trimmed'))
    await this.rounds('trimmed', 1)
    let asked = performance.now()
    await this.until('all memory back', () => {
      const { cached, live, pending, safe, slabs } = this.holdings()
      const [standing, free] = [this.standing().length, cached + pending + safe]
      if (free === 0 && live === standing && slabs <= standing) return true
      if (performance.now() - asked > STIR_MS) {
        // A timer from before the turn comes at its own time: whoever waits for it hears of this one.
        Atomics.add(this.arena.words, this.board + STIR, 1)
        this.counts.stirs++
        asked = performance.now()
      }
      return false
    })
    this.counts['slabs before'] = before.slabs
    this.counts['slabs after'] = this.zone.stats().slabs
    expect(this.counts['slabs after']).toBeLessThan(before.slabs)
  }

  // ---- the end -----------------------------------------------------------------------------

  standing(): Item[] {
    const { words } = this.arena
    const found = Array.from({ length: CELLS }, (_, i) => words[cellAt(this.board, i)] as Item)
    return found.filter((item) => item !== 0)
  }

  /** Every record is in exactly one place. Nothing may be asked for: idle members would give it back. */
  conserved(): void {
    const { zone } = this
    zone.check()
    const standing = this.standing()
    expect(zone.audit(standing)).toEqual({ leaked: [] })
    expect(zone.stats().live).toBe(standing.length)
  }

  /** The same when all have left: and nothing stays pending. */
  givenBack(): void {
    this.zone.reclaim('all')
    this.conserved()
    expect(this.zone.stats()).toMatchObject({ pending: 0, safe: 0 })
    this.lived()
  }

  /** Nothing pending, nothing cached: hooks have run as often as they must. */
  lived(): void {
    expect(this.wrong, `seed ${SEED}`).toEqual([])
    if (this.lives === 0) return
    const { seen, due, least } = livesOf(this.arena.words, this.lives, this.zone)
    expect(seen, `seed ${SEED}`).toEqual(due)
    expect(least).toBeGreaterThan(0)
  }

  /** All steps, as the main thread takes them. */
  async take(): Promise<void> {
    await this.traffic('main', () => this.turns(() => this.mainTurn()))
    await this.traffic('own', () => this.ownTurns())
    await this.traffic('all', () => this.turns(() => this.tune(anyTurn(this.random, this.ages))))
    await this.traffic('grow', () => this.grow())
    await this.quiet()
    await this.traffic('again', () => this.turns(() => this.mainTurn()))
    // Before they are told to seal: so whoever has sealed is through with trims.
    this.tune(STILL)
    await this.duty('sealed')
    this.conserved()
    this.command('over')
  }
}

type Broken = Sabotage | KnobSabotage

/** Runs a team beside `drive`; when either fails, both end before this rejects. */
async function ride(
  course: Course,
  run: Run,
  broken: Broken | undefined,
  drive: () => Promise<void>,
): Promise<Service> {
  const { ages, arena, board, checks, lives, members } = course
  const fenced = run.smr.sections !== 'turn'
  const team = Array.from({ length: members }, (_, i) => {
    const turns = !(fenced && i === 0)
    const { handle } = arena
    const task: Task = { handle, board, lives, checks, members, ages, turns, sabotage: broken }
    return { role: 'worker', task }
  })
  const seconds = broken === undefined ? TEAM_SECONDS : SABOTAGE_SECONDS
  const timeoutMs = seconds * 1000 + 5000
  const stopAtFirst = broken !== undefined
  const script = 'torture/knobs.worker.ts'
  const muster = { script, members: team, seed: SEED, seconds, timeoutMs, stopAtFirst }
  const serving = spawn(muster).finally(() => {
    course.isOver = true
  })
  const driving = drive().catch((error: unknown) => {
    course.command('over')
    throw error
  })
  const [service, driven] = await Promise.allSettled([serving, driving])
  if (service.status === 'rejected') throw failed(run, service.reason)
  if (driven.status === 'rejected') throw failed(run, driven.reason, service.value.reports)
  return service.value
}

function failed(run: Run, cause: unknown, reports: readonly Report[] = []): Error {
  const notes = reports.flatMap((each) => each.notes)
  const said = [`torture knobs: ${run.name}, seed ${SEED}: ${String(cause)}`, ...notes]
  return new Error(said.join('\n    '), { cause })
}

function total({ reports }: Service, what: string): number {
  return reports.reduce((sum, { counts }) => sum + (counts[what] ?? 0), 0)
}

function tell(run: Run, service: Service, course: Course): void {
  const ours: Record<string, number> = { ...course.counts }
  const theirs = ['reads', 'allocs', 'frees', 'full', 'turned', 'looks']
  for (const what of theirs) ours[what] = (ours[what] ?? 0) + total(service, what)
  const { advances, contended, retired } = course.zone.stats()
  const numbers = { ...ours, contended, retired, advances, violations: service.violations }
  const told = Object.entries(numbers).filter(([name, n]) => n !== 0 || name === 'violations')
  const said = told.map(([name, n]) => `${n.toLocaleString('en-US')} ${name}`)
  const head = `torture knobs: ${run.name}, ${service.seconds.toFixed(1)} s, seed ${SEED}: ${said.join(', ')}`
  const notes = service.reports.flatMap((each) => each.notes).slice(0, 6)
  const { 'grown unforced': grown, met } = course.counts
  if (met > 0 && grown === 0) notes.push('nobody met of itself: buckets grew by force only')
  console.log([head, ...notes.map((note) => `    ${note}`)].join('\n'))
}

/** All have left: what they say they did is what the zone counted, and all memory comes back. */
function settled(course: Course, service: Service): void {
  const { arena, zone } = course
  course.givenBack()
  const standing = course.standing()
  const { allocs, cached, created, frees, inSlabs, live } = zone.stats()
  expect([allocs, frees]).toEqual([total(service, 'allocs'), total(service, 'frees')])
  expect(allocs - frees).toBe(live)
  expect({ cached, out: created - inSlabs }).toEqual({ cached: 0, out: standing.length })
  for (let i = 0; i < TRIMS; i++) zone.reclaim('trim')
  expect(zone.stats().bucket).toBe(MADE.min)
  for (const item of standing) zone.zfreeSmr(item)
  expect(zone.reclaim('all').remaining).toBe(0)
  course.lived()
  zone.check()
  zone.destroy()
  arena.detach()
}

/** What is checked, and what has hooks: both ways with fenced sections and with those of turns. */
const CHECKED = [false, true, true, false, false, true]
const HOOKED = [false, true, false, true, true, true]

/** Every clock with every kind of section, with three members or two. */
const RUNS = [...honestRuns((threads) => threads).slice(0, 1), ...comboRuns()].map((run, i) => {
  const { clock = 'default', sections = 'fenced' } = run.smr
  const threads = i % 3 === 2 ? 2 : 3
  const checks = CHECKED[i] === true
  const hooks = HOOKED[i] === true
  const ages = i === 0 ? LONG_AGES : AGES
  const more = `${checks ? ', checked' : ''}${hooks ? ', hooks' : ''}`
  const name = `${threads} threads, ${clock} clock, ${sections} sections${more}`
  return { run: { ...run, threads, name }, kind: { checks, hooks, ages } }
})

describe('knobs turned under traffic', () => {
  for (const { run, kind } of RUNS) {
    it(`change nothing but when: ${run.name}`, { timeout: TIMEOUT_MS }, async () => {
      const course = new Course(run, kind)
      const service = await ride(course, run, undefined, () => course.take())
      tell(run, service, course)
      expectNoViolations(service)
      for (const { extra } of service.reports) {
        const doings = extra as Doings
        for (const step of TRAFFIC) {
          const { reads = 0, writes = 0, frees = 0 } = doings[step] ?? {}
          expect(Math.min(reads, writes, frees), `in step ${step}, seed ${SEED}`).toBeGreaterThan(0)
        }
      }
      expect(total(service, 'turned')).toBeGreaterThan(0)
      settled(course, service)
    })
  }
})

describe('the alarm rings', () => {
  const broken: readonly Broken[] = [...ZONE_SABOTAGES, ...KNOB_SABOTAGES]
  for (const kind of broken) {
    it(kind, { timeout: TIMEOUT_MS }, async () => {
      const [{ run } = { run: undefined }] = RUNS
      if (run === undefined) throw new Error('nothing to break')
      const hooks = kind === 'records are destroyed when they are freed'
      const course = new Course(run, { checks: false, hooks, ages: AGES })
      // The main thread is honest, and leaves to the members what they own or break.
      const drive = async (): Promise<void> => {
        course.command(kind === 'knobs are turned without the lock' ? 'own' : 'all')
        while (!course.isOver) await sleep(1)
      }
      const service = await ride(course, run, kind, drive)
      tell({ ...run, name: kind }, service, course)
      expect(service.violations, `seed ${SEED}`).toBeGreaterThan(0)
      course.arena.detach()
    })
  }
})

it('a record has room for its canary', () => {
  expect(RECORD_BYTES).toBe(CANARY_WORDS * WORD_BYTES)
})
