/**
 * Sections and goals: what a section publishes, which goals it holds back and which it does not,
 * what is refused, and what happens when the hands get too far apart. Three attachments in one
 * thread decide exactly who does what before whom; all of it under every clock of CONFIGS.
 */

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { reapSlot } from '#src/arena/reap.ts'
import { MAX_DELTA, type Seq } from '#src/base/seq.ts'
import { Arena, type Goal, Misuse, type Smr } from '#src/index.ts'
import { Header } from '#src/memory/layout.ts'
import { checkPages } from '#src/space/pages.ts'
import { pair, trio } from '../../helpers/company.ts'
import { Hands } from '../../helpers/hands.ts'
import { exhausted, misuse, rejected, unchanged, wild } from '../../helpers/refusals.ts'
import { CONFIGS } from '../../helpers/tiny.ts'

describe.each(CONFIGS)('$name', (config) => {
  let a: Arena
  let b: Arena
  let c: Arena
  let x: Smr
  let y: Smr
  let z: Smr
  let hands: Hands

  beforeEach(() => {
    ;[a, b, c] = trio({}, config)
    ;[x, y, z] = [a.smr('d'), b.smr('d'), c.smr('d')]
    hands = new Hands(x)
  })

  /** A clock that moves only while `arena`'s worker sleeps. Returns how long that was. */
  function sleeping(arena: Arena, onSleep: () => void = () => {}): () => number {
    const begun = arena.memory.now()
    let time = begun
    vi.spyOn(arena.memory, 'now').mockImplementation(() => time)
    vi.spyOn(arena.memory, 'sleep').mockImplementation((ms) => {
      time += ms
      onSleep()
    })
    return () => time - begun
  }

  describe('a section', () => {
    it('[R1] publishes what the write hand shows, in its own word, until [R2] clears it', () => {
      const goal = x.advance()
      y.enter()
      expect([hands.seq(0), hands.seq(1), hands.seq(2)]).toEqual([0, goal, 0])
      x.advance()
      expect(hands.seq(1)).toBe(goal)
      y.exit()
      expect(hands.seq(1)).toBe(0)
    })

    it('[R1] loads the write hand, publishes, and loads the write hand again, all atomically', () => {
      // Step by step; with intrinsics it is one call, which intrinsics.test.ts compares with this.
      ;[a, b, c] = trio({ intrinsics: false }, config)
      ;[x, y, z] = [a.smr('d'), b.smr('d'), c.smr('d')]
      const steps: string[] = []
      const where = (at: number): string => (at === hands.wrAt ? 'wr' : 'seq')
      const { load, store } = b.memory
      vi.spyOn(b.memory, 'load').mockImplementation((at) => {
        steps.push(`load ${where(at)}`)
        return load.call(b.memory, at)
      })
      vi.spyOn(b.memory, 'store').mockImplementation((at, value) => {
        steps.push(`store ${where(at)}`)
        store.call(b.memory, at, value)
      })
      y.enter()
      y.exit()
      expect(steps).toEqual(['load wr', 'store seq', 'load wr', 'store seq'])
    })

    it('knows whether it is open, per worker and per domain', () => {
      const other = b.smr('other')
      y.enter()
      expect([y.entered, x.entered, other.entered]).toEqual([true, false, false])
      other.enter()
      y.exit()
      expect([y.entered, other.entered]).toEqual([false, true])
      other.exit()
    })

    it('does not nest: the second enter is refused and the first section stays open', () => {
      y.enter()
      x.advance()
      const error = unchanged(a, () => misuse(() => y.enter()))
      expect(error.message).toBe(
        'smr.enter: domain "d": a section is open; sections of one domain do not nest: exit first',
      )
      expect(y.entered).toBe(true)
      y.exit()
      y.enter()
      y.exit()
    })

    it('that is not open cannot be closed', () => {
      for (let i = 0; i < 2; i++) {
        const error = unchanged(a, () => misuse(() => y.exit()))
        expect(error.message).toBe('smr.exit: domain "d": no section is open; call enter first')
        y.read(() => {})
      }
    })

    it('may be asserted, either way', () => {
      y.assertNotEntered()
      expect(misuse(() => y.assertEntered()).message).toMatch(/^smr\.assertEntered: domain "d"/)
      y.enter()
      y.assertEntered()
      expect(misuse(() => y.assertNotEntered()).message).toMatch(/^smr\.assertNotEntered: /)
      y.exit()
    })
  })

  describe('read', () => {
    it('runs inside a section and answers what the function does', () => {
      expect(y.read(() => [y.entered, hands.seq(1) === hands.wr])).toEqual([true, true])
      expect([y.entered, hands.seq(1)]).toEqual([false, 0])
    })

    it('closes the section when the function throws', () => {
      const boom = new Error('boom')
      expect(() =>
        y.read(() => {
          throw boom
        }),
      ).toThrow(boom)
      expect([y.entered, hands.seq(1)]).toEqual([false, 0])
    })

    it.each<[string, () => unknown]>([
      ['an async function', async () => 1],
      ['an async function that fails', () => Promise.reject(new Error('later'))],
      // biome-ignore lint/suspicious/noThenProperty: a promise of somebody else's making
      ['any thenable', () => ({ then: () => {} })],
    ])('refuses %s, and the section is closed', async (_, fn) => {
      expect(misuse(() => y.read(fn)).message).toMatch(
        /^smr\.read: domain "d": the function returned a promise/,
      )
      expect([y.entered, hands.seq(1)]).toEqual([false, 0])
      // A rejection of the refused promise must not go unhandled: that would fail this run.
      await new Promise((resolve) => setTimeout(resolve, 1))
    })

    it('does not nest, and leaves the outer section open', () => {
      y.read(() => {
        misuse(() => y.read(() => expect.unreachable('no section within a section')))
        expect(y.entered).toBe(true)
        expect(hands.seq(1)).not.toBe(0)
      })
      expect(y.entered).toBe(false)
    })
  })

  describe('a goal', () => {
    it('is where the write hand has moved to, one step at a time', () => {
      const goals = [x.advance(), y.advance(), x.advance()]
      expect(goals).toEqual([1, 2, 3].map((n) => hands.later(config.sequence.first, n)))
      expect(hands.wr).toBe(goals[2])
    })

    it('waits for both of two sections of the same age', () => {
      y.enter()
      z.enter()
      const goal = x.advance()
      expect(x.poll(goal)).toBe(false)
      z.exit()
      expect(x.poll(goal)).toBe(false)
      y.exit()
      expect(x.poll(goal)).toBe(true)
    })

    it('that is not met yet still forwards the read hand, to the oldest section', () => {
      x.advance()
      y.enter()
      const seen = hands.wr
      x.advance()
      expect(x.poll(x.advance())).toBe(false)
      expect(hands.rd).toBe(seen)
    })

    it('[S1] that the read hand has passed needs no look at the readers', () => {
      const goal = x.advance()
      expect(x.poll(goal)).toBe(true)
      const { pollScans } = x.stats()
      y.enter()
      expect(z.poll(goal)).toBe(true)
      expect(x.stats().pollScans).toBe(pollScans)
    })

    it('[S2] is looked for in this order: read hand, write hand, who is attached, what they published', () => {
      const goal = x.advance()
      const looks: string[] = []
      const { load } = c.memory
      const names = new Map([
        [hands.rdAt, 'rd'],
        [hands.wrAt, 'wr'],
        [Header.active, 'attached'],
        ...[0, 1, 2].map((slot) => [hands.seqAt(slot), `reader ${slot}`] as const),
      ])
      vi.spyOn(c.memory, 'load').mockImplementation((at) => {
        looks.push(names.get(at) ?? `word ${at}`)
        return load.call(c.memory, at)
      })
      expect(z.poll(goal)).toBe(true)
      expect(looks).toEqual(['rd', 'wr', 'attached', 'reader 0', 'reader 1', 'reader 2'])
    })

    it('[S3] is decided from what was captured first, though another poller forwards meanwhile', () => {
      x.advance()
      y.enter()
      const goal = x.advance()
      const { cas } = c.memory
      // Between z's scan and its CAS, y leaves and x polls: z's answer is old, and the hand stays.
      vi.spyOn(c.memory, 'cas').mockImplementationOnce((...args) => {
        y.exit()
        expect(x.poll(x.advance())).toBe(true)
        return cas.apply(c.memory, args)
      })
      expect(z.poll(goal)).toBe(false)
      expect(hands.rd).toBe(hands.wr)
      expect(z.poll(goal)).toBe(true)
    })
  })

  describe('what is no goal', () => {
    const nonsense = [
      0,
      2,
      -2,
      1.5,
      Number.NaN,
      Infinity,
      2 ** 32 + 1,
      2 ** 31 + 1,
      '1',
      1n,
      null,
      undefined,
      {},
      [1],
      true,
      Symbol('goal'),
    ]

    it.each(nonsense.map((value) => [value]))(
      '%s is refused by every verb in its own name',
      async (value) => {
        const goal = wild(value)
        const before = a.words.slice()
        for (const verb of ['poll', 'wait'] as const) {
          expect(misuse(() => x[verb](goal)).message).toMatch(
            new RegExp(
              `^smr\\.${verb}: domain "d": .* is no goal; pass what advance\\(\\) returned$`,
            ),
          )
        }
        expect((await rejected(Misuse, x.waitAsync(goal))).message).toMatch(/^smr\.waitAsync: /)
        expect(a.words.every((word, at) => word === before[at])).toBe(true)
      },
    )
  })

  describe('a worker that slept inside enter', () => {
    it('[I] [S2] may publish behind the read hand: new goals wait for it, and nothing moves back', () => {
      const old = hands.wr
      const met = [x.advance(), x.advance(), x.advance()].at(-1) as Goal
      expect(x.poll(met)).toBe(true)
      const rd = hands.rd
      hands.publish(1, old)
      const goal = x.advance()
      for (const smr of [x, z]) {
        expect(smr.poll(goal)).toBe(false)
        expect(smr.poll(met)).toBe(true)
        expect(hands.rd).toBe(rd)
      }
      hands.publish(1, 0)
      expect(x.poll(goal)).toBe(true)
    })

    /** y's worker sleeps in its next `sleeps` stores of its word, while the write hand moves. */
    function sleep(moves: readonly number[]): void {
      const left = [...moves]
      const { store } = b.memory
      vi.spyOn(b.memory, 'store').mockImplementation((at, value) => {
        if (at === hands.seqAt(1)) hands.wr = (hands.wr + (left.shift() ?? 0)) | 0
        store.call(b.memory, at, value)
      })
    }

    it('for a moment keeps what it saw', () => {
      const seen = hands.wr
      sleep([hands.step * 3])
      y.enter()
      expect(hands.seq(1)).toBe(seen)
    })

    it.each([
      ['a quarter of the circle', 2 ** 30],
      ['half of it', 2 ** 31],
      ['more than half: a step back, by its sign', 2 ** 31 + 2 ** 29],
      ['nearly all of it', 2 ** 32 - 2 ** 29 - 2],
    ])('for %s publishes again what the hand shows now', (_, move) => {
      sleep([move])
      y.enter()
      expect(hands.seq(1)).toBe(hands.wr)
    })

    it('that sleeps again while it publishes again publishes once more', () => {
      sleep([2 ** 30, 2 ** 30, 2 ** 31])
      y.enter()
      expect(hands.seq(1)).toBe(hands.wr)
      y.exit()
      expect(hands.seq(1)).toBe(0)
    })
  })

  describe('wait and synchronize', () => {
    it.each(['wait', 'synchronize'] as const)(
      '%s without a time throws after 30 s and names the workers',
      (verb) => {
        y.enter()
        z.enter()
        const goal = x.advance()
        const slept = sleeping(a)
        const error = exhausted(() => x[verb](wild(verb === 'wait' ? goal : undefined)))
        expect(error.message).toMatch(
          new RegExp(
            `^smr\\.${verb}: goal -?\\d+ is not met after 30 s; sections of worker 1, 2 are`,
          ),
        )
        expect(error.facts).toMatchObject({ domain: 'd', workers: '1,2' })
        expect(slept()).toBeCloseTo(30_000)
      },
    )
  })

  describe('hands that get too far apart', () => {
    const STEPS = 6

    /** y parks, and x frees on and on: the goals it is given before and at the limit. */
    function overrun(): { reached: Goal[]; deferred: Goal[] } {
      y.enter()
      hands.nearLimit(STEPS)
      const reached = Array.from({ length: STEPS }, () => x.advance())
      const deferred = Array.from({ length: 10 }, () => x.advance())
      return { reached, deferred }
    }

    it('an advance at the limit does not block, does not move the hand, and is counted', () => {
      const slept = sleeping(a)
      const { reached, deferred } = overrun()
      const limit = reached.at(-1) as Goal
      expect(hands.wr).toBe(limit)
      expect(new Set(deferred)).toEqual(new Set([hands.later(limit, 1)]))
      expect(x.stats()).toMatchObject({ advances: STEPS, advanceWaits: 10 })
      expect((hands.wr - hands.rd) | 0).toBeLessThanOrEqual(MAX_DELTA)
      expect(slept()).toBe(0)
    })

    it('a reader that enters at the limit, after the goal was given, holds it back until it leaves', () => {
      const { deferred } = overrun()
      z.enter()
      y.exit()
      const goal = deferred[0] as Goal
      expect([x.poll(goal), x.poll(goal), x.poll(goal)]).toEqual([false, false, false])
      z.exit()
      expect([x.poll(goal), x.poll(goal)].at(-1)).toBe(true)
    })

    it('once the reader has left the hand moves again', () => {
      const { reached } = overrun()
      y.exit()
      const goal = z.advance()
      expect(goal).toBe(hands.later(reached.at(-1) as Goal, 1))
      expect(hands.wr).toBe(goal)
      expect(z.poll(goal)).toBe(true)
      expect(x.stats().lag).toBe(0)
    })

    it('a zone’s own goals are told met when the hands have wrapped past them', () => {
      const goal = x.advance()
      expect(x.poll(goal)).toBe(true)
      const far = ((goal + 2 ** 31) | 0) as Goal
      hands.wr = far
      hands.rd = far
      expect(x.expired(hands.later(far, 3) as unknown as Seq)).toBe(true)
      expect(x.expired(hands.later(far, -3) as unknown as Seq)).toBe(true)
    })
  })
})

// ---- destroy ----
/**
 * The end of a domain: not under anybody's feet, not before its readers have left, and nothing of it
 * remains.
 */

describe.each(CONFIGS)('$name', (config) => {
  it('gives its pages and its name back, and closes the handle', () => {
    const [a] = pair({}, config)
    const before = a.stats().pages
    const smr = a.smr('d')
    smr.destroy()
    const after = a.stats()
    expect(after.domains).toEqual([])
    expect(after.pages.untouched + after.pages.free).toBe(before.untouched + before.free)
    checkPages(a.memory, a.space.pages)
    expect(misuse(() => smr.enter()).message).toMatch(/closed by detach or destroy/)
    expect(misuse(() => smr.destroy()).message).toMatch(/^smr\.destroy: .*closed/)
  })

  it('while zones are bound to it is refused: says how many, and changes nothing', () => {
    const [a, b] = pair({}, config)
    const smr = a.smr('d')
    const zones = ['y', 'z'].map((name) => a.zone(name, { bytes: 8, smr }))
    b.zone('y')
    const error = unchanged(a, () => misuse(() => smr.destroy()))
    expect(error.message).toMatch(/^smr\.destroy: domain "d": 2 zones are bound to it/)
    expect(error.facts).toEqual({ domain: 'd', zones: 2 })
    misuse(() => b.smr('d').destroy())
    zones[0]?.destroy()
    expect(misuse(() => smr.destroy()).facts).toMatchObject({ zones: 1 })
    zones[1]?.destroy()
    smr.destroy()
    expect(a.stats().domains).toEqual([])
  })

  it('with a reader inside is Exhausted after its time, and the domain works on', () => {
    const [a, b] = pair({}, config)
    const smr = a.smr('d')
    const theirs = b.smr('d')
    theirs.enter()
    const error = exhausted(() => smr.destroy({ timeoutMs: 5 }))
    expect(error.message).toMatch(/^smr\.destroy: domain "d": sections are still open/)
    expect(a.stats().domains.map((each) => each.name)).toEqual(['d'])
    const goal = smr.advance()
    expect(smr.poll(goal)).toBe(false)
    theirs.exit()
    expect(smr.poll(goal)).toBe(true)
    expect(smr.read(() => 7)).toBe(7)
    smr.destroy({ timeoutMs: 0 })
    expect(a.stats().domains).toEqual([])
  })

  it('without a time waits 30 s and no longer', () => {
    const [a, b] = pair({}, config)
    b.smr('d').enter()
    const begun = a.memory.now()
    let time = begun
    vi.spyOn(a.memory, 'now').mockImplementation(() => time)
    vi.spyOn(a.memory, 'sleep').mockImplementation((ms) => {
      time += ms
    })
    expect(exhausted(() => a.smr('d').destroy()).message).toMatch(/^smr\.destroy: /)
    expect(time - begun).toBeCloseTo(30_000)
  })

  it('waits for a reader who leaves in time', () => {
    const [a, b] = pair({}, config)
    const theirs = b.smr('d')
    theirs.enter()
    vi.spyOn(a.memory, 'sleep').mockImplementation(() => {
      if (theirs.entered) theirs.exit()
    })
    a.smr('d').destroy()
    expect(b.stats().domains).toEqual([])
  })

  it('is refused inside a section of one’s own', () => {
    const [a] = pair({}, config)
    const smr = a.smr('d')
    smr.enter()
    expect(unchanged(a, () => misuse(() => smr.destroy())).message).toMatch(
      /^smr\.destroy: domain "d": a section is open/,
    )
    smr.exit()
    smr.destroy()
  })
})

it('a zone waits for readers, but not while an async section of its own worker is open', () => {
  const [arena] = pair()
  const smr = arena.smr('d', { sleepable: true })
  const usual = smr.patience(undefined)
  expect(usual).toBeGreaterThan(0)
  const tracker = smr.enterSleepable()
  expect([smr.patience(undefined), smr.patience(5)]).toEqual([0, 0])
  smr.exitSleepable(tracker)
  expect([smr.patience(undefined), smr.patience(5)]).toEqual([usual, 5])
})

it('a handle that was closed is looked after no more', () => {
  const [arena, other] = pair({ checks: true })
  const smr = arena.smr('d')
  const check = vi.spyOn(smr, 'check')
  arena.space.watch.check()
  expect(check).toHaveBeenCalledTimes(1)
  smr.destroy()
  arena.space.watch.check()
  expect(check).toHaveBeenCalledTimes(1)
  other.detach()
})

it('a turn that ends after its worker was reaped leaves the word to the next worker', () => {
  const [arena, dead] = pair()
  const smr = dead.smr('d', { sections: 'turn' })
  let end = (): void => {}
  dead.space.turn.schedule = (it) => {
    end = it
  }
  smr.read(() => {})
  reapSlot(arena.space, dead.space.slot)
  const next = Arena.attach(arena.handle)
  next.smr('d').enter()
  unchanged(arena, end)
  expect(arena.smr('d').poll(arena.smr('d').advance())).toBe(false)
})
