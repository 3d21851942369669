/**
 * An exception at every step: each call is visited, the thread's own `catch` and `finally` run after a
 * throw and not after a cut, the thread goes on, and what it has left behind detects it.
 *
 * As with deaths, a machine that skipped a call or undid too much would prove things that are not so.
 */

import { describe, expect, it } from 'vitest'
import type { Memory } from '#src/memory/memory.ts'
import { explore, prove, replay } from './explorer.ts'
import { linearize } from './linearizable.ts'
import { type Scenario, type Thread, thread } from './scenario.ts'
import { proveWithThrowAtEveryStep, type Throws, throwAtEveryStep } from './throws.ts'

const X = 1
const Y = 2
const LOCK = 3

function scene(threads: readonly Thread<unknown>[], more: Partial<Scenario> = {}): Scenario {
  return { name: 'throws', words: 16, setup: () => undefined, threads, ...more }
}

/** A worker whose library is `run`: its calls may fail. What it does on its own never fails. */
function worker<T>(
  make: (library: Memory) => T,
  run: (handle: T) => void,
  next: (handle: T, memory: Memory, ended: boolean) => unknown = () => undefined,
): Thread<unknown> {
  return thread({
    name: 'worker',
    prepare: (library: Memory) => make(library),
    body: (memory, control, handle: T) =>
      next(
        handle,
        memory,
        control.attempt(() => run(handle)),
      ),
  })
}

/** All ends that are reached, for each call that fails. */
function endsOf(thread: Thread<unknown>, throws: Throws, others: readonly Thread<unknown>[] = []) {
  const ends: string[] = []
  const program = scene([thread, ...others], {
    final: (memory, results) => {
      ends.push(`${memory.peek(X)}${memory.peek(Y)} ${results[0]}`)
    },
  })
  const { points } = proveWithThrowAtEveryStep(program, 'worker', throws)
  return { ends, points }
}

describe('a throw', () => {
  const steps = (memory: Memory): void => {
    memory.poke(X, 1)
    memory.peek(X)
    memory.store(Y, 1)
    memory.load(Y)
    memory.poke(X, 2)
  }
  const plain = worker(
    (memory) => memory,
    steps,
    (_handle, _memory, ended) => ended,
  )

  it('visits every call, plain reads too, and none twice', () => {
    const { ends, points } = endsOf(plain, { kind: 'throw' })
    expect(points.map((each) => each.rules.fault)).toEqual(
      [0, 1, 2, 3, 4].map((afterCalls) => [
        { thread: 'worker', afterCalls, kind: 'throw', calls: 1 },
      ]),
    )
    expect(ends).toEqual(['00 false', '10 false', '10 false', '11 false', '11 false', '21 true'])
  })

  it('visits every n-th call only, where told so', () => {
    const { ends } = endsOf(plain, { kind: 'throw', from: 1, every: 2 })
    expect(ends).toEqual(['10 false', '11 false', '21 true'])
  })

  it('is a RangeError, met by catch and finally, whose calls act', () => {
    const tidy = worker(
      (memory) => ({ memory, said: '' }),
      (handle) => {
        try {
          handle.memory.store(X, 1)
        } catch (error) {
          handle.said = error instanceof RangeError ? error.message : 'no'
          throw error
        } finally {
          handle.memory.store(Y, 1)
        }
      },
      (handle) => handle.said,
    )
    expect(endsOf(tidy, { kind: 'throw' }).ends).toEqual([
      '01 Maximum call stack size exceeded',
      '10 ',
      '11 ',
    ])
  })

  it('may come several times in a row, as in a finally that is too deep still', () => {
    const twice = worker(
      (memory) => memory,
      (memory) => {
        try {
          memory.store(X, 1)
        } finally {
          try {
            memory.store(Y, 1)
          } finally {
            memory.store(Y, 2)
          }
        }
      },
    )
    const ends = (calls: number): string | undefined =>
      endsOf(twice, { kind: 'throw', calls }).ends[0]
    expect([1, 2, 3].map(ends)).toEqual(['02 undefined', '02 undefined', '00 undefined'])
  })

  it('passes when the library has made another error of it, with its cause', () => {
    const wrapping = worker(
      (memory) => memory,
      (memory) => {
        try {
          memory.store(X, 1)
        } catch (cause) {
          throw new Error('in store', { cause })
        }
      },
    )
    expect(endsOf(wrapping, { kind: 'throw' }).ends).toEqual(['00 undefined', '10 undefined'])
    const hiding = worker(
      (memory) => memory,
      (memory) => {
        try {
          memory.store(X, 1)
        } catch {
          throw new Error('something else')
        }
      },
    )
    const { failure } = throwAtEveryStep(scene([hiding]), 'worker', { kind: 'throw' })
    expect(failure?.message).toBe('worker: something else')
  })

  it('never meets what is done outside of an attempt, or in prepare', () => {
    const careful = thread({
      name: 'worker',
      prepare(library: Memory) {
        library.load(X)
        return library
      },
      body(memory: Memory, control, library: Memory) {
        library.store(Y, 1)
        control.attempt(() => memory.store(X, 1))
      },
    })
    expect(endsOf(careful, { kind: 'throw' })).toEqual({ ends: ['11 undefined'], points: [] })
  })
})

describe('a cut', () => {
  interface Handle {
    readonly memory: Memory
    readonly log: Set<string>
    open: boolean
    extra?: number
  }
  const opens = worker(
    (memory): Handle => ({ memory, log: new Set(), open: false }),
    (handle) => {
      handle.open = true
      handle.log.add('opened')
      try {
        handle.memory.store(X, 1)
        handle.memory.store(X, 2)
      } catch {
        handle.extra = 1
      } finally {
        handle.open = false
        handle.log.clear()
        handle.memory.store(Y, 1)
      }
    },
    ({ memory, open, log, extra }, _memory, ended) => {
      memory.load(X)
      return `${ended} ${open} ${[...log]} ${extra}`
    },
  )

  it('runs no finally: neither its calls nor what it changes in private', () => {
    expect(endsOf(opens, { kind: 'cut' }).ends).toEqual([
      '00 false true opened undefined',
      '10 false true opened undefined',
      // In the finally itself: what it had changed before it was cut stays.
      '20 false false  undefined',
      '21 true false  undefined',
    ])
  })

  it('is over with the attempt', () => {
    const again = thread({
      name: 'worker',
      prepare: (library: Memory) => library,
      body(_memory: Memory, control, library: Memory) {
        const ended = [1, 2].map((value) => control.attempt(() => library.store(X, value)))
        return ended.join()
      },
    })
    expect(endsOf(again, { kind: 'cut' }).ends).toEqual([
      '20 false,true',
      '10 true,false',
      '20 true,true',
    ])
  })
})

describe('the thread that goes on', () => {
  const locking = (tidy: boolean): Thread<unknown> =>
    thread({
      name: 'worker',
      prepare: (library: Memory) => library,
      body(_memory: Memory, control, library: Memory) {
        for (let i = 0; i < 2; i++) {
          control.attempt(() => {
            while (library.cas(LOCK, 0, 1) !== 0) library.wait(LOCK, 1, Number.POSITIVE_INFINITY)
            try {
              library.poke(X, library.peek(X) + 1)
            } finally {
              if (tidy) library.store(LOCK, 0)
            }
            if (!tidy) library.store(LOCK, 0)
            library.notify(LOCK, 1)
          })
        }
      },
    })
  const other = thread({
    name: 'other',
    body(memory: Memory) {
      while (memory.cas(LOCK, 0, 1) !== 0) memory.wait(LOCK, 1, Number.POSITIVE_INFINITY)
      memory.poke(X, memory.peek(X) + 1)
      memory.store(LOCK, 0)
      memory.notify(LOCK, 1)
    },
  })

  it('is detected by the lock it has kept, with a string that replays', () => {
    const program = scene([locking(false), other])
    prove(program)
    const { failure, points } = throwAtEveryStep(program, 'worker', { kind: 'throw' })
    expect(points).toHaveLength(2)
    expect(failure?.message).toMatch(/^deadlock: /)
    expect(failure?.replay).toMatch(/^throw-a1\//)
    const again = replay(program, failure?.replay ?? '')
    expect(again.failure?.message).toBe(failure?.message)
    expect(again.steps.some((step) => step.includes('worker: fault'))).toBe(true)
    expect(() => proveWithThrowAtEveryStep(program, 'worker', { kind: 'throw' })).toThrow(
      'replay: throw-a1/',
    )
  })

  it('gives it back in finally, unless that is too deep as well, or is not run', () => {
    const program = scene([locking(true), other])
    const fails = (throws: Throws): boolean =>
      throwAtEveryStep(program, 'worker', throws).failure !== undefined
    expect(fails({ kind: 'throw', calls: 2 })).toBe(true)
    expect(fails({ kind: 'cut' })).toBe(true)
    // A throw by the store of the finally itself keeps the lock, of course.
    const points = [0, 1, 2].map((afterCalls) =>
      explore(program, { fault: { thread: 'worker', afterCalls, kind: 'throw' } }),
    )
    expect(points.map(({ failure }) => failure)).toEqual([undefined, undefined, undefined])
  })

  it('is run again from its log, and throws at the same call', () => {
    const busy = thread({
      name: 'other',
      body: (memory: Memory) => [1, 2, 3].map(() => memory.add(Y, 1)),
    })
    const adding = thread({
      name: 'worker',
      prepare: (library: Memory) => library,
      body(_memory: Memory, control, library: Memory) {
        const ended = [1, 2, 3].map(() => control.attempt(() => library.add(X, 1)))
        return ended.filter((each) => each).length
      },
    })
    const ends: string[] = []
    const program = scene([adding, busy], {
      final: (memory, results) => void ends.push(`${memory.load(X)} ${results[0]}`),
      rules: { prune: false },
    })
    const { points } = proveWithThrowAtEveryStep(program, 'worker', { kind: 'throw' })
    expect(points.every(({ schedules, killed }) => schedules > 5 && killed === schedules)).toBe(
      true,
    )
    expect(new Set(ends)).toEqual(new Set(['2 2', '3 3']))
  })

  it('has an operation that never came back, and later ones that did', () => {
    const calls = thread({
      name: 'worker',
      prepare: (library: Memory) => library,
      body(_memory: Memory, control, library: Memory) {
        for (let i = 0; i < 2; i++) {
          control.attempt(() =>
            control.operation('add', [], () => {
              library.add(X, 1)
              return library.add(X, 1)
            }),
          )
        }
      },
    })
    const histories: string[] = []
    const program = scene([calls], {
      final: (_memory, _results, { operations }) => {
        histories.push(operations.map(({ result, end }) => `${result} ${end}`).join(', '))
        const counter = { initial: 0, next: (n: number) => [n, n + 1], key: String }
        expect(linearize(operations, counter)).toBeDefined()
      },
    })
    proveWithThrowAtEveryStep(program, 'worker', { kind: 'throw' })
    expect(histories).toEqual([
      '1 2',
      'undefined Infinity, 2 3',
      '1 2',
      '1 2, undefined Infinity',
      '1 2, 3 4',
    ])
  })
})
