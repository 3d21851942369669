/**
 * What lets go of a turn section's word before the turn ends: a verb that is about to block the
 * thread, going offline, and leaving. None of them does while a section is open. Under each clock.
 */

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { reapSlot } from '#src/arena/reap.ts'
import type { Smr } from '#src/index.ts'
import { CASES, type Hand, Stage } from '../../helpers/combos.ts'
import type { Hands } from '../../helpers/hands.ts'
import { misuse, unchanged } from '../../helpers/refusals.ts'

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
