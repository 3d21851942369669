/**
 * Turn sections: what a worker has published stays between its sections, is published anew when the
 * hand has moved, and is let go of when the worker polls and when its turn ends - never while a
 * section is open. Under each clock. What else lets go is in turn-leaving.test.ts.
 */

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Misuse, type Smr } from '#src/index.ts'
import { DomainWords } from '#src/memory/layout.ts'
import { CASES, GRACE, type Hand, Stage } from '../../helpers/combos.ts'
import type { Hands } from '../../helpers/hands.ts'
import { misuse, rejected, wild } from '../../helpers/refusals.ts'
import { CONFIGS, tinyArena } from '../../helpers/tiny.ts'

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

    it('publishing anew lets go of the older goals', () => {
      y.read(() => {})
      const goal = x.advance()
      stage.ripen(x, goal)
      expect(x.poll(goal)).toBe(false)
      y.enter()
      expect(x.poll(goal)).toBe(true)
      y.exit()
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

  it('[I] a nap in enter for a quarter of the circle publishes again, what the hand shows now', () => {
    const { memory } = reader.arena
    const { store } = memory
    let naps = 2
    vi.spyOn(memory, 'store').mockImplementation((at, value) => {
      if (at === hands.seqAt(1) && naps-- > 0) hands.wr = (hands.wr + 2 ** 30) | 0
      store.call(memory, at, value)
    })
    y.enter()
    expect(hands.seq(1)).toBe(hands.wr)
    y.exit()
    // And it is remembered: the next section need not publish.
    expect(verbsOf(() => y.enter())).toEqual(['peekRacy wr'])
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
