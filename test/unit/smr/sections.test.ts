/**
 * Turn sections: what a worker has published stays between its sections, is published anew when the
 * hand has moved, and is let go of when the worker polls, before it blocks the thread, when it goes
 * offline or leaves, and when its turn ends - never while a section is open. Under each clock.
 *
 * And of all sections: what may wait is refused in them, in checked arenas, and changes nothing; one
 * that a later turn finds open is reported.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { reapSlot } from '#src/arena/reap.ts'
import { type Arena, HashTable, Misuse, record, type Smr, u32 } from '#src/index.ts'
import { DomainWords } from '#src/memory/layout.ts'
import { CASES, GRACE, type Hand, Stage } from '../../helpers/combos.ts'
import { pair } from '../../helpers/company.ts'
import type { Hands } from '../../helpers/hands.ts'
import { misuse, rejected, unchanged, wild } from '../../helpers/refusals.ts'
import { CONFIGS, tinyArena } from '../../helpers/tiny.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

const TURNS = CASES.filter(({ combo }) => combo.sections === 'turn')

describe.each(TURNS)('$name', (each) => {
  let stage: Stage
  let hands: Hands
  let x: Smr
  let y: Smr
  let reader: Hand

  beforeEach(() => {
    stage = new Stage(each)
    hands = stage.hands
    reader = stage.workers[1]
    ;[x, y] = [stage.workers[0].smr, reader.smr]
  })

  /** The verbs of the reader's memory, and whether they went to the hand or to its own word. */
  function verbsOf(act: () => void): string[] {
    const { memory } = reader.arena
    const said: string[] = []
    const where = (at: number): string =>
      at === hands.wrAt ? 'wr' : at === hands.seqAt(1) ? 'seq' : `word ${at}`
    const spies = (['load', 'store', 'peekRacy', 'peek', 'poke', 'add', 'cas'] as const).map(
      (verb) => {
        const original = memory[verb] as (at: number, ...rest: number[]) => number
        return vi.spyOn(memory, verb).mockImplementation(((at: number, ...rest: number[]) => {
          said.push(`${verb} ${where(at)}`)
          return original.call(memory, at, ...rest)
        }) as never)
      },
    )
    act()
    for (const spy of spies) spy.mockRestore()
    return said
  }

  /** Moves the write hand, whatever the clock. */
  function step(): void {
    const goal = x.deferredAdvance()
    stage.ripen(x, goal)
    x.poll(goal)
  }

  describe('[R3] enter', () => {
    it('publishes when nothing is published, and the first section of a turn asks for its end', () => {
      expect(reader.armed).toBe(false)
      const publish = ['peekRacy wr', 'own?', 'load wr', 'store seq', 'load wr']
      // That the slot is still ours is looked at first, in a word of the slot's.
      const said = verbsOf(() => y.enter()).map((verb) => verb.replace(/^load word.*/, 'own?'))
      expect(said).toEqual(publish)
      expect(hands.seq(1)).toBe(hands.wr)
      expect(reader.armed).toBe(true)
    })

    it('afterwards only racy peeks, while the hand stands; exit touches nothing', () => {
      y.read(() => {})
      const spied = verbsOf(() => {
        for (let i = 0; i < 3; i++) {
          y.enter()
          y.exit()
        }
      })
      expect(spied).toEqual(['peekRacy wr', 'peekRacy wr', 'peekRacy wr'])
    })

    it('publishes anew when the hand has moved, from an atomic load and not from the racy peek', () => {
      y.read(() => {})
      const before = hands.seq(1)
      step()
      const { memory } = reader.arena
      // A racy peek may be older than any load: it must not become what is published.
      vi.spyOn(memory, 'peekRacy').mockImplementation((at) =>
        at === hands.wrAt ? hands.later(before, -3) : memory.peek(at),
      )
      y.enter()
      expect(hands.seq(1)).toBe(hands.wr)
      expect(hands.seq(1)).not.toBe(before)
    })

    it('with a stale racy peek joins what is published: reclamation waits, and nothing else', () => {
      y.read(() => {})
      const before = hands.seq(1)
      const { memory } = reader.arena
      step()
      vi.spyOn(memory, 'peekRacy').mockImplementation(() => before)
      y.enter()
      expect(hands.seq(1)).toBe(before)
      const goal = x.advance()
      stage.ripen(x, goal)
      expect(x.poll(goal)).toBe(false)
    })

    it('publishes in every later turn', () => {
      for (let turn = 0; turn < 3; turn++) {
        y.read(() => {})
        expect(hands.seq(1)).toBe(hands.wr)
        reader.endTurn()
        expect(hands.seq(1)).toBe(0)
      }
    })
  })

  describe('between sections', () => {
    it('what is published holds back goals that were taken after it', () => {
      y.read(() => {})
      const goal = x.advance()
      stage.ripen(x, goal)
      expect(x.poll(goal)).toBe(false)
      expect(x.wait(goal, { timeoutMs: 50 })).toBe(false)
      reader.endTurn()
      expect(x.poll(goal)).toBe(true)
    })

    it('the worker’s own poll lets go of it', () => {
      y.read(() => {})
      const goal = y.advance()
      stage.ripen(y, goal)
      expect(y.poll(goal)).toBe(true)
      expect(hands.seq(1)).toBe(0)
      y.read(() => expect(hands.seq(1)).toBe(hands.wr))
    })

    it('a poll that need not look leaves it, and one inside a section always does', () => {
      const met = x.advance()
      expect(stage.pollRipe(x, met)).toBe(true)
      y.read(() => {})
      const seen = hands.seq(1)
      expect([y.poll(met), hands.seq(1)]).toEqual([true, seen])
      y.enter()
      const goal = x.advance()
      stage.ripen(x, goal)
      for (let i = 0; i < 3; i++) expect(y.poll(goal)).toBe(false)
      expect(hands.seq(1)).toBe(seen)
      y.exit()
    })
  })

  describe('the end of the turn', () => {
    it('lets go in all domains at once, and is asked for once', () => {
      const other = reader.arena.smr('other', { sections: 'turn' })
      const seqOf = (smr: Smr): number => {
        const offset = smr.address - x.address
        return reader.arena.memory.load(hands.seqAt(1) + offset)
      }
      const schedule = vi.spyOn(reader.arena.space.turn, 'schedule')
      y.read(() => {})
      other.read(() => {})
      y.read(() => other.read(() => {}))
      expect(schedule).toHaveBeenCalledTimes(1)
      expect(seqOf(other)).not.toBe(0)
      reader.endTurn()
      expect([hands.seq(1), seqOf(other)]).toEqual([0, 0])
      expect(reader.armed).toBe(false)
    })

    it('inside a section (which was held over an await) changes nothing, and is asked for again', () => {
      y.enter()
      const seen = hands.seq(1)
      reader.endTurn()
      expect([hands.seq(1), y.entered, reader.armed]).toEqual([seen, true, true])
      y.exit()
      expect(hands.seq(1)).toBe(seen)
      reader.endTurn()
      expect([hands.seq(1), reader.armed]).toEqual([0, false])
    })

    it('is asked for again when something was let go of and published again meanwhile', () => {
      y.read(() => {})
      reader.arena.space.beforeSleep()
      expect(hands.seq(1)).toBe(0)
      y.read(() => {})
      expect(reader.armed).toBe(true)
      reader.endTurn()
      expect(hands.seq(1)).toBe(0)
    })
  })

  it('a promise out of read is Misuse, and the word stays for the turn only', async () => {
    misuse(() => y.read(async () => 1))
    expect(y.entered).toBe(false)
    reader.endTurn()
    expect(hands.seq(1)).toBe(0)
    expect((await rejected(Misuse, y.waitAsync(wild(2)))).message).toMatch(/is no goal/)
  })

  it('[I] a sleep in enter for a quarter of the circle publishes again, what the hand shows now', () => {
    const { memory } = reader.arena
    const { store } = memory
    let sleeps = 2
    vi.spyOn(memory, 'store').mockImplementation((at, value) => {
      if (at === hands.seqAt(1) && sleeps-- > 0) hands.wr = (hands.wr + 2 ** 30) | 0
      store.call(memory, at, value)
    })
    y.enter()
    expect(hands.seq(1)).toBe(hands.wr)
    y.exit()
    // And it is remembered: the next section need not publish.
    expect(verbsOf(() => y.enter())).toEqual(['peekRacy wr'])
  })

  describe('before the thread blocks', () => {
    it('a wait in another domain lets go', () => {
      y.read(() => {})
      const other = reader.arena.smr('other')
      stage.workers[0].arena.smr('other').enter()
      expect(other.synchronize({ timeoutMs: 5 })).toBe(false)
      expect(hands.seq(1)).toBe(0)
    })

    it('a lock that has to be waited for lets go; one that is free does not', () => {
      y.read(() => {})
      const seen = hands.seq(1)
      const theirs = reader.arena.lock('l')
      theirs.withLock(() => expect(hands.seq(1)).toBe(seen))
      stage.workers[0].arena.lock('l').lock()
      vi.spyOn(reader.arena.memory, 'wait').mockImplementation((_at, _value, ms) => {
        expect(hands.seq(1)).toBe(0)
        stage.time += ms
      })
      expect(() => theirs.lock({ timeoutMs: 50 })).toThrow(/has held the lock/)
      expect(hands.seq(1)).toBe(0)
    })

    it('a zone that waits to reclaim lets go in the domain that others wait for', () => {
      y.read(() => {})
      const other = reader.arena.smr('other')
      const zone = reader.arena.zone('z', { bytes: 8, smr: other })
      stage.workers[0].arena.smr('other').enter()
      zone.zfreeSmr(zone.zallocSmr())
      zone.reclaim('drain', { timeoutMs: 5 })
      expect(hands.seq(1)).toBe(0)
    })

    it('but never in an open section', () => {
      y.enter()
      const seen = hands.seq(1)
      const other = reader.arena.smr('other')
      stage.workers[0].arena.smr('other').enter()
      expect(other.synchronize({ timeoutMs: 5 })).toBe(false)
      expect(hands.seq(1)).toBe(seen)
      const goal = x.advance()
      stage.ripen(x, goal)
      expect(x.poll(goal)).toBe(false)
    })
  })

  describe('offline', () => {
    it('lets go at once, and enter is Misuse until online', () => {
      y.read(() => {})
      const goal = x.advance()
      y.offline()
      expect(hands.seq(1)).toBe(0)
      expect(stage.pollRipe(x, goal)).toBe(true)
      for (const act of [() => y.enter(), () => y.read(() => {})]) {
        expect(unchanged(x.space.memory, () => misuse(act)).message).toBe(
          'smr.enter: domain "d": this worker is offline; call online first',
        )
      }
      misuse(() => y.exit())
      // Writing is legal, and offline twice is once.
      expect(stage.pollRipe(y, y.advance())).toBe(true)
      y.offline()
      y.online()
      y.read(() => expect(hands.seq(1)).toBe(hands.wr))
      y.online()
    })

    it('is Misuse inside a section, and nothing is let go of', () => {
      y.enter()
      const seen = hands.seq(1)
      for (const act of [() => y.offline(), () => y.online()]) {
        expect(misuse(act).message).toMatch(/^smr\.o(ff|n)line: domain "d": a section is open/)
      }
      expect([hands.seq(1), y.entered]).toEqual([seen, true])
      y.exit()
    })
  })

  describe('leaving', () => {
    it('detach lets go, and the turn that ends afterwards writes nothing any more', () => {
      y.read(() => {})
      reader.arena.detach()
      expect(hands.seq(1)).toBe(0)
      // Somebody else has the slot now, and is inside.
      hands.publish(1, hands.wr)
      unchanged(x.space.memory, () => reader.endTurn())
      expect(misuse(() => y.enter()).message).toMatch(/closed by detach/)
    })

    it('detach is Misuse inside a section', () => {
      y.enter()
      expect(misuse(() => reader.arena.detach()).message).toMatch(/a section of domain "d" is open/)
      y.exit()
    })
  })

  describe('a worker that is gone or does not come to its end', () => {
    it('died between two sections: reaping it clears what it had published', () => {
      y.read(() => {})
      const goal = x.advance()
      stage.ripen(x, goal)
      expect(x.poll(goal)).toBe(false)
      expect(reapSlot(stage.workers[0].arena.space, 1).reaped).toBe(true)
      expect(hands.seq(1)).toBe(0)
      expect(x.poll(goal)).toBe(true)
    })

    it('is found by `stalled`, although no section of it is open', () => {
      y.read(() => {})
      const goal = x.advance()
      stage.ripen(x, goal)
      x.poll(goal)
      stage.time += 500
      expect(x.stalled(400)).toMatchObject([{ workerId: 1, kind: 'section' }])
      reader.endTurn()
      expect(x.stalled(0)).toEqual([])
    })
  })
})

it.each(CONFIGS)(
  'a fenced domain publishes nothing between sections, and keeps no turn: $name',
  (config) => {
    const arena = tinyArena(config)
    const smr = arena.smr('d', { sections: 'fenced' })
    const schedule = vi.spyOn(arena.space.turn, 'schedule')
    smr.read(() => {})
    expect(schedule).not.toHaveBeenCalled()
    expect(arena.memory.load(smr.address + DomainWords.WORDS)).toBe(0)
  },
)

it('in the host’s own event loop the word is cleared after the task and its microtasks', async () => {
  const arena = tinyArena(CONFIGS[0] as (typeof CONFIGS)[number])
  const smr = arena.smr('d', { clock: 'lazy' })
  const word = (): number => arena.memory.load(smr.address + DomainWords.WORDS)
  smr.read(() => {})
  expect(word()).not.toBe(0)
  await Promise.resolve()
  expect(word()).not.toBe(0)
  await new Promise((resolve) => setImmediate(resolve))
  expect(word()).toBe(0)
  for (let turn = 0; turn < GRACE; turn++) {
    smr.read(() => {})
    // From a timer. It may be due before this turn's end is heard of, if the machine is slow enough.
    await new Promise((resolve) => setTimeout(() => setImmediate(resolve), 1))
    expect(word()).toBe(0)
  }
})

const WAITS: readonly [string, (arena: Arena) => unknown][] = [
  ['lock.lock', (a) => a.lock('l').lock()],
  ['lock.withLock', (a) => a.lock('l').withLock(() => 0)],
  ['smr.wait', (a) => a.smr('other').wait(a.smr('other').deferredAdvance())],
  ['smr.synchronize', (a) => a.smr('other').synchronize()],
  ['smr.destroy', (a) => a.smr('other').destroy()],
  ['zone.reclaim', (a) => a.zone('z').reclaim('drain')],
  ['zone.destroy', (a) => a.zone('z').destroy()],
  [
    'table.resize',
    (a) => HashTable.open(a, 't', { record: record({ id: u32 }), key: 'id' }).resize(64),
  ],
]

function prepared(checks: boolean): Arena {
  const [a] = pair({ checks, bytes: 2 ** 20 })
  a.smr('d')
  const other = a.smr('other', { sections: 'turn' })
  a.zone('z', { bytes: 8 })
  a.lock('l')
  HashTable.create(a, 't', { record: record({ id: u32 }), key: 'id', capacity: 8 })
  other.read(() => 0)
  return a
}

describe.each(WAITS)('%s', (call, act) => {
  it('is refused in a section of another domain, in a checked arena', () => {
    const a = prepared(true)
    const smr = a.smr('d')
    act(prepared(true)) // Outside it is legal.
    HashTable.open(a, 't', { record: record({ id: u32 }), key: 'id' })
    smr.read(() => {
      const error =
        call === 'smr.wait' ? misuse(() => act(a)) : unchanged(a, () => misuse(() => act(a)))
      expect(error.message).toMatch(
        new RegExp(`^${call}.*section of domain "d" is open; exit first`),
      )
    })
    act(a)
  })

  it('is legal there in others', () => {
    const a = prepared(false)
    a.smr('d').read(() => act(a))
  })
})

describe('a section that a later turn finds open', () => {
  const told: Error[] = []
  const listen = (): void => {
    told.length = 0
    vi.spyOn(process, 'emitWarning').mockImplementation((error) => {
      told.push(error as Error)
    })
  }

  it.each([true, false])('is reported once, and stays open; checked: %s', (checks) => {
    listen()
    const [a, b] = pair({ checks })
    const smr = a.smr('d')
    smr.enter()
    for (let i = 0; i < 3; i++) a.space.watch.check()
    expect(told.map(({ message }) => message.split('\n')[0])).toEqual([
      'smr.enter: domain "d": a section is open since an earlier turn, and holds memory back: an await came into it, or an exit is missing; use read, or readAsync for what must await',
    ])
    expect(told[0]?.message.includes('sections.test.ts')).toBe(checks)
    const others = b.smr('d')
    expect([smr.entered, others.poll(others.advance())]).toEqual([true, false])
    smr.exit()
    a.space.watch.check()
    expect(told.length).toBe(1)
  })

  it('of a call that was cut off is closed, and reported once', () => {
    listen()
    const [a, b] = pair()
    const smr = a.smr('d')
    for (let i = 0; i < 2; i++) {
      smr.enterInCall()
      a.space.watch.check()
      expect(smr.entered).toBe(false)
    }
    const others = b.smr('d')
    expect(others.poll(others.advance())).toBe(true)
    expect(told.map(({ message }) => /cut off/.test(message))).toEqual([true])
  })

  it('is looked for by a timer that nobody waits for, until the worker leaves', () => {
    const [a, b] = pair()
    const checks: (() => boolean)[] = []
    for (const { space } of [a, b]) space.watch.every = (watch) => checks.push(() => watch.check())
    for (const each of [a, b]) {
      each.smr('d')
      each.smr('e')
    }
    expect(checks.length).toBe(2)
    expect(checks.map((check) => check())).toEqual([true, true])
    b.detach()
    expect(checks.map((check) => check())).toEqual([true, false])
  })
})

describe('a lazy clock whose ticks are long', () => {
  it('is waited for as long as it needs, and blamed when it does not get there', () => {
    const [a] = pair()
    let now = 10
    vi.spyOn(a.memory, 'now').mockImplementation(() => now)
    vi.spyOn(a.memory, 'sleep').mockImplementation((ms) => {
      now += ms * 1000
    })
    const smr = a.smr('d', { clock: 'lazy', tickMs: 60_000 })
    expect(smr.synchronize()).toBe(true)
    // Somebody else is always just moving the tick, and never gets to the hand.
    vi.spyOn(a.memory, 'cas').mockImplementation(() => Number.NaN)
    const text = /not met after 210 s; no section is in the way, .* tick is 60000 ms/
    expect(() => smr.synchronize()).toThrow(text)
  })
})
