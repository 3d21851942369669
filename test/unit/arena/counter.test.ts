/** Counters: the sum over all workers, those that have left or died too. */

import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { reapSlot } from '#src/arena/reap.ts'
import { Arena, Exhausted, Misuse } from '#src/index.ts'
import { checkPages } from '#src/space/pages.ts'
import { Random } from '../../helpers/random.ts'

const BYTES = 2 ** 18

describe('a counter', () => {
  it('is 0, then the sum of what all workers add', () => {
    const arena = Arena.create({ bytes: BYTES, maxWorkers: 4 })
    const other = Arena.attach(arena.handle)
    const [a, b] = [arena.counter('hits'), other.counter('hits')]
    expect([a.value, b.value]).toEqual([0, 0])
    a.add()
    b.add(10)
    a.add(-3)
    b.add(2 ** 40)
    expect([a.value, b.value]).toEqual([8 + 2 ** 40, 8 + 2 ** 40])
    expect(arena.counter('hits')).toBe(a)
    expect(arena.counter('misses').value).toBe(0)
    expect(String(JSON.stringify(a))).toContain('hits')
    checkPages(arena.memory, arena.space.pages)
  })

  it('keeps the share of those who leave or die, and their successors go on from it', () => {
    const arena = Arena.create({ bytes: BYTES, maxWorkers: 2 })
    const counter = arena.counter('hits')
    const random = new Random(7)
    let sum = 0
    for (let round = 0; round < 20; round++) {
      const worker = Arena.attach(arena.handle)
      const n = random.below(1000) - 300
      worker.counter('hits').add(n)
      sum += n
      if (round % 2 === 0) worker.detach()
      else expect(reapSlot(arena.space, worker.space.slot).reaped).toBe(true)
      expect(counter.value).toBe(sum)
    }
  })

  it('refuses what is no integer, and works no more after its worker has left', () => {
    const arena = Arena.create({ bytes: BYTES, maxWorkers: 2 })
    const counter = arena.counter('hits')
    for (const n of [1.5, Number.NaN, '1', null, 2 ** 60, 1n] as never[])
      expect(() => counter.add(n)).toThrow(Misuse)
    expect(counter.value).toBe(0)
    for (const name of ['', 3, 'x'.repeat(65)] as never[])
      expect(() => arena.counter(name)).toThrow(Misuse)
    arena.detach()
    expect(() => counter.add(1)).toThrow(Misuse)
    expect(() => counter.value).toThrow(Misuse)
    expect(JSON.stringify(counter)).toContain('hits')
  })

  it('has pages of an idle zone, or is Exhausted, and its name stays free', () => {
    const arena = Arena.create({ bytes: BYTES, maxWorkers: 2 })
    const { pages } = arena.space
    const taken: number[] = []
    for (let at = pages.reserve(1); at !== 0; at = pages.reserve(1)) taken.push(at)
    expect(() => arena.counter('hits')).toThrow(Exhausted)
    pages.release(taken.pop() as number)
    expect(arena.counter('hits').value).toBe(0)
  })
})

it('is exact over real workers, some of which are terminated in the middle', async () => {
  const arena = Arena.create({ bytes: BYTES, maxWorkers: 8 })
  const counter = arena.counter('hits')
  const library = new URL('../../../dist/index.js', import.meta.url).href
  const rounds = 200_000
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(${JSON.stringify(library)}).then(({ Arena }) => {
      const counter = Arena.attach(workerData).counter('hits')
      const own = new Int32Array(workerData.own)
      for (let i = 0; i < ${rounds}; i++) {
        counter.add(1)
        own[0]++
      }
      parentPort.postMessage('done')
      setInterval(() => {}, 1000)
    })`
  const shares = Array.from({ length: 4 }, () => new SharedArrayBuffer(4))
  const ends = shares.map(async (own, i) => {
    const worker = new Worker(code, { eval: true, workerData: { ...arena.handle, own } })
    const reaped = new Promise<void>((resolve) => arena.supervise(worker, () => resolve()))
    if (i % 2 === 0) await new Promise((resolve) => worker.once('message', resolve))
    else while (Atomics.load(new Int32Array(own), 0) < 1000) await new Promise(setImmediate)
    await worker.terminate()
    await reaped
  })
  await Promise.all(ends)
  const sum = shares.reduce((all, own) => all + Atomics.load(new Int32Array(own), 0), 0)
  // A worker that was terminated may have added once more than it has written down.
  expect(counter.value - sum).toBeGreaterThanOrEqual(0)
  expect(counter.value - sum).toBeLessThanOrEqual(2)
  expect(sum).toBeGreaterThan(2 * rounds)
})
