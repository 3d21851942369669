/**
 * Death at every step: each step is visited, the heirs see what the dead have done, and a protocol
 * that cannot survive is detected.
 *
 * A killer that skipped a step, or let a dead thread's `finally` run one more verb, would prove
 * things that are not so. So the places of death are listed here one by one, and compared.
 */

import { describe, expect, it } from 'vitest'
import type { Memory } from '#src/memory/memory.ts'
import { explore, prove, replay } from './explorer.ts'
import { killAtEveryStep, proveAtEveryStep } from './kill.ts'
import { type Scenario, type Thread, thread } from './scenario.ts'

const X = 1
const Y = 2
const LOCK = 3

const victim: Thread<unknown> = thread({
  name: 'victim',
  body(memory: Memory) {
    memory.poke(X, 1)
    memory.store(Y, 1)
    memory.poke(X, 2)
    memory.add(Y, 1)
    return 'lived'
  },
})

function scene(threads: readonly Thread<unknown>[], more: Partial<Scenario> = {}): Scenario {
  return { name: 'deaths', words: 16, setup: () => undefined, threads, ...more }
}

describe('killing', () => {
  it('visits every step, and none twice', () => {
    const places: string[] = []
    const heir: Thread<unknown> = thread({
      name: 'heir',
      after: 'victim',
      body: (memory: Memory) => places.push(`${memory.peek(X)}${memory.load(Y)}`),
    })
    const found = proveAtEveryStep(scene([victim, heir]), 'victim')
    expect(found.points.map((each) => each.rules.kill)).toEqual(
      [0, 1, 2, 3, 4].map((afterStep) => [{ thread: 'victim', afterStep }]),
    )
    // The last exploration looked for a fifth step and met none; the victim lived.
    expect(places).toEqual(['00', '10', '11', '21', '22', '22'])
    expect(found.exhaustive).toBe(true)
  })

  it('leaves a fill half done', () => {
    const fills: Thread<unknown> = thread({
      name: 'victim',
      body: (memory: Memory) => memory.fill(4, 4, 9),
    })
    const seen: number[][] = []
    killAtEveryStep(
      scene([fills], {
        final: (memory) => {
          seen.push([4, 5, 6, 7].map((at) => memory.peek(at)))
        },
      }),
      'victim',
    )
    expect(seen.slice(0, 3)).toEqual([
      [0, 0, 0, 0],
      [9, 9, 0, 0],
      [9, 9, 9, 9],
    ])
  })

  it('runs no verb of the dead, not even in finally', () => {
    const tidy: Thread<unknown> = thread({
      name: 'victim',
      body(memory: Memory) {
        try {
          memory.store(X, 1)
          memory.store(X, 2)
        } finally {
          memory.store(Y, 1)
        }
      },
    })
    const ends: string[] = []
    const program = scene([tidy], {
      final: (memory, results, { dead }) => {
        ends.push(`${memory.load(X)}${memory.load(Y)} ${dead} ${results.length}`)
      },
    })
    explore(program, { kill: { thread: 'victim', afterStep: 1 } })
    expect(ends).toEqual(['10 victim 1'])
  })

  it('tells others who is dead, in every order', () => {
    const seen = new Set<string>()
    const watcher: Thread<unknown> = thread({
      name: 'watcher',
      body(memory: Memory, control) {
        const before = control.dead('victim')
        seen.add(`${before} ${memory.load(Y)}`)
        while (!control.ended('victim')) memory.pause()
        // Ordered after all that the victim did: not a race.
        return memory.peek(X)
      },
    })
    prove(scene([victim, watcher]), { kill: { thread: 'victim', afterStep: 3 } })
    expect([...seen].sort()).toEqual(['false 0', 'false 1', 'true 1'])
  })

  it('finds the lock that dies with its owner, with a string that replays', () => {
    const locking = (name: string): Thread<unknown> =>
      thread({
        name,
        body(memory: Memory) {
          while (memory.cas(LOCK, 0, 1) !== 0) memory.wait(LOCK, 1, Number.POSITIVE_INFINITY)
          memory.poke(X, memory.peek(X) + 1)
          memory.store(LOCK, 0)
          memory.notify(LOCK, 1)
        },
      })
    const program = scene([locking('victim'), locking('other')])
    prove(program)
    const { failure, points } = killAtEveryStep(program, 'victim')
    expect(failure?.message).toBe('deadlock: other sleeps on word 3')
    expect(points.length).toBe(2)
    expect(failure?.replay).toMatch(/^kill-a1\//)
    expect(replay(program, failure?.replay ?? '').failure?.message).toBe(failure?.message)
    expect(() => proveAtEveryStep(program, 'victim')).toThrow('replay: kill-a1/')
  })

  it('a dead sleeper is woken by nobody', () => {
    const sleeps = (name: string): Thread<unknown> =>
      thread({
        name,
        body: (memory: Memory) => memory.wait(X, 0, Number.POSITIVE_INFINITY),
      })
    const wakes: Thread<unknown> = thread({
      name: 'waker',
      body(memory: Memory) {
        memory.store(X, 1)
        memory.notify(X, 1)
      },
    })
    // Killed asleep, it leaves the queue; killed as it wakes, it takes the wake-up with it.
    const program = scene([sleeps('victim'), sleeps('other'), wakes])
    prove(program, { kill: { thread: 'victim', afterStep: 1 } })
    expect(explore(program, { kill: { thread: 'victim', afterStep: 2 } }).failure?.message).toBe(
      'deadlock: other sleeps on word 1',
    )
  })

  it('combines deaths', () => {
    const second: Thread<unknown> = thread({ ...victim, name: 'second', after: 'victim' })
    const places = new Set<string>()
    const program = scene([victim, second], {
      final: (_memory, _results, { dead }) => {
        places.add(dead.join())
      },
    })
    const found = proveAtEveryStep(program, 'second', { kill: { thread: 'victim', afterStep: 2 } })
    expect(found.points.length).toBe(5)
    expect([...places]).toEqual(['victim,second', 'victim'])
  })
})
