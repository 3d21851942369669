/**
 * Callbacks: on the worker that queued them, later, in order, outside any section, when nobody can
 * see any more what was unlinked before. The event loop is turned by hand (loop.ts) wherever the
 * order of turns matters; what they may do - queue, free, leave, end the domain, throw - is tried,
 * and after everything that happens the counters add up.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { asyncScope, sleep } from '#src/base/host.ts'
import type { Arena, Smr } from '#src/index.ts'
import { DomainWords, ReaderWords } from '#src/memory/layout.ts'
import { BATCH_BYTES, BATCH_CALLBACKS, KEEP_ALIVE_MS, Queued } from '#src/smr/call.ts'
import { Readers } from '#src/smr/poll.ts'
import { ALL_CASES, CASES, Stage } from '../../helpers/combos.ts'
import { pair } from '../../helpers/company.ts'
import { Loop } from '../../helpers/loop.ts'
import { Random } from '../../helpers/random.ts'
import { misuse, unchanged, wild } from '../../helpers/refusals.ts'

let warnings: unknown[]

beforeEach(() => {
  warnings = []
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => {
    warnings.push(warning)
  })
})

afterEach(() => {
  vi.restoreAllMocks()
})

const nothing = (): void => {}

/** Counted, waiting and lost; what has run is the rest. */
function sums(smr: Smr): { calls: number; pending: number; lost: number; errors: number } {
  const { calls, callsPending: pending, callsLost: lost, callErrors: errors } = smr.stats()
  return { calls, pending, lost, errors }
}

describe.each(ALL_CASES)('$name', (each) => {
  let stage: Stage
  let loop: Loop
  let x: Smr
  let y: Smr

  beforeEach(() => {
    stage = new Stage(each)
    loop = new Loop(stage.workers[0].arena)
    ;[x, y] = stage.workers.map(({ smr }) => smr) as [Smr, Smr]
  })

  /** So many turns, in each of which time goes by as far as a lazy clock wants it to. */
  const turns = (times: number): void => {
    for (let i = 0; i < times; i++) {
      loop.turn()
      stage.endTurns()
      stage.tick()
    }
  }

  it('run in order, never in the call, never twice; progress needs nobody’s help', () => {
    const ran: number[] = []
    for (let i = 0; i < 300; i++) x.call(() => ran.push(i))
    expect(ran).toEqual([])
    turns(12)
    expect(ran).toEqual(Array.from({ length: 300 }, (_, i) => i))
    expect(loop.due).toEqual([])
    expect(sums(x)).toEqual({ calls: 300, pending: 0, lost: 0, errors: 0 })
    turns(3)
    expect(ran.length).toBe(300)
  })

  it('wait for a section that was open before, not for one that began after', () => {
    let ran = 0
    y.enter()
    x.call(() => ran++)
    turns(20)
    expect([ran, x.stats().callsPending]).toEqual([0, 1])
    y.exit()
    turns(12)
    expect(ran).toBe(1)
    x.call(() => ran++, { expedite: true })
    if (each.combo.clock !== 'lazy') {
      y.enter()
      turns(12)
      expect(ran).toBe(2)
      y.exit()
    }
  })

  it('run outside any section, and may do what is legal there', () => {
    const zone = stage.workers[0].arena.zone('z', { bytes: 16, bucket: 2, smr: x })
    const items = [zone.zallocSmr(), zone.zallocSmr(), zone.zallocSmr()]
    const seen: unknown[] = []
    for (const item of items) {
      x.call(() => {
        seen.push([x.entered, x.inside])
        x.assertNotEntered()
        zone.zfreeSmr(item)
        x.read(nothing)
        x.poll(x.advance())
      })
    }
    turns(12)
    expect(seen).toEqual([
      [false, false],
      [false, false],
      [false, false],
    ])
    expect(zone.stats().live).toBe(0)
    expect(warnings).toEqual([])
  })

  it('one that queues another lets it wait for a turn of its own', () => {
    const ran: number[] = []
    const again = (left: number): void => {
      ran.push(left)
      if (left > 0) x.call(() => again(left - 1), { expedite: true })
    }
    x.call(() => again(3), { expedite: true })
    let last = 0
    for (let i = 0; i < 60 && ran.length < 4; i++) {
      turns(1)
      expect(ran.length - last).toBeLessThanOrEqual(1)
      last = ran.length
    }
    expect(ran).toEqual([3, 2, 1, 0])
  })

  it('leaving runs what may run, counts the rest as lost, and says so', () => {
    const [hand] = stage.workers
    const ran: string[] = []
    x.call(() => ran.push('first'), { expedite: true })
    turns(1) // With a lazy clock it is not ripe.
    stage.tick(3)
    x.poll(x.advance())
    y.enter()
    x.call(() => ran.push('second'))
    x.call(() => ran.push('third'))
    const before = ran.length
    hand.arena.detach()
    expect(ran).toEqual(['first'])
    expect(before).toBeLessThanOrEqual(1)
    expect(sums(y)).toEqual({ calls: 3, pending: 0, lost: 2, errors: 0 })
    expect(warnings.map(String)).toEqual([
      expect.stringMatching(
        /arena\.detach: 2 callbacks of domain "d" had not run, and never will; await smr\.flush\(\) first/,
      ),
    ])
    expect(loop.run()).toBeLessThanOrEqual(1)
    expect(ran).toEqual(['first'])
  })

  it('the end of the domain runs them all, whatever the clock', () => {
    const ran: number[] = []
    for (let i = 0; i < 3; i++) x.call(() => ran.push(i))
    x.destroy()
    expect(ran).toEqual([0, 1, 2])
    expect(warnings).toEqual([])
    expect(unchanged(stage.workers[0].arena, () => loop.run())).toBeLessThanOrEqual(1)
  })
})

describe.each(CASES)('a batch; $name', (each) => {
  let stage: Stage
  let loop: Loop
  let x: Smr

  beforeEach(() => {
    stage = new Stage(each)
    loop = new Loop(stage.workers[0].arena)
    x = stage.workers[0].smr
  })
  const clock = each.combo.clock
  const moves = (): number => x.stats().advances

  it(`of ${BATCH_CALLBACKS} callbacks, or so many bytes, moves the clock at once: one step for each`, () => {
    for (let i = 0; i < BATCH_CALLBACKS - 1; i++) x.call(nothing)
    expect(moves()).toBe(0)
    x.call(nothing)
    const forced = clock === 'lazy' ? 0 : 1
    expect(moves()).toBe(forced)
    for (let i = 0; i < 2 * BATCH_CALLBACKS; i++) x.call(nothing)
    expect(moves()).toBe(3 * forced)
    x.call(nothing, { bytes: BATCH_BYTES - 1 })
    expect(moves()).toBe(3 * forced)
    x.call(nothing, { bytes: 1 })
    expect(moves()).toBe(4 * forced)
    x.call(nothing, { bytes: Number.POSITIVE_INFINITY })
    expect(moves()).toBe(5 * forced)
    x.call(nothing, { expedite: true })
    expect(moves()).toBe(6 * forced)
  })

  it('that is not full is sealed when the turn ends: many calls, one step', () => {
    for (let turn = 0; turn < 5; turn++) {
      for (let i = 0; i < 20; i++) x.call(nothing)
      const before = moves()
      loop.turn()
      if (clock === 'default') expect(moves() - before).toBe(1)
      for (let i = 0; i < 8; i++) {
        stage.tick()
        loop.turn()
      }
      expect(moves() - before).toBeGreaterThan(0)
      expect(x.stats().callsPending).toBe(0)
    }
  })
})

describe('in a domain of the default kind', () => {
  let a: Arena
  let b: Arena
  let loop: Loop
  let x: Smr
  let y: Smr

  beforeEach(() => {
    ;[a, b] = pair()
    loop = new Loop(a)
    x = a.smr('d', { sleepable: true })
    y = b.smr('d')
  })

  it('one that throws is counted and reported, and the others run', async () => {
    const ran: number[] = []
    const error = new Error('mine')
    const nasty = {
      get constructor(): unknown {
        throw new Error('nasty')
      },
    }
    x.call(() => {
      throw error
    })
    x.call(() => ran.push(1))
    x.call(() => {
      throw nasty
    })
    x.call(() => {
      throw 'text'
    })
    x.call(() => ran.push(2))
    x.call(wild(async () => Promise.reject(error)))
    x.call(() => ran.push(3))
    loop.run()
    await sleep(0)
    expect(ran).toEqual([1, 2, 3])
    expect(sums(x)).toEqual({ calls: 7, pending: 0, lost: 0, errors: 4 })
    expect(warnings).toEqual([error, 'uma-smr: object', 'uma-smr: "text"', error])
  })

  it('a host that cannot be told does not keep the others from running', () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {
      throw new Error('no')
    })
    let ran = 0
    x.call(() => {
      throw new Error('mine')
    })
    x.call(() => ran++)
    loop.run()
    expect([ran, sums(x)]).toEqual([1, { calls: 2, pending: 0, lost: 0, errors: 1 }])
  })

  it('a long batch is spread over turns, and others get theirs between', () => {
    let time = a.memory.now()
    vi.spyOn(a.memory, 'now').mockImplementation(() => time)
    const seen: string[] = []
    for (let i = 0; i < 10; i++) {
      x.call(() => {
        seen.push('callback')
        time += 1
      })
    }
    for (let turn = 0; turn < 8; turn++) {
      loop.turn()
      seen.push('other')
    }
    const two = ['callback', 'callback', 'other']
    expect(seen.slice(0, 15)).toEqual([...two, ...two, ...two, ...two, ...two])
    expect(seen.slice(15)).toEqual(['other', 'other', 'other'])
  })

  it('also when the event loop is the host’s', async () => {
    const c = b // Its loop is not turned by hand.
    const z = c.smr('d')
    let ran = 0
    for (let i = 0; i < 100; i++) {
      z.call(() => {
        const until = performance.now() + 0.5
        while (performance.now() < until);
        ran++
      })
    }
    const between: number[] = []
    while (ran < 100) {
      await new Promise((resolve) => setImmediate(resolve))
      between.push(ran)
    }
    // 2 ms a turn: at least a tenth of them left something for a later one.
    expect(new Set(between).size).toBeGreaterThan(10)
  })

  it('as long as a section does not end, polls become rare, and stop keeping the thread alive', () => {
    for (const expedite of [false, true]) {
      let time = a.memory.now()
      const clock = vi.spyOn(a.memory, 'now').mockImplementation(() => time)
      y.enter()
      let ran = 0
      x.call(() => ran++, { expedite })
      const waits: (readonly [number, boolean])[] = []
      for (let i = 0; i < 6; i++) {
        expect(loop.due.length).toBe(1)
        waits.push(...loop.due.map(({ ms, keepAlive }) => [ms, keepAlive] as const))
        loop.turn()
      }
      expect(waits).toEqual([0, 2, 4, 8, 8, 8].map((ms) => [ms, true]))
      time += KEEP_ALIVE_MS
      loop.turn()
      expect(loop.due).toMatchObject([{ ms: 8, keepAlive: true }])
      time += 1
      loop.turn()
      expect(loop.due).toMatchObject([{ ms: 8, keepAlive: false }])
      y.exit()
      loop.turn()
      expect([ran, loop.due]).toEqual([1, []])
      // The next one is waited for anew.
      y.enter()
      x.call(nothing)
      loop.turn()
      expect(loop.due).toMatchObject([{ ms: 2, keepAlive: true }])
      y.exit()
      loop.run()
      clock.mockRestore()
    }
  })

  it('expedited, it does not wait for the pause that an earlier one has made', () => {
    const loop = new Loop(a)
    const reader = b.smr(x.name)
    reader.enter()
    x.call(nothing)
    for (let i = 0; i < 6; i++) loop.turn()
    expect(loop.due.map(({ ms }) => ms)).toEqual([8])
    reader.exit()
    let ran = false
    x.call(() => (ran = true), { expedite: true })
    const soon = loop.due.filter(({ ms }) => ms === 0)
    expect(soon.length).toBe(1)
    soon[0]?.action()
    expect([ran, x.stats().callsPending]).toEqual([true, 0])
    loop.run() // The pause ends, and finds nothing.
  })

  it('whose call has failed is never completed before others, and holds nobody up', () => {
    const verbs = ['add', 'tally', 'load'] as const
    for (const verb of verbs) {
      for (let nth = 0; nth < 12; nth++) {
        const loop = new Loop(a)
        const original = a.memory[verb] as (...args: number[]) => number
        let done = 0
        a.memory[verb] = ((...args: number[]) => {
          if (done++ === nth) throw new RangeError('Maximum call stack size exceeded')
          return original.apply(a.memory, args)
        }) as never
        try {
          x.call(nothing)
        } catch {
          // Survived.
        } finally {
          a.memory[verb] = original as never
        }
        let ran = 0
        x.call(() => ran++)
        const queued = new Queued(
          a.space,
          new Readers(a.memory, x.address + DomainWords.WORDS, 4, false),
        )
        for (let i = 0; i < 20 && ran === 0; i++) {
          expect(queued.areCompleted()).toBe(false)
          loop.turn()
          a.space.watch.check()
        }
        loop.run()
        expect([ran, queued.areCompleted(), x.stats().callsPending], `${verb} ${nth}`).toEqual([
          1,
          true,
          0,
        ])
      }
    }
  })

  it('asks for the next turn, once; hurried with nothing to hurry, for none', () => {
    x.call(nothing)
    x.call(nothing)
    expect(loop.due.map(({ ms }) => ms)).toEqual([0])
    loop.run()
    x.call(nothing)
    loop.turn()
    expect(x.stats().callsPending).toBe(0)
    void x.flush()
    expect(loop.due).toEqual([])
  })

  it('of a deferred clock, flushed by another worker, move the clock themselves', async () => {
    const patient = a.smr('patient', { clock: 'deferred', limit: 1000 })
    const hurried = (): number => a.memory.load(patient.address + DomainWords.hurry)
    let ran = 0
    patient.call(() => ran++)
    loop.turn()
    expect(ran).toBe(0)
    const barrier = b.smr('patient').barrier({ timeoutMs: 0 })
    expect(hurried()).toBe(0)
    const flush = b.smr('patient').flush({ timeoutMs: 0 })
    expect(hurried()).not.toBe(0)
    await barrier
    await flush
    loop.turn()
    expect(ran).toBe(1)
  })

  it('that was counted and never queued is completed with the others', () => {
    x.call(nothing)
    loop.run()
    const { calls } = x as unknown as { calls: { open: unknown[] } }
    const tooDeep = new RangeError('too deep')
    calls.open.push = () => {
      throw tooDeep
    }
    expect(() => x.call(nothing)).toThrow(tooDeep)
    calls.open = []
    const words = new Readers(a.memory, x.address + DomainWords.WORDS, 4, false)
    const queued = new Queued(a.space, words)
    expect(queued.areCompleted()).toBe(false)
    x.call(nothing)
    loop.run()
    expect([queued.areCompleted(), x.stats().callsPending]).toEqual([true, 0])
  })

  it('a pump that comes after the end of its domain touches nothing', () => {
    x.call(nothing)
    loop.turn()
    x.call(nothing, { expedite: true })
    const [late] = loop.due
    loop.run()
    const { address } = x
    y.destroy()
    a.memory.fill(address, DomainWords.WORDS + 4 * ReaderWords.WORDS, 7)
    a.memory.store(address + DomainWords.WORDS + ReaderWords.queued, 9)
    unchanged(a, () => late?.action())
    expect(loop.due).toEqual([])
  })

  it('one that leaves in its callback has run, and is not lost', () => {
    x.call(() => a.detach())
    loop.run()
    expect(sums(y)).toEqual({ calls: 1, pending: 0, lost: 0, errors: 0 })
  })

  it('refused when the domain has ended, nothing is queued, be it by a call that may be inside', () => {
    x.call(nothing)
    loop.run()
    y.destroy()
    unchanged(a, () => {
      misuse(() => x.call(nothing))
      misuse(() => x.callAnywhere(nothing))
    })
    expect(loop.due).toEqual([])
  })

  it('two domains do not wait for each other', () => {
    const other = a.smr('e')
    const ran: string[] = []
    y.enter()
    x.call(() => ran.push('d'))
    other.call(() => ran.push('e'))
    for (let i = 0; i < 5; i++) loop.turn()
    expect(ran).toEqual(['e'])
    y.exit()
    loop.run()
    expect(ran).toEqual(['e', 'd'])
  })

  it.runIf(asyncScope() !== undefined)(
    'they are nobody’s task: not of the section they were queued in',
    async () => {
      const other = b.smr('e') // On the loop of the host, which remembers who asked.
      const waits: Promise<unknown>[] = []
      let leave = nothing
      const open = new Promise<void>((resolve) => {
        leave = resolve
      })
      const section = y.readAsync(async () => {
        other.call(() => waits.push(y.waitAsync(x.advance(), { timeoutMs: 1000 })))
        await open
      })
      while (waits.length === 0) await sleep(1)
      leave()
      expect(await waits[0]).toBe(true)
      await section
    },
  )

  describe('one that ends everything', () => {
    it('leaves: the rest that may run runs, it does not count as lost, and the slot is free once', () => {
      const ran: string[] = []
      const generations = (): number[] => [0, 1].map((slot) => b.space.workers.idOf(slot))
      const before = generations()
      x.call(() => {
        ran.push('first')
        a.detach()
        ran.push('gone')
      })
      x.call(() => ran.push('second'))
      loop.run()
      expect(ran).toEqual(['first', 'second', 'gone'])
      expect(sums(y)).toEqual({ calls: 2, pending: 0, lost: 0, errors: 0 })
      expect(generations()[0]).toBe((before[0] as number) + 256)
      expect(warnings).toEqual([])
    })

    it('leaves while the worker is leaving', () => {
      const ran: string[] = []
      x.call(() => {
        ran.push('first')
        a.detach()
      })
      x.call(() => ran.push('second'))
      const { workers } = b.space
      const before = workers.idOf(0)
      a.detach()
      expect(ran).toEqual(['first', 'second'])
      expect(workers.idOf(0)).toBe(before + 256)
      expect(sums(y)).toEqual({ calls: 2, pending: 0, lost: 0, errors: 0 })
      misuse(() => a.detach())
    })

    it('leaves, and throws: whoever has its slot then is not blamed', () => {
      x.call(() => {
        a.detach()
        throw new Error('late')
      })
      loop.run()
      expect(sums(y)).toEqual({ calls: 1, pending: 0, lost: 0, errors: 0 })
      expect(warnings.map(String)).toEqual(['Error: late'])
    })

    it('destroys the domain, and throws: its memory is not touched any more', () => {
      const ran: string[] = []
      const words = a.words
      let after: Int32Array | undefined
      x.call(() => {
        ran.push('first')
        x.destroy()
        after = words.slice()
        throw new Error('late')
      })
      x.call(() => ran.push('second'))
      loop.run()
      expect(ran).toEqual(['first', 'second'])
      expect(words).toEqual(after)
      expect(warnings.map(String)).toEqual(['Error: late'])
    })

    it('fails to destroy the domain: it goes on, and nothing is lost or run twice', () => {
      const ran: string[] = []
      x.call(() => {
        ran.push('first')
        y.enter()
        expect(() => x.destroy({ timeoutMs: 0 })).toThrow(/sections are still open/)
        y.exit()
      })
      x.call(() => ran.push('second'))
      loop.run()
      expect(ran).toEqual(['first', 'second'])
      expect(sums(x)).toEqual({ calls: 2, pending: 0, lost: 0, errors: 0 })
      x.destroy()
    })
  })

  describe('leaving', () => {
    it('ends, although a callback queues itself again and again', () => {
      let ran = 0
      const again = (): void => {
        ran++
        x.call(again, { expedite: true })
      }
      x.call(again)
      a.detach()
      expect([ran, sums(y).lost]).toEqual([1, 1])
    })

    it('is refused when a callback has left a section open, and nothing is lost by that', () => {
      const ran: number[] = []
      x.call(() => x.enter())
      y.enter()
      x.call(() => ran.push(1))
      y.exit()
      expect(misuse(() => a.detach()).message).toMatch(/a section of domain "d" is open/)
      x.exit()
      x.call(() => ran.push(2))
      loop.run()
      expect(ran).toEqual([1, 2])
      a.detach()
      expect(sums(y)).toEqual({ calls: 3, pending: 0, lost: 0, errors: 0 })
    })

    it('counts what a callback queues in a domain that has been seen to already', () => {
      const e = a.smr('e')
      x.call(nothing)
      e.call(() => x.call(nothing))
      a.detach()
      expect(sums(y)).toEqual({ calls: 2, pending: 0, lost: 1, errors: 0 })
      const c = Object.getPrototypeOf(a).constructor.attach(b.handle) as Arena
      expect(c.space.slot).toBe(0)
      expect(sums(y).pending).toBe(0)
    })
  })

  it('the counters add up at every moment of a random life, and over the circle', () => {
    const random = new Random(11)
    const at = x.address + DomainWords.WORDS
    for (const word of [ReaderWords.queued, ReaderWords.completed]) {
      a.memory.store(at + word, 2 ** 31 - 40)
    }
    const total = { run: 0, threw: 0 }
    const seen = { pending: 0 }
    for (let step = 0; step < 3000; step++) {
      const what = random.below(10)
      if (what < 4) {
        x.call(() => {
          total.run++
          if (random.oneIn(9)) {
            total.threw++
            throw 0
          }
        })
      } else if (what < 5) y.inside ? y.exit() : y.enter()
      else if (what < 6) x.call(() => total.run++, { expedite: random.oneIn(2), bytes: 2 ** 17 })
      else if (what < 9) loop.turn()
      const { calls, pending, lost, errors } = sums(x)
      expect([calls - pending - lost, errors]).toEqual([total.run, total.threw])
      seen.pending = Math.max(seen.pending, pending)
    }
    expect(seen.pending).toBeGreaterThan(10)
    expect(a.memory.load(at + ReaderWords.queued)).toBeLessThan(0)
  })

  it.each<[string, (smr: Smr) => void, RegExp]>([
    ['no function', (smr) => smr.call(wild(5)), /5 is no function$/],
    ['negative bytes', (smr) => smr.call(nothing, { bytes: -1 }), /bytes is -1; give a number/],
    ['no number', (smr) => smr.call(nothing, { bytes: Number.NaN }), /bytes is NaN/],
    ['no boolean', (smr) => smr.call(nothing, wild({ expedite: 1 })), /expedite is 1; give true/],
    ['an unknown option', (smr) => smr.call(nothing, wild({ size: 1 })), /unknown option "size"/],
  ])('refuses %s, and nothing has changed', (_, act, says) => {
    expect(unchanged(a, () => misuse(() => act(x))).message).toMatch(says)
    expect(loop.due).toEqual([])
  })

  it('refuses a caller in a section, and one who has left', () => {
    x.enter()
    expect(unchanged(a, () => misuse(() => x.call(nothing))).message).toMatch(/a section is open/)
    x.exit()
    a.detach()
    expect(misuse(() => x.call(nothing)).message).toMatch(/handle was closed/)
  })
})
