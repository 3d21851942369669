/**
 * The knobs of a zone as words.
 *
 * Each is a shared word that every worker reads again at its next slow path, so changing one is a
 * store. Knobs only say when things happen: whether a worker reads an old value or a new one, no
 * item is reused before its goal is met. The zone also keeps the values it was made with: options
 * of a later opener are compared with those, not with what `tune` has set since.
 *
 * So racy peeks suffice: any value that the word has had since the zone was made is legal, and no
 * two words have to agree outside the depot's lock. A bucket's size, old or new, is within the
 * range that the zone was made for, and so within its room. A worker that reads an old limit gives
 * back, or asks, once more or once less.
 */

import { Misuse, show } from '../base/errors.ts'
import { KnobWords, NO_LIMIT } from '../memory/layout.ts'
import type { Memory } from '../memory/memory.ts'
import {
  type BucketRange,
  type GivenKnobs,
  type KnobValues,
  merged,
  PRESETS,
  type PresetName,
} from './knobOptions.ts'

/** Knobs as they are now, in a zone's stats. `Infinity` would not be JSON: 0 and -1 say "none". */
export interface KnobStats {
  /** Items in a bucket, at least. */
  readonly bucketMin: number
  /** Items in a bucket, at most. */
  readonly bucketMax: number
  /** Full buckets per step of the clock. */
  readonly advanceEvery: number
  /** Age at which a part-filled bucket is retired; 0: never. */
  readonly sealAfterMs: number
  /** Time between trims; 0: none. */
  readonly trimEveryMs: number
  /** Items; -1 no limit. */
  readonly depot: number
  /** Items; 0 no limit. */
  readonly pendingLimit: number
}

export function writeKnobs(memory: Memory, at: number, values: KnobValues, preset: number): void {
  memory.store(at + KnobWords.preset, preset)
  memory.store(at + KnobWords.bucketMin, values.bucket.min)
  memory.store(at + KnobWords.bucketMax, values.bucket.max)
  memory.store(at + KnobWords.advanceEvery, values.advanceEvery)
  memory.store(at + KnobWords.sealAfterMs, values.sealAfterMs)
  memory.store(at + KnobWords.trimEveryMs, values.trimEveryMs)
  memory.store(at + KnobWords.depotItems, values.depotItems)
  memory.store(at + KnobWords.pendingItems, values.pendingItems)
}

function readKnobs(memory: Memory, at: number): KnobValues {
  return {
    bucket: {
      min: memory.load(at + KnobWords.bucketMin),
      max: memory.load(at + KnobWords.bucketMax),
    },
    advanceEvery: memory.load(at + KnobWords.advanceEvery),
    sealAfterMs: memory.load(at + KnobWords.sealAfterMs),
    trimEveryMs: memory.load(at + KnobWords.trimEveryMs),
    depotItems: memory.load(at + KnobWords.depotItems),
    pendingItems: memory.load(at + KnobWords.pendingItems),
  }
}

/** Misuse when an opener gives other knobs than the zone was made with. */
export function assertSameKnobs(
  call: string,
  memory: Memory,
  made: number,
  given: GivenKnobs,
  preset: PresetName | undefined,
  stride: number,
): void {
  const were = readKnobs(memory, made)
  const said = merged(given, were, stride)
  const name = PRESETS[memory.load(made + KnobWords.preset)]
  same(call, 'preset', show(preset ?? name), show(name))
  same(call, 'bucket', sayRange(said.bucket), sayRange(were.bucket))
  same(call, 'advanceEvery', said.advanceEvery, were.advanceEvery)
  same(call, 'sealAfterMs', said.sealAfterMs, were.sealAfterMs)
  same(call, 'trimEveryMs', said.trimEveryMs, were.trimEveryMs)
  same(call, 'depot (in items)', sayLimit(said.depotItems), sayLimit(were.depotItems))
  const [pending, limit] = [sayLimit(said.pendingItems), sayLimit(were.pendingItems)]
  same(call, 'pendingBytes (in items)', pending, limit)
}

function sayRange({ min, max }: BucketRange): string {
  return min === max ? `${min}` : `${min} to ${max}`
}

function sayLimit(items: number): string {
  return items === NO_LIMIT ? 'no limit' : `${items}`
}

function same<T>(call: string, what: string, given: T, actual: T): void {
  if (given === actual) return
  throw new Misuse(
    `${call}: the zone exists with another ${what}: ${actual}, opened with ${given}`,
    { actual: `${actual}`, given: `${given}` },
  )
}

export function knobStats(memory: Memory, at: number): KnobStats {
  const { bucket, depotItems: depot, pendingItems, ...rest } = readKnobs(memory, at)
  return {
    bucketMin: bucket.min,
    bucketMax: bucket.max,
    ...rest,
    depot: depot === NO_LIMIT ? -1 : depot,
    pendingLimit: pendingItems === NO_LIMIT ? 0 : pendingItems,
  }
}

/** A zone's knobs, read on slow paths only. */
export class Knobs {
  private readonly memory: Memory
  private readonly made: number
  private readonly at: number

  constructor(memory: Memory, made: number, at: number) {
    this.memory = memory
    this.made = made
    this.at = at
  }

  get advanceEvery(): number {
    return this.memory.peekRacy(this.at + KnobWords.advanceEvery)
  }

  get sealAfterMs(): number {
    return this.memory.peekRacy(this.at + KnobWords.sealAfterMs)
  }

  get trimEveryMs(): number {
    return this.memory.peekRacy(this.at + KnobWords.trimEveryMs)
  }

  get depotItems(): number {
    return this.memory.peekRacy(this.at + KnobWords.depotItems)
  }

  get pendingItems(): number {
    return this.memory.peekRacy(this.at + KnobWords.pendingItems)
  }

  /** The smallest size of a full bucket, as the zone was made. */
  get leastBucket(): number {
    return this.memory.peekRacy(this.made + KnobWords.bucketMin)
  }

  /** Items at which a bucket that is loaded now counts as full. */
  get bucketNow(): number {
    return this.memory.peekRacy(this.at + KnobWords.bucketNow)
  }

  /** Larger buckets make the depot's lock rarer. Under that lock, as all that follows. */
  grow(): void {
    const most = this.memory.peekRacy(this.at + KnobWords.bucketMax)
    const now = this.bucketNow
    if (now < most) this.setBucket(Math.min(most, now + Math.max(1, now >> GROWTH)))
  }

  /** Half way back to the smallest size: the contention may be over. */
  shrink(): void {
    const least = this.memory.peekRacy(this.at + KnobWords.bucketMin)
    const now = this.bucketNow
    if (now > least) this.setBucket(least + ((now - least) >> 1))
  }

  /** Sets what was given, and for the rest `values` or what is set now. */
  turn(call: string, given: GivenKnobs, values: KnobValues | undefined, stride: number): void {
    const { memory, at, made } = this
    const before = readKnobs(memory, at)
    const { bucket } = readKnobs(memory, made)
    // Not the preset's buckets: the room of a bucket is fixed when the zone is made.
    const after = merged(given, { ...before, ...values, bucket: before.bucket }, stride)
    const { min, max } = after.bucket
    if (min < bucket.min || max > bucket.max) {
      throw new Misuse(
        `${call}: bucket is ${sayRange(after.bucket)}; the zone was made for ${sayRange(bucket)}`,
        { min, max },
      )
    }
    writeKnobs(memory, at, after, memory.load(at + KnobWords.preset))
    this.setBucket(Math.max(min, Math.min(max, this.bucketNow)))
  }

  setBucket(items: number): void {
    this.memory.store(this.at + KnobWords.bucketNow, items)
  }
}

/** One contended lock makes buckets larger by 2^-3. */
const GROWTH = 3
