/**
 * Who holds the read hand back, and since when: named from the first time that a section was in
 * anybody's way, forgotten when it ends, and not mistaken for the section after it. An async section
 * is called what it was called when it began, and never what another one was.
 */

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { reapSlot } from '#src/arena/reap.ts'
import { Arena, type Smr } from '#src/index.ts'
import { DomainWords, LABEL_WORDS, ReaderWords } from '#src/memory/layout.ts'
import { BYTES_PER_WORD } from '#src/memory/memory.ts'
import { labelOf, writeLabel } from '#src/smr/stall.ts'
import { trio } from '../../helpers/company.ts'
import { misuse, wild } from '../../helpers/refusals.ts'
import { CONFIGS } from '../../helpers/tiny.ts'

describe.each(CONFIGS)('$name', (config) => {
  let a: Arena
  let b: Arena
  let x: Smr
  let y: Smr
  let z: Smr
  let time: number

  beforeEach(() => {
    const all = trio({}, config)
    ;[x, y, z] = all.map((arena) => arena.smr('d', { sleepable: true })) as [Smr, Smr, Smr]
    a = all[0]
    b = all[1]
    time = 5_000_000_000_123
    for (const { memory } of all) vi.spyOn(memory, 'now').mockImplementation(() => time)
  })

  const stalls = (olderThanMs = 0): unknown[] =>
    x.stalled(olderThanMs).map(({ workerId, forMs }) => [workerId, forMs])

  it('nobody stalls outside, nor in a section that nothing waits for', () => {
    expect(stalls()).toEqual([])
    y.enter()
    expect(stalls()).toEqual([])
  })

  it('a section counts from the first poll that failed for it', () => {
    y.enter()
    const goal = x.advance()
    time += 1_000
    z.poll(goal)
    time += 70
    z.poll(goal)
    expect(stalls()).toEqual([[1, 70]])
    expect([stalls(70), stalls(71)]).toEqual([[[1, 70]], []])
    y.exit()
    expect(stalls()).toEqual([])
  })

  it('a section of the first worker counts as any other', () => {
    x.enter()
    const goal = y.advance()
    z.poll(goal)
    time += 70
    expect(stalls()).toEqual([[0, 70]])
  })

  it('or from the first call that met it', () => {
    y.enter()
    x.advance()
    expect(stalls()).toEqual([[1, 0]])
    time += 12
    expect(stalls()).toEqual([[1, 12]])
  })

  it('the next section of the same worker counts anew', () => {
    y.enter()
    const seen = x.advance()
    x.poll(seen)
    time += 100
    y.exit()
    y.enter()
    expect(stalls()).toEqual([])
    x.poll(x.advance())
    time += 5
    expect(x.stalled(0)).toMatchObject([{ workerId: 1, seq: seen, forMs: 5 }])
  })

  it('the longest comes first', () => {
    z.enter()
    x.poll(x.advance())
    time += 30
    y.enter()
    x.advance()
    expect(stalls()).toEqual([
      [2, 30],
      [1, 0],
    ])
    time += 1
    z.exit()
    expect(stalls()).toEqual([[1, 1]])
  })

  it('tells what waits in the zones of the domain, and of no other', () => {
    const zone = a.zone('z', { bytes: 24, bucket: 2, smr: x })
    const other = a.zone('o', { bytes: 24, bucket: 2, smr: a.smr('other') })
    const free = (from: typeof zone): void => {
      const items = [from.zallocSmr(), from.zallocSmr(), from.zallocSmr(), from.zallocSmr()]
      for (const item of items) from.zfreeSmr(item)
      from.seal()
    }
    y.enter()
    free(zone)
    free(other)
    const { pending, itemBytes } = zone.stats()
    expect(x.stalled(0)).toMatchObject([{ items: pending, bytes: pending * itemBytes }])
    expect(pending).toBe(4)
  })

  it.each([-1, Number.NaN, undefined, 'long'])('refuses %s', (olderThanMs) => {
    expect(misuse(() => x.stalled(wild(olderThanMs))).message).toMatch(
      /^smr\.stalled: domain "d": olderThanMs is .*; give milliseconds from 0 on/,
    )
  })

  it('time may wrap', () => {
    time = 2 ** 32 * 1000 - 5
    y.enter()
    x.poll(x.advance())
    time += 25
    expect(stalls()).toEqual([[1, 25]])
  })

  describe('of async sections', () => {
    const named = (): unknown[] =>
      x.stalled(0).map(({ workerId, kind, label, forMs }) => [workerId, kind, label, forMs])

    it('each is told apart from the synchronous one beside it, and has a time of its own', () => {
      const tracker = y.enterSleepable('import')
      x.poll(x.advance())
      time += 20
      y.enter()
      expect(named()).toEqual([[1, 'async', 'import', 20]])
      x.poll(x.advance())
      time += 5
      expect(named()).toEqual([
        [1, 'async', 'import', 25],
        [1, 'section', '', 5],
      ])
      y.exitSleepable(tracker)
      expect(named()).toEqual([[1, 'section', '', 5]])
      y.exit()
      expect(named()).toEqual([])
    })

    it('the oldest of a worker is named; when it has left, the next', () => {
      const first = y.enterSleepable('first')
      const second = y.enterSleepable('second') // Of the same sequence.
      const nameless = y.enterSleepable()
      x.advance()
      const last = y.enterSleepable('last')
      x.poll(x.advance())
      const told: unknown[] = [named()]
      for (const tracker of [first, second, nameless, last]) {
        y.exitSleepable(tracker)
        told.push(named())
      }
      expect(told).toEqual(
        [['first'], ['second'], [''], ['last'], []].map((labels) =>
          labels.map((label) => [1, 'async', label, 0]),
        ),
      )
    })

    it('one that leaves before an older one takes its name along', () => {
      const nameless = y.enterSleepable()
      const other = y.enterSleepable('other')
      x.advance()
      y.exitSleepable(other)
      expect(named()).toEqual([[1, 'async', '', 0]])
      y.exitSleepable(nameless)
    })

    it.each([
      ['a'.repeat(40), 'a'.repeat(40)],
      ['a'.repeat(41), 'a'.repeat(40)],
      [`${'a'.repeat(39)}é`, 'a'.repeat(39)],
      [`${'a'.repeat(38)}éb`, `${'a'.repeat(38)}é`],
      ['€'.repeat(14), '€'.repeat(13)],
      [`a${'😀'.repeat(10)}`, `a${'😀'.repeat(9)}`],
      ['\uFEFFa\0b', '\uFEFFa\0b'],
      ['\ud800', '\ufffd'],
    ])('a label is cut where a character begins: %s', (label, told) => {
      const tracker = y.enterSleepable(label)
      x.advance()
      expect(x.stalled(0)).toMatchObject([{ label: told }])
      y.exitSleepable(tracker)
    })

    it('a name does not outlive its worker: a successor’s section has none', () => {
      const tracker = y.enterSleepable('dead')
      expect(reapSlot(a.space, 1).sections).toEqual(['d'])
      const heir = Arena.attach(a.handle)
      vi.spyOn(heir.memory, 'now').mockImplementation(() => time)
      const smr = heir.smr('d')
      const same = smr.enterSleepable()
      expect(same.seq).toBe(tracker.seq)
      x.advance()
      expect(x.stalled(0)).toMatchObject([{ workerId: heir.workerId, kind: 'async', label: '' }])
    })

    it('whoever reads while names change puts no two together', () => {
      const reader = x.address + DomainWords.WORDS + ReaderWords.WORDS
      const labels = ['a'.repeat(40), 'b'.repeat(36), 'c'.repeat(9), '']
      const looks = LABEL_WORDS * BYTES_PER_WORD + 3
      const told = new Set<string>()
      let number = 0
      // After each of the reader's looks, the next one, two or three names.
      for (let at = 0; at < looks; at++) {
        for (const more of [1, 2, 3]) {
          const seq = y.enterSleepable()
          writeLabel(b.memory, reader, seq.seq, labels[++number % 4] as string)
          let left = at
          const { load } = a.memory
          const spy = vi.spyOn(a.memory, 'load').mockImplementation((word) => {
            const value = load.call(a.memory, word)
            if (left-- === 0) {
              for (let i = 0; i < more; i++) {
                writeLabel(b.memory, reader, seq.seq, labels[++number % 4] as string)
              }
            }
            return value
          })
          const label = labelOf(a.memory, reader, seq.seq)
          spy.mockRestore()
          expect(['', ...labels]).toContain(label)
          told.add(label)
          y.exitSleepable(seq)
        }
      }
      expect(told.size).toBeGreaterThan(2)
    })
  })
})
