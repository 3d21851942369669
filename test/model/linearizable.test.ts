/**
 * The judge of histories: by hand, from the explorer, and at random.
 *
 * Registers and counters are small enough to know the verdict beforehand. Histories made by a
 * sequential object with widened intervals must always be accepted; the classical refutations must
 * be refused; and an operation that never came back may have happened or not.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Memory } from '#src/memory/memory.ts'
import { explore, prove } from './explorer.ts'
import { assertLinearizable, deterministic, linearize, type Operation } from './linearizable.ts'
import { type Scenario, thread } from './scenario.ts'

const register = deterministic<number>(
  0,
  (state, call, [value]) =>
    call === 'write' ? { state: value as number, result: undefined } : { state, result: state },
  String,
)

const op = (
  thread: number,
  start: number,
  end: number,
  call: string,
  value?: number,
): Operation => ({
  thread,
  call,
  args: call === 'write' ? [value] : [],
  result: call === 'write' ? undefined : value,
  start,
  end,
})

describe('linearize', () => {
  it('accepts a read that overlaps a write, with either value', () => {
    for (const value of [0, 5]) {
      const history = [op(0, 1, 4, 'write', 5), op(1, 2, 3, 'read', value)]
      expect(linearize(history, register)).toHaveLength(2)
    }
  })

  it('refuses a read of the old value after the write has returned', () => {
    const history = [op(0, 1, 2, 'write', 5), op(1, 3, 4, 'read', 0)]
    expect(linearize(history, register)).toBeUndefined()
    expect(() => assertLinearizable(history, register)).toThrow(
      'not linearizable:\n  1: thread 0 calls write(5), returns undefined at 2\n  3: thread 1 calls read(), returns 0 at 4',
    )
  })

  it('refuses two readers that disagree about the order of two writes', () => {
    const history = [
      op(0, 1, 9, 'write', 1),
      op(1, 2, 10, 'write', 2),
      op(2, 3, 4, 'read', 1),
      op(2, 5, 6, 'read', 2),
      op(3, 3, 4, 'read', 2),
      op(3, 5, 6, 'read', 1),
    ]
    expect(linearize(history, register)).toBeUndefined()
  })

  it('lets an operation that never came back take effect, or not', () => {
    const never = Number.POSITIVE_INFINITY
    const dead = op(0, 1, never, 'write', 5)
    expect(linearize([dead, op(1, 2, 3, 'read', 5)], register)).toHaveLength(2)
    expect(linearize([dead, op(1, 2, 3, 'read', 0)], register)).toHaveLength(1)
    expect(linearize([dead, op(1, 2, 3, 'read', 6)], register)).toBeUndefined()
  })

  it('takes specs with several possible answers', () => {
    const pool = {
      initial: '',
      key: (state: string) => state,
      next: (state: string, { result }: Operation) =>
        state.includes(String(result)) ? [] : [state + String(result)],
    }
    const take = (thread: number, result: number): Operation => ({
      ...op(thread, 1, 2, 'read'),
      result,
    })
    expect(linearize([take(0, 1), take(1, 2)], pool)).toHaveLength(2)
    expect(linearize([take(0, 1), take(1, 1)], pool)).toBeUndefined()
  })

  it('accepts every history that was made by a sequential object', () => {
    const calls = fc.array(
      fc.record({
        thread: fc.nat(2),
        write: fc.boolean(),
        value: fc.nat(3),
        early: fc.nat(3),
        late: fc.nat(3),
      }),
      { maxLength: 12 },
    )
    fc.assert(
      fc.property(calls, (list) => {
        let state = 0
        const history: Operation[] = []
        const free: number[] = []
        for (const [i, { thread, write, value, early, late }] of list.entries()) {
          if (write) state = value
          // Takes effect at 10 * i; the interval around it grows at random, within its thread.
          const start = Math.max(10 * i - early * 8, (free[thread] ?? -1) + 0.5)
          const end = Math.max(start, 10 * i) + late * 8
          if (start > 10 * i) continue
          free[thread] = end
          history.push(op(thread, start, end, write ? 'write' : 'read', state))
        }
        // Dropping a write that was not recorded would change what others may read.
        fc.pre(history.length === list.length)
        expect(linearize(history, register)).toBeDefined()
      }),
    )
  })
})

describe('histories from the explorer', () => {
  const counter = deterministic<number>(0, (state) => ({ state: state + 1, result: state }), String)
  const scene = (increment: (memory: Memory) => number): Scenario => ({
    name: 'counter',
    words: 4,
    setup: () => undefined,
    threads: [0, 1].map((i) =>
      thread({
        name: `t${i}`,
        body(memory: Memory, control) {
          for (let n = 0; n < 2; n++) control.operation('next', [], () => increment(memory))
        },
      }),
    ),
    final: (_memory, _results, { operations }) => assertLinearizable(operations, counter),
  })

  it('an atomic counter is linearizable', () => {
    prove(scene((memory) => memory.add(1, 1)))
  })

  it('also when its user dies', () => {
    prove(
      scene((memory) => memory.add(1, 1)),
      { kill: { thread: 't0', afterStep: 1 } },
    )
  })

  it('a counter of two steps is not', () => {
    const found = explore(
      scene((memory) => {
        const value = memory.load(1)
        memory.store(1, value + 1)
        return value
      }),
    )
    expect(found.failure?.message).toContain('not linearizable')
  })

  it('pruning keeps apart what only the history tells apart', () => {
    // Returns what it read before it began. Whether the write had ended by then is a fact that no
    // word of memory and no answer shows; the harmless order comes first.
    const late: Scenario = {
      ...scene(() => 0),
      threads: [
        thread({
          name: 'reader',
          body(memory: Memory, control) {
            const early = memory.load(1)
            control.operation('read', [], () => {
              memory.load(2)
              memory.store(3, 1)
              return early
            })
          },
        }),
        thread({
          name: 'writer',
          body: (memory: Memory, control) =>
            control.operation('write', [1], () => memory.store(1, 1)),
        }),
        // Cannot end before the reader's last step: until then, states are looked up.
        thread({
          name: 'bystander',
          body(memory: Memory) {
            while (memory.load(3) === 0) memory.pause()
          },
        }),
      ],
      final: (_memory, _results, { operations }) => assertLinearizable(operations, register),
    }
    expect(explore(late, { prune: false }).failure?.message).toContain('not linearizable')
    expect(explore(late).failure?.message).toContain('not linearizable')
  })

  it('remarks are in the order of the schedule, and in no order twice', () => {
    const orders: string[] = []
    const remarks: Scenario = {
      ...scene(() => 0),
      threads: [0, 1].map((i) =>
        thread({
          name: `t${i}`,
          body(memory: Memory, control) {
            memory.load(1)
            control.event(`a${i}`)
            memory.load(1)
            control.event(`b${i}`)
          },
        }),
      ),
      final: (_memory, _results, ending) => {
        orders.push(ending.remarks.map((each) => each.payload).join(' '))
      },
    }
    prove(remarks)
    expect(orders.length).toBe(6)
    expect(new Set(orders).size).toBe(6)
    expect(orders).toContain('a0 a1 b0 b1')
  })
})
