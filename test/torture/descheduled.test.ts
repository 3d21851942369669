/**
 * A worker is descheduled on purpose, between any two accesses: with real schedulers that is rare.
 *
 * With real threads the place is up to chance. Here one worker is stopped before each of its accesses
 * to shared memory in turn, and another moves the clock meanwhile: by a step, by half a circle, by
 * more than a circle. The clock has giant steps, of which 64 go around, so every distance is tried.
 * Afterwards an open section must hold back every later goal, and a closed one none. The sleeper runs
 * the TypeScript verbs: between the accesses of one WebAssembly call nobody can be stopped from here.
 */

import { Arena, type Smr } from 'uma-smr'
import { describe, expect, it } from 'vitest'
import { CONFIGS, type Config } from '../helpers/tiny.ts'

const CIRCLE = 64
const VERBS = ['load', 'store', 'add', 'cas'] as const
const GIANTS = CONFIGS.slice(1)

/** Runs `action`, with `sleep` before its access number `at`. False if it has no such access. */
function sleeping(arena: Arena, at: number, descheduled: () => void, action: () => void): boolean {
  const { memory } = arena
  let accesses = 0
  for (const verb of VERBS) {
    const real = memory[verb].bind(memory) as (...args: number[]) => number
    Object.assign(memory, {
      [verb]: (...args: number[]): number => {
        if (accesses++ === at) descheduled()
        return real(...args)
      },
    })
  }
  try {
    action()
  } finally {
    for (const verb of VERBS) Reflect.deleteProperty(memory, verb)
  }
  return accesses > at
}

interface Cast {
  readonly arena: Arena
  /** Handles of three workers on one domain. */
  readonly sleeper: Smr
  readonly writer: Smr
  readonly reader: Smr
}

function cast(config: Config): Cast {
  const { sequence } = config
  const arena = Arena.create({ bytes: 2 ** 18, maxWorkers: 4, sequence, intrinsics: false })
  const open = (each: Arena): Smr => each.smr('sleeps')
  const others = [Arena.attach(arena.handle), Arena.attach(arena.handle)]
  const [writer, reader] = others.map(open) as [Smr, Smr]
  return { arena, sleeper: open(arena), writer, reader }
}

/** How many of a few goals issued now are met at once. */
function metAtOnce(writer: Smr): number {
  let met = 0
  for (let i = 0; i < 5; i++) if (writer.poll(writer.advance())) met++
  return met
}

function steps(writer: Smr, count: number): void {
  for (let i = 0; i < count; i++) writer.synchronize({ timeoutMs: 0 })
}

describe.each(GIANTS)('a sleep, clock $name', (config) => {
  it('anywhere in enter, of any length, leaves a section that holds', () => {
    const { arena, sleeper, writer } = cast(config)
    let at = 0
    for (let more = true; more; at++) {
      for (let length = 0; length <= 2 * CIRCLE + 1; length++) {
        const descheduled = (): void => steps(writer, length)
        more = sleeping(arena, at, descheduled, () => sleeper.enter())
        expect([at, length, metAtOnce(writer)]).toEqual([at, length, 0])
        sleeper.exit()
        expect(writer.synchronize({ timeoutMs: 0 })).toBe(true)
      }
    }
    expect(at).toBeGreaterThan(3)
  })

  // Less than a circle: see the assumption in src/smr/clock.ts [S3].
  it('anywhere in synchronize moves the hand past nobody who entered meanwhile', () => {
    const { arena, sleeper, reader, writer } = cast(config)
    let at = 0
    for (let more = true; more; at++) {
      for (let length = 0; length < CIRCLE - 4; length++) {
        const descheduled = (): void => {
          steps(writer, length)
          reader.enter()
        }
        more = sleeping(arena, at, descheduled, () => sleeper.synchronize({ timeoutMs: 0 }))
        if (!more) break
        expect([at, length, metAtOnce(writer)]).toEqual([at, length, 0])
        reader.exit()
        expect(writer.synchronize({ timeoutMs: 0 })).toBe(true)
      }
    }
    expect(at).toBeGreaterThan(9)
  })
})
