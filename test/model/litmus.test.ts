/**
 * Does the alarm ring? Tests of the checker itself, on programs whose outcome is known.
 *
 * Each litmus program states what must be found in it, and `prove` holds it to that: 'holds' after
 * all schedules, or 'fails' with a string that replays. Beyond that, exact sets of outcomes are
 * compared where a checker could be wrong in both directions: by seeing what cannot happen, and by
 * never seeing what can.
 */

import { describe, expect, it } from 'vitest'
import type { Memory } from '#src/memory/memory.ts'
import { explore, prove, replay } from './explorer.ts'
import { graceBad, graceBadPoison, graceGood } from './gracePeriod.ts'
import * as programs from './litmus.ts'
import { litmus, litmusScenarios, X, Y, Z } from './litmus.ts'
import { SHAPES } from './litmusShapes.ts'
import type { Scenario } from './scenario.ts'

/** All results that the threads can have together. */
function outcomes(program: Scenario): string[] {
  const seen = new Set<string>()
  const found = explore({
    ...program,
    final(memory, results, ending) {
      seen.add(results.join(' '))
      program.final?.(memory, results, ending)
    },
  })
  expect(found.failure).toBeUndefined()
  expect(found.exhaustive).toBe(true)
  return [...seen].sort()
}

const message = (program: Scenario): string | undefined => explore(program).failure?.message

describe('litmus', () => {
  for (const program of litmusScenarios) {
    it(`${program.name}: ${program.expect ?? 'holds'}`, () => {
      prove(program)
    })
  }

  it.each(SHAPES.map((each) => [each.scenario.name, each] as const))(
    '%s has exactly its legal outcomes',
    (_name, { scenario, allowed, outcomeOf }) => {
      const seen = new Set<string>()
      prove({
        ...scenario,
        final(memory, results) {
          seen.add(outcomeOf(memory, results))
        },
      })
      expect([...seen].sort()).toEqual(allowed)
      prove(scenario)
    },
  )

  it('an atomic flag takes earlier delayed stores with it', () => {
    prove(programs.messagePassing, { delayed: true })
  })

  it('store buffering has its three legal outcomes', () => {
    expect(outcomes(programs.storeBuffering)).toEqual(['0 1', '1 0', '1 1'])
  })

  it('a weakened store, and nothing else, makes store buffering fail', () => {
    expect(message(programs.storeBufferingWeak)).toBe('in the end: outcome 0 0')
    expect(message(programs.storeBufferingPlain)).toBe('in the end: outcome 0 0')
    expect(message({ ...programs.storeBuffering, rules: { delayed: true } })).toBeUndefined()
  })

  it('a plain flag is a race that names word, field and both threads', () => {
    expect(message(programs.messagePassingPlain)).toBe(
      't1: race: plain read of word 2 (mail.flag) is not ordered with the plain write by t0',
    )
  })

  it('plain against atomic is a race as well', () => {
    const peeks = litmus('peek', [(m) => m.store(X, 1), (m) => m.peek(X)], '')
    expect(message(peeks)).toBe(
      't1: race: plain read of word 1 is not ordered with the atomic write by t0',
    )
    const pokes = litmus('poke', [(m) => m.poke(X, 1), (m) => m.load(X)], '')
    expect(message(pokes)).toBe(
      't1: race: atomic read of word 1 is not ordered with the plain write by t0',
    )
  })

  it('setup and final check race with nobody', () => {
    const program = litmus('quiet', [(m) => m.poke(X, 1), (m) => m.poke(Y, 1)], '', {
      setup: (m) => m.poke(X, 5),
      final(m) {
        if (m.peek(X) !== 1 || m.peek(Y) !== 1) throw new Error('stores were lost')
      },
    })
    prove(program)
    prove(program, { delayed: true })
  })

  it('tally, tallied and racy peek are exempt from the race check', () => {
    prove(
      litmus(
        'exempt',
        [
          (m) => {
            m.tally(X + 1, 1)
            m.poke(Z + 1, 1)
          },
          (m) => m.tallied(X + 1) + m.peekRacy(Z + 1),
        ],
        '',
      ),
    )
  })

  it('a stale racy peek misses what does not happen before it, and only that', () => {
    const stale = { rules: { stale: true } }
    const racyPeeks = litmus(
      'unordered',
      [(m) => m.store(X, 1), (m) => [m.load(Y), m.peekRacy(X), m.load(X)]],
      '',
      stale,
    )
    expect(outcomes(racyPeeks)).toContain(' 0,0,1')
    const ordered = litmus(
      'ordered',
      [(m) => m.store(X, 1), (m) => (m.load(X) === 1 ? m.peekRacy(X) : 1)],
      ' 0',
      stale,
    )
    expect(outcomes(ordered)).toEqual([' 1'])
    const weak = litmus(
      'weak load',
      [
        (m) => m.store(X, 1),
        (m) => {
          const first = m.load(X)
          return [first, m.load(X)]
        },
      ],
      '',
      { weakenLoad: () => true },
    )
    expect(outcomes(weak)).toEqual([' 0,0', ' 0,1', ' 1,0', ' 1,1'])
  })

  it('a hostile racy peek finds whatever it is not forbidden to find', () => {
    const hostile = { rules: { hostile: true } }
    const writer = (m: Memory) => {
      for (let value = 1; value <= 3; value++) m.store(X, value)
    }
    const racyPeeks = litmus('unordered', [writer, (m) => [m.peekRacy(X), m.load(X)]], '', hostile)
    expect(outcomes(racyPeeks)).toEqual([
      ' 0,0',
      ' 0,1',
      ' 0,2',
      ' 0,3',
      ' 1,1',
      ' 1,2',
      ' 1,3',
      ' 2,2',
      ' 2,3',
      ' 3,3',
    ])
    const ordered = litmus('ordered', [writer, (m) => [m.load(X), m.peekRacy(X)]], '', hostile)
    expect(outcomes(ordered)).toEqual([
      ' 0,0',
      ' 0,1',
      ' 0,2',
      ' 0,3',
      ' 1,1',
      ' 1,2',
      ' 1,3',
      ' 2,2',
      ' 2,3',
      ' 3,3',
    ])
    const mine = litmus(
      'its own last write hides all earlier ones',
      [
        writer,
        (m) => {
          m.store(X, 9)
          return m.peekRacy(X)
        },
      ],
      ' 0',
      hostile,
    )
    expect(outcomes(mine)).toEqual([' 1', ' 2', ' 3', ' 9'])
  })

  it('the halves of a tally are found one by one', () => {
    const torn = litmus(
      'tally',
      [(m) => m.tally(X + 1, 1 + 2 ** -30), (m) => m.tallied(X + 1)],
      '',
      { rules: { hostile: true } },
    )
    expect(outcomes(torn)).toHaveLength(4)
  })

  it('an atomic load does not flush delayed stores, an atomic write does', () => {
    const flushing = (look: (m: Memory) => number) =>
      litmus(
        'poke, then look',
        [
          (m) => {
            m.poke(X, 1)
            return look(m)
          },
          (m) => {
            m.store(Y, 1)
            return m.peek(X)
          },
        ],
        '',
        { rules: { delayed: true, races: false } },
      )
    expect(outcomes(flushing((m) => m.load(Y)))).toEqual(['0 0', '0 1', '1 0', '1 1'])
    expect(outcomes(flushing((m) => m.add(Y, 0)))).toEqual(['0 1', '1 0', '1 1'])
    // A compare-and-swap that fails writes nothing.
    expect(outcomes(flushing((m) => m.cas(Y, 9, 9)))).toContain('0 0')
  })

  it('a thread that starts after the end of another sees all of it', () => {
    const program = litmus('after', [(m) => m.poke(X, 1), (m) => m.peek(X)], '', {
      rules: { delayed: true },
    })
    const [first, second] = program.threads
    if (first === undefined || second === undefined) throw new Error('two threads')
    const ordered = { ...program, threads: [first, { ...second, after: first.name }] }
    expect(outcomes(ordered)).toEqual([' 1'])
  })

  it('names deadlocks and endless loops', () => {
    expect(message(programs.deadlock)).toBe('deadlock: t0 sleeps on word 1, t1 sleeps on word 2')
    expect(message(programs.lostWakeUp)).toBe('deadlock: t0 sleeps on word 2')
    expect(message(programs.unfairSpin)).toContain('t0: does not terminate')
    expect(message(programs.hopelessSpin)).toContain('t0: does not terminate')
  })

  it('time passes only when nobody can run', () => {
    const timed = litmus(
      'timed',
      [
        (m) => {
          const begun = m.now()
          m.wait(X, 0, 20)
          return [m.load(Y), m.now() - begun]
        },
        (m) => m.store(Y, 1),
      ],
      '',
    )
    expect(outcomes(timed)).toEqual(['1,20 '])
    const sleeps = litmus(
      'sleeps',
      [
        (m) => {
          const deadline = m.now() + 5
          let sleeps = 0
          for (; m.now() < deadline; sleeps++) m.sleep(2)
          return sleeps
        },
      ],
      '',
    )
    expect(outcomes(sleeps)).toEqual(['3'])
  })

  it('time passes while others can go on, as often as they are impatient', () => {
    const sleeper = (m: Memory) => {
      const begun = m.now()
      m.wait(X, 0, 20)
      return [m.load(Y), m.now() - begun]
    }
    const timed = litmus('timed', [sleeper, (m) => m.store(Y, 1)], '', { rules: { impatience: 1 } })
    const far = 100_000
    expect(outcomes(timed)).toEqual(
      ['0,0 ', `0,${far} `, '0,20 ', '1,0 ', `1,${far} `, `1,${far + 20} `, '1,20 '].sort(),
    )
    const sleeps = litmus(
      'sleeps',
      [
        (m) => {
          let sleeps = 0
          for (const deadline = m.now() + 100; m.load(X) === 0 && m.now() < deadline; sleeps++)
            m.sleep(20)
          return m.load(X) === 1 || sleeps
        },
        (m) => m.store(X, 1),
      ],
      '',
    )
    expect(outcomes(sleeps)).toEqual(['true '])
    // Five sleeps are over before the other has taken a step, or one very long one.
    expect(outcomes({ ...sleeps, rules: { impatience: 5 } })).toEqual([
      '1 ',
      '2 ',
      '3 ',
      '4 ',
      '5 ',
      'true ',
    ])
    expect(outcomes({ ...sleeps, rules: { impatience: 1 } })).toEqual(['1 ', 'true '])
  })

  it('an impatient schedule replays', () => {
    const sleeps = litmus(
      'sleeps',
      [
        (m) => {
          m.sleep(20)
          return m.load(X)
        },
        (m) => m.store(X, 1),
      ],
      '0 undefined',
      { rules: { impatience: 1, bound: 0 }, expect: 'fails' },
    )
    expect(prove(sleeps).failure?.replay).toMatch(/^impatient1\//)
  })

  it('a spin ends with the next change, and not later', () => {
    const watcher = (m: Memory) => {
      let spins = 0
      while (m.load(X) === 0) {
        m.pause()
        spins++
      }
      return `${spins} ${m.load(X)}`
    }
    const program = litmus(
      'watcher',
      [
        watcher,
        (m) => {
          m.store(X, 1)
          m.store(X, 2)
        },
      ],
      '',
    )
    expect(outcomes(program)).toEqual(['0 1 ', '0 2 ', '1 1 ', '1 2 '])
  })

  it('a spin is over at once when something has changed since the last', () => {
    const program = litmus(
      'spin',
      [
        (m) => {
          const begun = m.now()
          const seen = m.load(X)
          m.pause()
          return [seen, m.now() - begun]
        },
        (m) => m.store(X, 1),
      ],
      '',
    )
    expect(outcomes(program)).toEqual(['0,0 ', '1,0 '])
  })

  it('without blocking, waits spin', () => {
    prove({ ...programs.wakeUp, rules: { blocking: false } })
    prove({ ...programs.lostWakeUp, expect: 'holds', rules: { blocking: false } })
  })

  it('bytes and floats are as in the real memory', () => {
    const text = Uint8Array.from([1, 2, 3, 250, 5, 6])
    const program = litmus(
      'bytes',
      [
        (m) => {
          m.writeBytes(4, 1, text)
          m.pokeByte(4, 0, 77)
          m.pokeFloat(8, -1.5e300)
          m.fill(10, 3, -9)
          m.load(X)
          return [...m.readBytes(4, 0, 7), m.peekByte(4, 4), m.peekFloat(8), m.peek(12), m.peek(13)]
        },
        (m) => m.store(X, 1),
      ],
      '',
    )
    const expected = ['77,1,2,3,250,5,6,250,-1.5e+300,-9,0 ']
    expect(outcomes(program)).toEqual(expected)
    expect(outcomes({ ...program, rules: { delayed: true } })).toEqual(expected)
  })

  it('refuses what is not deterministic', () => {
    let calls = 0
    const moody = (m: Memory) => {
      m.load(X + (calls++ % 2))
      m.load(Z)
      m.load(Z)
    }
    const program = litmus('moody', [moody, moody], '')
    expect(explore(program, { prune: false }).failure?.message).toMatch(
      /thread t\d is not deterministic/,
    )
  })

  it('tries all choices of a thread', () => {
    const program = litmus('choose', [], '', {
      threads: [{ name: 'chooser', body: (_m, control) => control.choose(3) }],
    })
    expect(outcomes(program)).toEqual(['0', '1', '2'])
  })
})

describe('the grace period', () => {
  it('holds', () => {
    const found = prove(graceGood)
    expect(found.exhaustive).toBe(true)
    prove(graceGood, { delayed: true })
    prove(graceGood, { plainSteps: true, prune: false, bound: 3 })
  })

  it('fails when the writer advances before the unlink, with a string that replays', () => {
    const { failure } = explore(graceBad)
    expect(failure?.message).toContain('race: plain write of word 8 (item.value)')
    const again = replay(graceBad, failure?.replay ?? '')
    expect(again.failure?.message).toBe(failure?.message)
    expect(again.failure?.replay).toBe(failure?.replay)
    expect(again.steps.length).toBeGreaterThan(8)
  })

  it('fails as use after free where races are ignored', () => {
    const found = prove(graceBadPoison)
    expect(found.failure?.message).toBe('reader: use after free')
    expect(found.failure?.replay).toMatch(/^points\/noraces\/[ab\d]+$/)
  })

  it('fails under random schedules too', () => {
    const sample = { schedules: 3000, seed: 7 }
    const found = prove(graceBadPoison, { sample })
    expect(found.failure?.message).toBe('reader: use after free')
    expect(prove(graceGood, { sample }).schedules).toBe(sample.schedules)
    // The same seed finds the same schedule.
    expect(explore(graceBadPoison, { sample }).failure?.replay).toBe(found.failure?.replay)
  })

  it('other strings run other schedules, and wrong ones are refused', () => {
    expect(replay(graceBadPoison, 'points/noraces/a9b20').failure).toBeUndefined()
    expect(replay(graceBadPoison, 'c').failure?.message).toContain('does not fit')
    expect(() => replay(graceBadPoison, 'nonsense/a')).toThrow('unknown rule')
    expect(() => replay(graceBadPoison, 'a-b')).toThrow('is no schedule')
  })
})
