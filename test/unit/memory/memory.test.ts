/**
 * The porthole, verb by verb: what each answers, what it leaves behind, and that words, floats and
 * bytes are three views of the same memory.
 */

import { afterEach, describe, expect, it, vi } from 'vitest'
import { BYTES_PER_WORD, LINE_WORDS, Memory, WORDS_PER_FLOAT } from '#src/memory/memory.ts'

const AT = 32
/** Sleeps without a thread of its own; every host that we run tests in has it. */
interface WaitsAsync {
  waitAsync(words: Int32Array, at: number, value: number, ms: number): { value: unknown }
}
const { waitAsync } = Atomics as unknown as WaitsAsync

const make = (bytes = 1024): Memory => new Memory(new SharedArrayBuffer(bytes))

afterEach(() => {
  vi.unstubAllGlobals()
})

it('the units: a word has 4 bytes, a float 2 words, a cache line 64 bytes', () => {
  expect([BYTES_PER_WORD, WORDS_PER_FLOAT, LINE_WORDS * BYTES_PER_WORD]).toEqual([4, 2, 64])
})

describe('views', () => {
  it('cover the whole buffer, and all of them the same bytes', () => {
    const memory = make(1024)
    expect([memory.words.length, memory.floats.length, memory.bytes.length]).toEqual([
      256, 128, 1024,
    ])
    memory.poke(AT, 0x04030201)
    expect([0, 1, 2, 3].map((i) => memory.peekByte(AT, i))).toEqual([1, 2, 3, 4])
    memory.pokeFloat(AT, Math.PI)
    expect(memory.floats[AT / 2]).toBe(Math.PI)
    expect(memory.peek(AT + 1)).not.toBe(0)
  })

  it('end before what is no whole word or no whole float', () => {
    for (const [bytes, words, floats] of [
      [0, 0, 0],
      [3, 0, 0],
      [4, 1, 0],
      [15, 3, 1],
      [1030, 257, 128],
    ] as const) {
      const memory = make(bytes)
      expect([memory.words.length, memory.floats.length]).toEqual([words, floats])
    }
  })

  it('two of them over one buffer see each other', () => {
    const buffer = new SharedArrayBuffer(1024)
    const one = new Memory(buffer)
    const two = new Memory(buffer)
    one.store(AT, 7)
    expect(two.load(AT)).toBe(7)
  })
})

describe('atomic verbs', () => {
  it('store and load a word, and only that one', () => {
    const memory = make()
    memory.store(AT, -5)
    expect([memory.load(AT - 1), memory.load(AT), memory.load(AT + 1)]).toEqual([0, -5, 0])
  })

  it('add answers the value before, and wraps in 32 bits', () => {
    const memory = make()
    expect(memory.add(AT, 2)).toBe(0)
    expect(memory.add(AT, -5)).toBe(2)
    expect(memory.load(AT)).toBe(-3)
    memory.store(AT, 2 ** 31 - 1)
    expect(memory.add(AT, 2)).toBe(2 ** 31 - 1)
    expect(memory.load(AT)).toBe(-(2 ** 31) + 1)
    expect(memory.add(AT, 0)).toBe(-(2 ** 31) + 1)
  })

  it('swap answers the value before', () => {
    const memory = make()
    expect(memory.swap(AT, 3)).toBe(0)
    expect(memory.swap(AT, 4)).toBe(3)
    expect(memory.load(AT)).toBe(4)
  })

  it('cas writes only over the expected value, and always answers what stood there', () => {
    const memory = make()
    expect(memory.cas(AT, 0, 3)).toBe(0)
    expect(memory.cas(AT, 0, 9)).toBe(3)
    expect(memory.load(AT)).toBe(3)
    expect(memory.cas(AT, 3, -1)).toBe(3)
    expect(memory.load(AT)).toBe(-1)
  })

  it('or sets bits, and keeps bits, and both answer the word before', () => {
    const memory = make()
    expect(memory.or(AT, 0b0110)).toBe(0)
    expect(memory.or(AT, 1 << 31)).toBe(0b0110)
    expect(memory.and(AT, ~0b0010)).toBe(0b0110 | (1 << 31))
    expect(memory.load(AT)).toBe(0b0100 | (1 << 31))
  })
})

describe('plain verbs', () => {
  it('poke and peek a word, and what they do is what load sees', () => {
    const memory = make()
    memory.poke(AT, 11)
    expect([memory.peek(AT), memory.load(AT), memory.peekRacy(AT)]).toEqual([11, 11, 11])
  })

  it('fill writes exactly the words asked for', () => {
    const memory = make()
    memory.fill(AT, 3, -1)
    expect([...memory.words.subarray(AT - 1, AT + 4)]).toEqual([0, -1, -1, -1, 0])
    memory.fill(AT, 0, 9)
    expect(memory.peek(AT)).toBe(-1)
  })

  it('floats keep all 64 bits', () => {
    const memory = make()
    for (const value of [0.1, -0, Number.MAX_VALUE, Number.MIN_VALUE, -Infinity, Number.NaN]) {
      memory.pokeFloat(AT, value)
      expect(memory.peekFloat(AT)).toBe(value)
      expect(memory.peekFloat(AT + 2)).toBe(0)
    }
  })

  it('bytes are counted from the word, and wrap in 8 bits', () => {
    const memory = make()
    memory.pokeByte(AT, 5, 300)
    expect(memory.peekByte(AT, 5)).toBe(44)
    expect(memory.peek(AT + 1)).toBe(44 << 8)
  })

  it('readBytes makes a private copy: TextDecoder may read it, and it does not move', () => {
    const memory = make()
    memory.writeBytes(AT, 3, new Uint8Array([1, 2, 3, 4, 5]))
    const copy = memory.readBytes(AT, 4, 3)
    expect([...copy]).toEqual([2, 3, 4])
    expect(copy.buffer).toBeInstanceOf(ArrayBuffer)
    memory.pokeByte(AT, 4, 99)
    expect([...copy]).toEqual([2, 3, 4])
    expect([memory.peekByte(AT, 2), memory.peekByte(AT, 8)]).toEqual([0, 0])
    expect(memory.readBytes(AT, 0, 0).length).toBe(0)
  })
})

describe('tallies', () => {
  it('count past 32 bits and stay exact', () => {
    const memory = make()
    memory.tally(AT, 2 ** 52)
    memory.tally(AT, 1)
    memory.tally(AT, 1)
    memory.tally(AT, -1)
    expect(memory.tallied(AT)).toBe(2 ** 52 + 1)
    expect(memory.tallied(AT + 2)).toBe(0)
  })
})

describe('patience', () => {
  it('wait returns at once when the word holds something else', () => {
    const memory = make()
    memory.store(AT, 1)
    const begun = performance.now()
    memory.wait(AT, 2, 10_000)
    expect(performance.now() - begun).toBeLessThan(1_000)
  })

  it('wait sleeps for its time while the word holds the value', () => {
    const memory = make()
    const begun = performance.now()
    memory.wait(AT, 0, 30)
    expect(performance.now() - begun).toBeGreaterThan(25)
  })

  it('sleep sleeps for its time, and notify on arena words does not end it', () => {
    const memory = make()
    const begun = performance.now()
    memory.sleep(30)
    expect(performance.now() - begun).toBeGreaterThan(25)
  })

  it('notify wakes as many sleepers on that very word as it is told', async () => {
    const memory = make()
    const results = [0, 1, 2].map(() => waitAsync(memory.words, AT, 0, 50))
    const other = waitAsync(memory.words, AT + 1, 0, 50)
    memory.notify(AT, 2)
    const ends = await Promise.all([...results, other].map((each) => each.value))
    expect(ends).toEqual(['ok', 'ok', 'timed-out', 'timed-out'])
  })

  it('nothing blocks on a thread that may not: a page of a browser, a worklet', () => {
    const wait = vi.spyOn(Atomics, 'wait').mockImplementation(() => {
      throw new TypeError('Atomics.wait cannot be called in this context')
    })
    const memory = make()
    wait.mockRestore()
    const begun = performance.now()
    memory.sleep(10_000)
    memory.wait(AT, 0, 10_000)
    expect(performance.now() - begun).toBeLessThan(1_000)
  })

  it('pause is a spin: it returns', () => {
    make().pause()
  })

  it('now is a clock in milliseconds that all threads share', () => {
    const memory = make()
    expect(Math.abs(memory.now() - Date.now())).toBeLessThan(10_000)
    const earlier = memory.now()
    memory.sleep(5)
    expect(memory.now() - earlier).toBeGreaterThanOrEqual(4)
  })
})
