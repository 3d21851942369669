/**
 * Async sections: any number at once, closed in any order, beside synchronous ones; the oldest
 * counts. What is refused changes nothing, and a task that would wait for its own section is told.
 */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Exhausted, Misuse } from '#src/base/errors.ts'
import { asyncScope, sleep } from '#src/base/host.ts'
import type { Arena, Goal, Smr } from '#src/index.ts'
import { DomainWords, ReaderWords } from '#src/memory/layout.ts'
import { Tracker } from '#src/smr/trackers.ts'
import { casesOf, SLEEPABLE, Stage } from '../../helpers/combos.ts'
import { pair, trio } from '../../helpers/company.ts'
import { Random } from '../../helpers/random.ts'
import { exhausted, misuse, rejected, unchanged, wild } from '../../helpers/refusals.ts'

/** Whether this host can follow a task through its awaits. */
const FOLLOWS = asyncScope() !== undefined

function asyncSeqAt(smr: Smr, worker: number): number {
  return smr.address + DomainWords.WORDS + worker * ReaderWords.WORDS + ReaderWords.asyncSeq
}

function orders<T>(things: readonly T[]): T[][] {
  if (things.length === 0) return [[]]
  return things.flatMap((it, i) =>
    orders([...things.slice(0, i), ...things.slice(i + 1)]).map((rest) => [it, ...rest]),
  )
}

describe.each(casesOf(SLEEPABLE))('$name', (each) => {
  let stage: Stage
  let x: Smr
  let y: Smr

  beforeEach(() => {
    stage = new Stage(each)
    ;[x, y] = stage.workers.map(({ smr }) => smr) as [Smr, Smr]
  })

  const isMet = (goal: Goal): boolean => stage.pollRipe(x, goal)
  /** A goal for what is unlinked now, to which the hand has moved. */
  const unlink = (): Goal => {
    const goal = x.advance()
    isMet(goal)
    return goal
  }

  it('holds back what is unlinked while it is open, nothing older and nothing longer', () => {
    expect(isMet(unlink())).toBe(true)
    const tracker = y.enterSleepable()
    expect([y.entered, y.inside]).toEqual([true, false])
    const goal = unlink()
    expect(isMet(goal)).toBe(false)
    y.exitSleepable(tracker)
    expect(y.entered).toBe(false)
    expect(isMet(goal)).toBe(true)
  })

  it('three of them, closed in any order: what the open ones may see is held back, no more', () => {
    for (const order of orders([0, 1, 2])) {
      const trackers: Tracker[] = []
      const goals: Goal[] = []
      for (let i = 0; i < 3; i++) {
        trackers.push(y.enterSleepable(`section ${i}`))
        goals.push(unlink())
      }
      const open = new Set([0, 1, 2])
      for (const leaves of order) {
        y.exitSleepable(trackers[leaves] as Tracker)
        open.delete(leaves)
        const oldest = Math.min(...open)
        expect(goals.map(isMet), `${order} after ${leaves}`).toEqual(
          [0, 1, 2].map((i) => i < oldest),
        )
      }
    }
  })

  it('the word shows the oldest at all times, and never nothing in between', () => {
    const at = asyncSeqAt(y, 1)
    const { memory } = stage.workers[1].arena
    const shown: number[] = []
    const { store } = memory
    vi.spyOn(memory, 'store').mockImplementation((to, value) => {
      if (to === at) shown.push(value)
      store.call(memory, to, value)
    })
    const trackers = [0, 1, 2].map(() => {
      const tracker = y.enterSleepable()
      unlink()
      return tracker
    }) as [Tracker, Tracker, Tracker]
    y.exitSleepable(trackers[1])
    y.exitSleepable(trackers[0])
    y.exitSleepable(trackers[2])
    expect(shown).toEqual([trackers[0].seq, trackers[2].seq, 0])
  })

  it('beside a synchronous section the older of the two counts', () => {
    const first = y.enterSleepable()
    const [afterFirst] = [unlink()]
    y.enter()
    const afterBoth = unlink()
    y.exitSleepable(first)
    stage.endTurns()
    expect([isMet(afterFirst), isMet(afterBoth)]).toEqual([true, false])
    const second = y.enterSleepable()
    const last = unlink()
    y.exit()
    stage.endTurns()
    expect([isMet(afterBoth), isMet(last)]).toEqual([true, false])
    y.exitSleepable(second)
    expect(isMet(last)).toBe(true)
  })

  it('at random, against a list of who is open and what each may see', () => {
    const random = new Random(7)
    const open: { tracker: Tracker; worker: Smr; begun: number }[] = []
    const goals: { goal: Goal; at: number }[] = []
    const most = { open: 0, goals: 0 }
    for (let step = 0; step < 400; step++) {
      const worker = random.oneIn(2) ? x : y
      // So many goals at most wait for one section: the wrap guard is another test's matter.
      const crowded = goals.length >= 5
      if (!crowded && random.oneIn(3)) goals.push({ goal: unlink(), at: step })
      else if (open.length < 8 && !crowded && random.oneIn(2))
        open.push({ tracker: worker.enterSleepable(), worker, begun: step })
      else if (open.length > 0) {
        const [it] = open.splice(crowded ? 0 : random.below(open.length), 1)
        it?.worker.exitSleepable(it.tracker)
      }
      for (let i = goals.length - 1; i >= 0; i--) {
        const { goal, at } = goals[i] as { goal: Goal; at: number }
        const held = open.some(({ begun }) => begun < at)
        // Ripe it is since it was given; more ticks would only bring the wrap guard near.
        expect(x.poll(goal) || x.poll(goal), `step ${step}, goal of step ${at}`).toBe(!held)
        if (!held) goals.splice(i, 1)
      }
      most.open = Math.max(most.open, open.length)
      most.goals = Math.max(most.goals, goals.length)
    }
    expect(most).toEqual({ open: 8, goals: 5 })
  })

  it('a wait for what an own section holds back is refused, any other one is not', () => {
    const seen = unlink()
    const tracker = x.enterSleepable()
    expect(x.wait(seen, { timeoutMs: 0 })).toBe(true)
    const goal = unlink()
    const { arena } = stage.workers[0]
    for (const act of [() => x.wait(goal), () => x.synchronize()]) {
      expect(unchanged(arena, () => misuse(act)).message).toMatch(
        /^smr\.(wait|synchronize): domain "d": an async section of this worker is open, and it would wait for that$/,
      )
    }
    expect(y.wait(goal, { timeoutMs: 0 })).toBe(false)
    x.exitSleepable(tracker)
    expect(x.wait(goal, { timeoutMs: 50 })).toBe(true)
  })
})

describe('refused, and nothing has changed', () => {
  let a: Arena
  let x: Smr
  let y: Smr
  let tracker: Tracker

  beforeEach(() => {
    const [first, second] = pair()
    a = first
    x = a.smr('d', { sleepable: true })
    y = second.smr('d')
    tracker = x.enterSleepable('mine')
  })

  it('in a domain that was not made for it', async () => {
    const other = a.smr('plain')
    const says = /the domain was not made with sleepable: true$/
    expect(unchanged(a, () => misuse(() => other.enterSleepable())).message).toMatch(says)
    expect(
      (
        await rejected(
          Misuse,
          other.readAsync(() => 1),
        )
      ).message,
    ).toMatch(/^smr\.readAsync: domain "plain": the domain was not made/)
  })

  it.each([1, null, {}, Symbol('s')])('a label that is no text: %s', (label) => {
    expect(unchanged(a, () => misuse(() => x.enterSleepable(wild(label)))).message).toMatch(
      /^smr\.enterSleepable: domain "d": label is .*; give a string$/,
    )
  })

  it('to close what is not open here', () => {
    const other = a.smr('other', { sleepable: true })
    const foreign = y.enterSleepable()
    const closed = x.enterSleepable()
    x.exitSleepable(closed)
    const elsewhere = other.enterSleepable()
    const forged = new Tracker('mine', tracker.seq, false)
    for (const it of [closed, foreign, elsewhere, forged, undefined, null, {}, 7]) {
      expect(unchanged(a, () => misuse(() => x.exitSleepable(wild(it)))).message).toMatch(
        /^smr\.exitSleepable: domain "d": .* is no open section of this worker's$/,
      )
    }
    misuse(() => a.smr('plain').exitSleepable(tracker))
    x.exitSleepable(tracker)
    y.exitSleepable(foreign)
    other.exitSleepable(elsewhere)
    misuse(() => x.exitSleepable(tracker))
  })

  it('to go offline, or to begin one offline', () => {
    expect(unchanged(a, () => misuse(() => x.offline())).message).toBe(
      'smr.offline: domain "d": an async section of this worker is open, which holds memory back',
    )
    x.exitSleepable(tracker)
    x.offline()
    expect(misuse(() => x.enterSleepable()).message).toMatch(/this worker is offline; call online/)
    x.online()
    x.exitSleepable(x.enterSleepable())
  })

  it('to leave, or to end the domain', () => {
    expect(unchanged(a, () => misuse(() => a.detach())).message).toBe(
      'arena.detach: a section of domain "d" is open; exit first',
    )
    expect(unchanged(a, () => misuse(() => x.destroy())).message).toMatch(/^smr\.destroy: .*async/)
    expect(exhausted(() => y.destroy({ timeoutMs: 0 })).message).toMatch(/sections are still open/)
    expect(x.assertEntered()).toBeUndefined()
    expect(x.assertNotEntered()).toBeUndefined()
    x.exitSleepable(tracker)
    misuse(() => x.assertEntered())
    y.destroy()
    a.detach()
    expect(misuse(() => x.enterSleepable()).message).toMatch(/handle was closed/)
    expect(misuse(() => x.exitSleepable(tracker)).message).toMatch(/handle was closed/)
  })

  it('freeing, advancing and calling are legal beside it', () => {
    const zone = a.zone('z', { bytes: 16, bucket: 2, smr: x })
    for (let i = 0; i < 6; i++) zone.zfreeSmr(zone.zallocSmr())
    x.call(() => {})
    expect(x.poll(x.advance())).toBe(false)
    x.exitSleepable(tracker)
  })
})

describe('readAsync', () => {
  let a: Arena
  let x: Smr
  let y: Smr

  beforeEach(() => {
    const [first, second] = trio()
    a = first
    x = a.smr('d', { sleepable: true })
    y = second.smr('d')
  })

  it('is a section until the promise is completed, and hands on what it comes to', async () => {
    let finish = (_: string): void => {}
    const promised = x.readAsync(
      () =>
        new Promise<string>((resolve) => {
          finish = resolve
        }),
    )
    const goal = y.advance()
    await sleep(1)
    expect([x.entered, y.poll(goal)]).toEqual([true, false])
    finish('done')
    expect(await promised).toBe('done')
    expect([x.entered, y.poll(goal)]).toEqual([false, true])
    expect(await x.readAsync(() => 5)).toBe(5)
  })

  it('rejects with the very error of its function, and closes', async () => {
    const error = new RangeError('mine')
    const failing = [
      () => {
        throw error
      },
      async () => {
        await sleep(1)
        throw error
      },
      () => Promise.reject(error),
    ]
    for (const fn of failing) {
      await expect(x.readAsync(fn)).rejects.toBe(error)
      expect(x.entered).toBe(false)
    }
  })

  /** Everything that would wait for the section it is called in. */
  const waits: Readonly<Record<string, (goal: Goal) => Promise<unknown>>> = {
    waitAsync: (goal) => x.waitAsync(goal, { timeoutMs: 20 }),
    synchronizeAsync: () => x.synchronizeAsync({ timeoutMs: 20 }),
    barrier: () => x.barrier({ timeoutMs: 20 }),
    flush: () => x.flush({ timeoutMs: 20 }),
  }
  /** How a task may come to call it. */
  const ways: Readonly<Record<string, (wait: () => Promise<unknown>) => Promise<unknown>>> = {
    'at once': (wait) => wait(),
    'after an await': async (wait) => {
      await sleep(1)
      return wait()
    },
    'through functions': async (wait) => {
      const inner = async (): Promise<unknown> => {
        await Promise.resolve()
        return wait()
      }
      return await (async () => inner())()
    },
    'in Promise.all': (wait) => Promise.all([sleep(1), sleep(1).then(wait)]),
    'in a section within': (wait) => x.readAsync(() => sleep(1).then(wait)),
    'in another domain’s section within': (wait) =>
      a.smr('e', { sleepable: true }).readAsync(() => sleep(1).then(wait)),
    'in a timer': (wait) =>
      new Promise((resolve, reject) => {
        setTimeout(() => wait().then(resolve, reject), 1)
      }),
  }

  describe.runIf(FOLLOWS).each(Object.keys(waits))('%s for its own section', (verb) => {
    const wait = waits[verb] as (goal: Goal) => Promise<unknown>

    it.each(Object.keys(ways))('is refused %s', async (way) => {
      const says = `smr.${verb}: domain "d": an async section of this worker is open, and it would wait for that`
      const before = { ...x.stats(), hurry: a.memory.load(x.address + DomainWords.hurry) }
      const trying = x.readAsync(async () => {
        const goal = y.advance()
        return (ways[way] as (typeof ways)['at once'])(() => wait(goal))
      })
      expect((await rejected(Misuse, trying)).message).toBe(says)
      expect(x.entered).toBe(false)
      const after = { ...x.stats(), hurry: a.memory.load(x.address + DomainWords.hurry) }
      expect(after).toEqual({
        ...before,
        wr: after.wr,
        lag: after.lag,
        advances: before.advances + 1,
      })
    })

    it('is not refused to another task, which waits until the section is over', async () => {
      let leave = (): void => {}
      const section = x.readAsync(
        () =>
          new Promise<void>((resolve) => {
            leave = resolve
          }),
      )
      const goal = y.advance()
      expect(await wait(goal)).toBe(false)
      const waiting = wait(goal)
      leave()
      expect(await waiting).toBe(true)
      await section
    })

    it('is not refused when the section has ended, nor for another domain', async () => {
      let later: Promise<unknown> | undefined
      await x.readAsync(() => {
        later = sleep(5).then(() => wait(y.advance()))
      })
      expect(await later).toBe(true)
      const other = a.smr('e', { sleepable: true })
      expect(await other.readAsync(() => wait(y.advance()))).toBe(true)
    })
  })

  it('to wait for what was unlinked before it began is legal', async () => {
    const goal = y.advance()
    expect(await x.readAsync(() => x.waitAsync(goal))).toBe(true)
  })

  it('without a host that follows tasks, the wait lasts as long as it may', async () => {
    const tracker = x.enterSleepable() // Nobody knows whose it is.
    expect(await x.synchronizeAsync({ timeoutMs: 5 })).toBe(false)
    x.exitSleepable(tracker)
    expect(await x.synchronizeAsync({ timeoutMs: 5 })).toBe(true)
  })

  it('a handle that was closed meanwhile is no second error', async () => {
    const section = x.readAsync(async () => {
      await sleep(1)
      x.close() // As when the domain has ended.
      return 3
    })
    expect(await section).toBe(3)
  })

  it.runIf(FOLLOWS)('a chain of tasks, each started by the one before, forgets', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const begun: WeakRef<object>[] = []
    const { add } = Set.prototype
    // Not a spy: that would remember them all.
    Set.prototype.add = function (this: Set<unknown>, it) {
      if (it instanceof Tracker) begun.push(new WeakRef(it))
      return add.call(this, it)
    }
    let alive = 0
    const count = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        await sleep(1)
        collect()
      }
      alive = begun.filter((it) => it.deref() !== undefined).length
    }
    await new Promise<void>((resolve, reject) => {
      const task = (left: number): Promise<void> =>
        x.readAsync(async () => {
          if (left > 0) setTimeout(() => task(left - 1).catch(reject), 0)
          await sleep(left % 3) // The next one begins before this one has ended, or after.
          if (left === 0) await count().then(resolve)
        })
      task(30).catch(reject)
    })
    Set.prototype.add = add
    expect(begun.length).toBe(31)
    expect(alive).toBeLessThanOrEqual(3)
  })

  it('a wait that is out of time names whoever is in an async section', async () => {
    const { memory } = a
    const tracker = y.enterSleepable()
    const waiting = x.synchronizeAsync()
    const { now } = memory
    vi.spyOn(memory, 'now').mockImplementation(() => now.call(memory) + 31_000)
    expect((await rejected(Exhausted, waiting)).message).toMatch(/sections of worker 1 are still/)
    y.exitSleepable(tracker)
  })
})
