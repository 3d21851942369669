/**
 * Waiting: always bounded, the last look after the last sleep, and the async twin leaves the event
 * loop to others.
 */

import { describe, expect, it, vi } from 'vitest'
import { Exhausted } from '#src/base/errors.ts'
import { Memory } from '#src/memory/memory.ts'
import { DEFAULT_TIMEOUT_MS, type Sleeper, timeoutOf, until, untilAsync } from '#src/space/wait.ts'
import { misuse, rejected, wild } from '../../helpers/refusals.ts'

const make = (): Memory => new Memory(new SharedArrayBuffer(64))

/** A memory whose clock moves only when it sleeps, so that waits take no time and lie in order. */
function patient(): { memory: Memory; sleeps: number[] } {
  const memory = make()
  const sleeps: number[] = []
  let time = 1000
  vi.spyOn(memory, 'now').mockImplementation(() => time)
  vi.spyOn(memory, 'sleep').mockImplementation((ms) => {
    sleeps.push(ms)
    time += ms
  })
  return { memory, sleeps }
}

describe('timeoutOf', () => {
  it('takes milliseconds from 0 on, Infinity when it is written, and 30 s when nothing is', () => {
    expect([0, 0.5, 7, Infinity].map((timeoutMs) => timeoutOf('x', { timeoutMs }))).toEqual([
      0,
      0.5,
      7,
      Infinity,
    ])
    expect([timeoutOf('x', undefined), timeoutOf('x', {})]).toEqual([30_000, 30_000])
    expect(DEFAULT_TIMEOUT_MS).toBe(30_000)
  })

  it.each([-1, Number.NaN, '5', null, 5n, {}, () => 1])('refuses %s and names the call', (bad) => {
    const error = misuse(() => timeoutOf('smr.wait', { timeoutMs: wild(bad) }))
    expect(error.message).toMatch(/^smr\.wait: timeoutMs is .+; give milliseconds from 0 on$/)
  })
})

/** A thread that has nothing to let go of. */
const awake = (memory: Memory): Sleeper => ({ memory, beforeSleep: () => {} })

describe('until', () => {
  it('asks no more than once when the answer is yes', () => {
    const { memory, sleeps } = patient()
    const probe = vi.fn(() => true)
    expect(until(awake(memory), 1000, probe)).toBe(true)
    expect([probe.mock.calls.length, sleeps.length]).toEqual([1, 0])
  })

  it('asks exactly once when there is no time', () => {
    const { memory, sleeps } = patient()
    const probe = vi.fn(() => false)
    expect(until(awake(memory), 0, probe)).toBe(false)
    expect([probe.mock.calls.length, sleeps.length]).toEqual([1, 0])
  })

  it('spins before it sleeps: most waits end within microseconds', () => {
    const { memory, sleeps } = patient()
    const pauses = vi.spyOn(memory, 'pause')
    let asked = 0
    expect(until(awake(memory), 1000, () => ++asked === 20)).toBe(true)
    expect([pauses.mock.calls.length, sleeps.length]).toEqual([19, 0])
  })

  it('sleeps longer and longer up to a limit, and never past the deadline', () => {
    const { memory, sleeps } = patient()
    expect(until(awake(memory), 50, () => false)).toBe(false)
    expect(sleeps.reduce((sum, ms) => sum + ms, 0)).toBeCloseTo(50)
    expect(Math.max(...sleeps)).toBeLessThanOrEqual(2)
    expect(sleeps.slice(0, 5)).toEqual([...sleeps.slice(0, 5)].sort((a, b) => a - b))
  })

  it('looks once more after the last sleep', () => {
    const { memory, sleeps } = patient()
    const slept = (): number => sleeps.reduce((sum, ms) => sum + ms, 0)
    expect(until(awake(memory), 10, () => slept() > 9.99)).toBe(true)
  })

  it('ends when it has slept for so long, though the clock stands still', () => {
    const { memory, sleeps } = patient()
    vi.spyOn(memory, 'now').mockImplementation(() => 7)
    expect(until(awake(memory), 50, () => false)).toBe(false)
    expect(sleeps.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThanOrEqual(50)
  })

  it('measures its time from the real clock', () => {
    const begun = performance.now()
    expect(until(awake(make()), 20, () => false)).toBe(false)
    const took = performance.now() - begun
    expect(took).toBeGreaterThan(18)
    expect(took).toBeLessThan(2000)
  })
})

describe('untilAsync', () => {
  it('answers yes at once, and false once the time is over', async () => {
    expect(await untilAsync(make(), 1000, undefined, () => true)).toBe(true)
    const begun = performance.now()
    expect(await untilAsync(make(), 20, undefined, () => false)).toBe(false)
    expect(performance.now() - begun).toBeGreaterThan(18)
  })

  it('asks exactly once when there is no time', async () => {
    const probe = vi.fn(() => false)
    expect(await untilAsync(make(), 0, {}, probe)).toBe(false)
    expect(probe).toHaveBeenCalledTimes(1)
  })

  it('ends when it has slept for so long, though the clock stands still', async () => {
    const memory = make()
    vi.spyOn(memory, 'now').mockImplementation(() => 7)
    expect(await untilAsync(memory, 20, undefined, () => false)).toBe(false)
  })

  it('lets the event loop run in between', async () => {
    let turned = false
    setTimeout(() => {
      turned = true
    }, 1)
    expect(await untilAsync(make(), 5000, undefined, () => turned)).toBe(true)
  })

  it('rejects with the reason of a signal, before it looks and while it waits', async () => {
    const probe = vi.fn(() => true)
    const reason = new Error('enough')
    const aborted = { signal: AbortSignal.abort(reason) }
    await expect(untilAsync(make(), 1000, aborted, probe)).rejects.toBe(reason)
    expect(probe).not.toHaveBeenCalled()

    const control = new AbortController()
    const wait = untilAsync(make(), Infinity, { signal: control.signal }, () => false)
    setTimeout(() => control.abort(reason), 5)
    await expect(wait).rejects.toBe(reason)
  })

  it('a signal without a reason still ends in an error of ours', async () => {
    await rejected(
      Exhausted,
      untilAsync(make(), 10, { signal: { aborted: true } }, () => true),
    )
  })

  it('rejects with what the probe throws', async () => {
    const boom = new Error('boom')
    const wait = untilAsync(make(), 1000, undefined, () => {
      throw boom
    })
    await expect(wait).rejects.toBe(boom)
  })
})
