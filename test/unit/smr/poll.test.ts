/**
 * The scan: the oldest open section of those who are attached, whoever that is, and nothing behind
 * the read hand.
 */

import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { delta, forward, type Seq } from '#src/base/seq.ts'
import { Header, MAX_WORKERS, ReaderWords } from '#src/memory/layout.ts'
import { Memory } from '#src/memory/memory.ts'
import { Readers } from '#src/smr/poll.ts'
import { CONFIGS } from '../../helpers/tiny.ts'

const AT = 1024
const seq = (n: number): Seq => (n | 0) as Seq

/** Readers with these sections open; all slots named are attached. */
function make(sections: Readonly<Record<number, number>>): { memory: Memory; readers: Readers } {
  const memory = new Memory(new SharedArrayBuffer((AT + MAX_WORKERS * ReaderWords.WORDS) * 4))
  const readers = new Readers(memory, AT, MAX_WORKERS, false)
  for (const [key, value] of Object.entries(sections)) {
    const slot = Number(key)
    memory.or(Header.active + (slot >> 5), 1 << (slot & 31))
    memory.store(readers.address(slot) + ReaderWords.seq, value)
  }
  return { memory, readers }
}

describe.each(CONFIGS)('$name', ({ sequence: { first, step } }) => {
  const rd = seq(first)
  const at = (steps: number): Seq => seq(first + steps * step)
  const wr = at(10)

  it('with nobody inside the candidate is the write hand', () => {
    for (const sections of [{}, { 0: 0, 3: 0 }]) {
      const { readers } = make(sections)
      expect(readers.oldest(rd, wr)).toBe(wr)
      expect(readers.holder).toBe(-1)
    }
  })

  it.each([0, 1, 31, 32, 63, 64, 255])('a section of worker %i holds it back', (slot) => {
    const { readers } = make({ 2: 0, [slot]: at(4) })
    expect(readers.oldest(rd, wr)).toBe(at(4))
    expect(readers.holder).toBe(slot)
  })

  it('the oldest of several counts, in whatever order they stand', () => {
    for (const sections of [
      { 0: at(3), 5: at(7), 200: at(9) },
      { 0: at(7), 5: at(9), 200: at(3) },
      { 0: at(9), 5: at(3), 200: at(7) },
    ]) {
      const { readers } = make(sections)
      expect(readers.oldest(rd, wr)).toBe(at(3))
      expect(sections[readers.holder as 0]).toBe(at(3))
    }
  })

  it('one that observed the write hand itself holds nothing back', () => {
    const { readers } = make({ 0: wr })
    expect(readers.oldest(rd, wr)).toBe(wr)
    expect(readers.holder).toBe(-1)
  })

  it('nor does one that observed more, having entered after our look at the write hand', () => {
    const { readers } = make({ 0: at(12) })
    expect(readers.oldest(rd, wr)).toBe(wr)
  })

  it('[S2] one that published late, behind the read hand, is pinned to it', () => {
    const { readers } = make({ 0: at(-5), 1: at(2) })
    expect(readers.observed(0, rd)).toBe(rd)
    expect(readers.oldest(rd, wr)).toBe(rd)
    expect(readers.holder).toBe(0)
  })

  it('slots that nobody is attached to are not looked at', () => {
    const { readers, memory } = make({ 0: 0, 40: 0 })
    memory.store(readers.address(7) + ReaderWords.seq, at(1))
    memory.store(readers.address(41) + ReaderWords.seq, at(1))
    const load = vi.spyOn(memory, 'load')
    expect(readers.oldest(rd, wr)).toBe(wr)
    const looks = load.mock.calls.map(([where]) => where)
    const slots = looks
      .filter((where) => where >= AT)
      .map((where) => (where - AT) / ReaderWords.WORDS)
    expect(slots).toEqual([0, 40])
  })

  it('holders names those whose sections keep a goal, pinned ones too', () => {
    const { readers } = make({ 0: at(3), 1: 0, 2: at(6), 3: at(-9), 9: at(5) })
    expect(readers.holders(rd, at(5), [0, 1, 2, 3, 9])).toEqual([0, 3])
    expect(readers.holders(rd, at(7), [0, 1, 2, 3, 9])).toEqual([0, 2, 3, 9])
    expect(readers.holders(rd, at(7), [1, 2])).toEqual([2])
  })
})

it('the candidate lies between the hands, and no open section lies before it, wherever they are', () => {
  const circle = fc.integer().map((n) => seq(n | 1))
  const distance = fc.integer({ min: 0, max: 2 ** 29 }).map((n) => n * 2)
  fc.assert(
    fc.property(
      circle,
      distance,
      fc.array(
        fc.tuple(fc.nat(MAX_WORKERS - 1), fc.option(fc.integer({ min: -100, max: 2 ** 29 }))),
        {
          maxLength: 12,
        },
      ),
      (rd, ahead, sections) => {
        const wr = forward(rd, ahead)
        const words: Record<number, number> = {}
        for (const [slot, by] of sections) words[slot] = by === null ? 0 : forward(rd, by * 2)
        const candidate = make(words).readers.oldest(rd, wr)
        expect(delta(candidate, rd)).toBeGreaterThanOrEqual(0)
        expect(delta(wr, candidate)).toBeGreaterThanOrEqual(0)
        const open = Object.values(words).filter((word) => word !== 0)
        const oldest = Math.min(ahead, ...open.map((word) => Math.max(0, delta(seq(word), rd))))
        expect(delta(candidate, rd)).toBe(oldest)
      },
    ),
  )
})
