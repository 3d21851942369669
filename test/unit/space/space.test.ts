/**
 * How an arena begins: what is written where, what is refused before anything is written, and that
 * nothing but a whole arena of this very layout can be attached to.
 */

import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  type Geometry,
  geometry,
  Header,
  LAYOUT_VERSION,
  MAGIC,
  MAX_WORKERS,
  Named,
  PAGE_WORDS,
} from '#src/memory/layout.ts'
import { Memory } from '#src/memory/memory.ts'
import {
  attachSpace,
  createSpace,
  format,
  type Handle,
  type SpaceOptions,
} from '#src/space/space.ts'
import { differences, exhausted, misuse, wild } from '../../helpers/refusals.ts'

const BYTES = 2 ** 18
const WASM_PAGE = 2 ** 16

const wordsOf = (buffer: SharedArrayBuffer): Int32Array =>
  new Int32Array(buffer, 0, Math.floor(buffer.byteLength / 4))
const copyOf = (buffer: SharedArrayBuffer): Buffer => Buffer.from(new Uint8Array(buffer))
/** The shape that the type library of this project leaves out. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: {
    Memory: new (shape: {
      initial: number
      maximum?: number
      shared?: boolean
    }) => { readonly buffer: SharedArrayBuffer; grow(by: number): number }
  }
}
const wasmMemory = (pages: number, shared = true) =>
  new WebAssembly.Memory({ initial: pages, maximum: pages, shared })

function garbage(bytes: number): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(bytes)
  wordsOf(buffer).forEach((_, at, words) => {
    words[at] = (at * 2_654_435_761 + 12_345) | 0
  })
  return buffer
}

afterEach(() => {
  vi.unstubAllGlobals()
})

describe('createSpace', () => {
  it('writes the geometry of the arena into its header, and the magic word', () => {
    const { space } = createSpace({ bytes: BYTES, maxWorkers: 5, checks: true })
    const { memory } = space
    const geo = geometry(BYTES / 4, 5)
    for (const key of Object.keys(geo) as (keyof Geometry)[]) {
      expect(memory.load(Header[key]), key).toBe(geo[key])
    }
    expect(memory.load(Header.magic)).toBe(MAGIC)
    expect(memory.load(Header.version)).toBe(LAYOUT_VERSION)
    expect([memory.load(Header.first), memory.load(Header.step)]).toEqual([1, 2])
    expect([space.maxWorkers, space.checks, space.slot]).toEqual([5, true, 0])
    expect(space.sequence).toEqual({ first: 1, step: 2 })
  })

  it('lies in 256 MiB of shared WebAssembly memory, with 64 slots, unless told otherwise', () => {
    const { space, handle } = createSpace({})
    expect(handle.memory).toBeInstanceOf(WebAssembly.Memory)
    expect(handle.buffer).toBe(handle.memory?.buffer)
    expect(handle.buffer).toBeInstanceOf(SharedArrayBuffer)
    expect(handle.buffer.byteLength).toBe(2 ** 28)
    expect([space.maxWorkers, space.checks]).toEqual([64, false])
  })

  it.each([
    [1, WASM_PAGE],
    [WASM_PAGE, WASM_PAGE],
    [WASM_PAGE + 1, 2 * WASM_PAGE],
  ])('%i bytes past the minimum become whole pages of WebAssembly', (bytes, expected) => {
    const { handle } = createSpace({ bytes: Math.max(bytes, 2 ** 12), maxWorkers: 1 })
    expect(handle.buffer.byteLength).toBe(expected)
  })

  it.each([
    ['the host has no WebAssembly', undefined],
    [
      'the host refuses',
      {
        Memory: class {
          constructor() {
            throw new RangeError('could not allocate memory')
          }
        },
      },
    ],
  ])('takes a plain SharedArrayBuffer where %s', (_, wasm) => {
    vi.stubGlobal('WebAssembly', wasm)
    const { handle, space } = createSpace({ bytes: BYTES, maxWorkers: 2 })
    expect(Object.keys(handle).sort()).toEqual(['buffer', 'umaSmr'])
    expect(handle.buffer.byteLength).toBe(BYTES)
    expect(attachSpace(handle).space.slot).toBe(space.slot + 1)
  })

  it('is Exhausted where the host has no memory at all', () => {
    vi.stubGlobal('WebAssembly', undefined)
    vi.stubGlobal(
      'SharedArrayBuffer',
      class {
        constructor() {
          throw new RangeError('Array buffer allocation failed')
        }
      },
    )
    const error = exhausted(() => createSpace({ bytes: BYTES }))
    expect(error.message).toMatch(/^Arena\.create: the host has no 262144 bytes of shared memory/)
  })

  it('works in the caller’s buffer, with garbage in it and odd bytes at its end', () => {
    for (const bytes of [BYTES, BYTES + 3, BYTES - 2]) {
      const buffer = garbage(bytes)
      const { space, handle } = createSpace({ buffer, maxWorkers: 2 })
      expect(handle).toEqual({ umaSmr: LAYOUT_VERSION, buffer })
      expect([space.directory.list(), space.pages.runs()]).toEqual([[], []])
      expect(space.workers.attached()).toEqual([0])
      expect(attachSpace(handle).space.slot).toBe(1)
    }
  })

  it('works in the caller’s WebAssembly.Memory', () => {
    const memory = wasmMemory(4)
    wordsOf(memory.buffer).fill(-1)
    const { space, handle } = createSpace({ memory, maxWorkers: 2 })
    expect(handle.memory).toBe(memory)
    expect(handle.buffer).toBe(memory.buffer)
    expect(space.pages.runs()).toEqual([])
  })

  it('stores the magic word last: whoever sees it sees the whole header', () => {
    const memory = new Memory(garbage(BYTES))
    const geo = geometry(BYTES / 4, 3)
    let before: Int32Array | undefined
    const { store } = memory
    memory.store = (at, value) => {
      if (at === Header.magic) before = memory.words.slice(0, geo.pagesAt)
      store.call(memory, at, value)
    }
    format(memory, geo, true, { first: 7, step: 4 }, true)
    const after = memory.words.slice(0, geo.pagesAt)
    expect(differences(before ?? new Int32Array(), after)).toEqual([[Header.magic, 0, MAGIC]])
  })

  it('clears memory that it did not get fresh, and nothing behind its own tables', () => {
    const memory = new Memory(garbage(BYTES))
    const before = memory.words.slice()
    const geo = geometry(BYTES / 4, 3)
    format(memory, geo, false, { first: 1, step: 2 }, true)
    const header = Header.WORDS
    expect(memory.words.subarray(header, geo.pagesAt).every((word) => word === 0)).toBe(true)
    expect(differences(before.slice(geo.pagesAt), memory.words.slice(geo.pagesAt))).toEqual([])
  })

  const bad: [string, unknown, RegExp][] = [
    ['no options object', null, /options are null; give an object/],
    ['no options object', 5, /options are 5; give an object/],
    ['a misspelt option', { byte: 1 }, /unknown option "byte"; known are bytes, maxWorkers/],
    ['zero bytes', { bytes: 0 }, /bytes is 0; give an integer from 4096 to/],
    ['a byte too few', { bytes: 4095 }, /bytes is 4095/],
    ['negative bytes', { bytes: -1 }, /bytes is -1/],
    ['NaN bytes', { bytes: Number.NaN }, /bytes is NaN/],
    ['infinite bytes', { bytes: Infinity }, /bytes is Infinity/],
    ['half bytes', { bytes: 2 ** 20 + 0.5 }, /bytes is 1048576\.5/],
    ['bytes past what views can have', { bytes: 2 ** 32 }, /bytes is 4294967296/],
    ['bytes in words', { bytes: '1048576' }, /bytes is "1048576"/],
    ['bytes as bigint', { bytes: 2n ** 20n }, /bytes is 1048576n/],
    ['no workers', { maxWorkers: 0 }, /maxWorkers is 0; give an integer from 1 to 256/],
    ['too many workers', { maxWorkers: MAX_WORKERS + 1 }, /maxWorkers is 257/],
    ['NaN workers', { maxWorkers: Number.NaN }, /maxWorkers is NaN/],
    ['checks that are no boolean', { checks: 1 }, /checks is 1; give true or false/],
    ['bytes and a buffer', { bytes: BYTES, buffer: new SharedArrayBuffer(BYTES) }, /give one of/],
    [
      'a buffer and a memory',
      { memory: wasmMemory(4), buffer: new SharedArrayBuffer(BYTES) },
      /give one of/,
    ],
    [
      'a private buffer',
      { buffer: new ArrayBuffer(BYTES) },
      /ArrayBuffer is not a SharedArrayBuffer/,
    ],
    [
      'a view',
      { buffer: new Int32Array(new SharedArrayBuffer(BYTES)) },
      /Int32Array is not a Shared/,
    ],
    ['no buffer', { buffer: null }, /null is not a SharedArrayBuffer/],
    ['an empty buffer', { buffer: new SharedArrayBuffer(0) }, /the buffer has 0 bytes; give 4096/],
    ['a short buffer', { buffer: new SharedArrayBuffer(4095) }, /the buffer has 4095 bytes/],
    [
      'a buffer too small for its tables',
      { buffer: new SharedArrayBuffer(8192) },
      /8192 bytes are too few/,
    ],
    [
      'a private memory',
      { memory: wasmMemory(4, false) },
      /ArrayBuffer is not a SharedArrayBuffer/,
    ],
    ['a memory without a buffer', { memory: {} }, /Object is not a SharedArrayBuffer/],
    ['no memory', { memory: null }, /null is not a SharedArrayBuffer/],
    ['no sequence', { sequence: null }, /sequence: options are null/],
    ['half a sequence', { sequence: { first: 1 } }, /sequence\.step is undefined/],
    [
      'a misspelt sequence',
      { sequence: { first: 1, steps: 2, step: 2 } },
      /unknown option "steps"/,
    ],
    ['an even first', { sequence: { first: 2, step: 2 } }, /first must be odd and step even/],
    ['an odd step', { sequence: { first: 1, step: 3 } }, /first must be odd and step even/],
    ['no step', { sequence: { first: 1, step: 0 } }, /sequence\.step is 0/],
    ['a step back', { sequence: { first: 1, step: -2 } }, /sequence\.step is -2/],
    [
      'a step too far for so many workers',
      { sequence: { first: 1, step: 2 ** 26 }, maxWorkers: 64 },
      /sequence\.step is 67108864; give an integer from 2 to 16268815/,
    ],
    [
      'a first that is no 32-bit integer',
      { sequence: { first: 2 ** 31 + 1, step: 2 } },
      /sequence\.first is 2147483649/,
    ],
    ['a fraction', { sequence: { first: 1.5, step: 2 } }, /sequence\.first is 1\.5/],
  ]

  it.each(bad)('refuses %s', (_, options, message) => {
    const own = (options as { buffer?: unknown } | null)?.buffer
    const words = own instanceof SharedArrayBuffer ? new Uint8Array(own) : new Uint8Array()
    const error = misuse(() => createSpace(wild(options)))
    expect(error.message).toMatch(/^Arena\.create/)
    expect(error.message).toMatch(message)
    expect(words.every((byte) => byte === 0)).toBe(true)
  })

  it('refuses a buffer that can grow: no view of it would last', () => {
    const buffer = new (
      SharedArrayBuffer as unknown as new (
        bytes: number,
        options: { maxByteLength: number },
      ) => SharedArrayBuffer
    )(BYTES, { maxByteLength: 2 * BYTES })
    expect(misuse(() => createSpace({ buffer })).message).toMatch(/^Arena\.create: a growable/)
  })

  it('refuses a buffer that holds an arena, and leaves that arena alone', () => {
    const { handle, space } = createSpace({ buffer: new SharedArrayBuffer(BYTES), maxWorkers: 2 })
    const before = space.memory.words.slice()
    expect(misuse(() => createSpace({ buffer: handle.buffer })).message).toMatch(
      /^Arena\.create: this buffer holds an arena already/,
    )
    expect(differences(before, space.memory.words)).toEqual([])
  })

  it('takes the largest step for its workers, and every odd 32-bit first', () => {
    for (const first of [-(2 ** 31) + 1, -1, 1, 2 ** 31 - 1]) {
      const step = Math.floor(2 ** 30 / 258) & ~1
      const sequence = { first, step }
      const { space } = createSpace({ bytes: BYTES, maxWorkers: 256, sequence })
      expect(space.sequence).toEqual(sequence)
    }
  })
})

describe('attachSpace', () => {
  /** An arena in a buffer of its own, and its words before the refused call. */
  function made(): { handle: Handle; words: Int32Array } {
    const { handle } = createSpace({ buffer: new SharedArrayBuffer(BYTES), maxWorkers: 3 })
    return { handle, words: wordsOf(handle.buffer) }
  }

  function refused(handle: unknown, buffer?: SharedArrayBuffer): string {
    const before = buffer && copyOf(buffer)
    const { message } = misuse(() => attachSpace(handle))
    expect(message).toMatch(/^Arena\.attach: /)
    if (before && buffer) expect(before.equals(new Uint8Array(buffer))).toBe(true)
    return message
  }

  it('joins with a slot of its own and sees what the other does', () => {
    const { space, handle } = createSpace({ bytes: BYTES, maxWorkers: 3, checks: true })
    const joined = attachSpace(handle)
    expect(joined.handle).toBe(handle)
    expect(joined.space.slot).toBe(1)
    expect([joined.space.maxWorkers, joined.space.checks]).toEqual([3, true])
    expect(joined.space.sequence).toEqual(space.sequence)
    expect(joined.space.pages.reserve(1)).toBe(space.pages.runs()[0]?.base)
  })

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a number', 5],
    ['a string', 'arena'],
    ['an empty object', {}],
    ['a bare buffer', new SharedArrayBuffer(BYTES)],
    ['a handle without a buffer', { umaSmr: LAYOUT_VERSION }],
    ['a handle with a private buffer', { umaSmr: LAYOUT_VERSION, buffer: new ArrayBuffer(BYTES) }],
    ['an array', [1, 2]],
  ])('refuses %s', (_, handle) => {
    expect(refused(handle)).toMatch(/is not an arena's handle; pass arena\.handle$/)
  })

  it.each([0, 3, 4, 64, 4096, BYTES])('refuses a foreign buffer of %i bytes', (bytes) => {
    const buffer = bytes === BYTES ? garbage(bytes) : new SharedArrayBuffer(bytes)
    expect(refused({ umaSmr: LAYOUT_VERSION, buffer }, buffer)).toContain(
      `the buffer of ${bytes} bytes holds no arena`,
    )
  })

  it.each([
    ['one word short', BYTES - 4],
    ['half', BYTES / 2],
    ['one word long', BYTES + 4],
    ['only its header', Header.WORDS * 4],
  ])('refuses an arena that was copied into a buffer of another size: %s', (_, bytes) => {
    const { handle } = made()
    const buffer = new SharedArrayBuffer(bytes)
    const from = new Uint8Array(handle.buffer, 0, Math.min(bytes, BYTES))
    new Uint8Array(buffer).set(from)
    expect(refused({ ...handle, buffer }, buffer)).toContain(
      `made with ${BYTES} bytes, this buffer has ${bytes}; it has been truncated or damaged`,
    )
  })

  it.each([0, LAYOUT_VERSION + 1, -1])('refuses an arena of layout version %i', (version) => {
    const { handle, words } = made()
    words[Header.version] = version
    expect(refused(handle, handle.buffer)).toContain(
      `the arena has layout version ${version}, this library has ${LAYOUT_VERSION}`,
    )
  })

  it.each<[unknown]>([[LAYOUT_VERSION + 1], [0], ['1'], [undefined], [null]])(
    'refuses a handle of layout version %s',
    (umaSmr) => {
      const { handle } = made()
      expect(refused({ ...handle, umaSmr }, handle.buffer)).toContain(
        'the handle has layout version',
      )
    },
  )

  it('refuses an arena whose geometry is damaged in any word', () => {
    const geo = geometry(BYTES / 4, 3)
    const word = fc.constantFrom(...(Object.keys(geo) as (keyof Geometry)[]))
    const { handle, words } = made()
    fc.assert(
      fc.property(word, fc.oneof(fc.integer(), fc.integer({ min: -2, max: 2 })), (key, by) => {
        fc.pre(by !== 0)
        const at = Header[key]
        const was = words[at] ?? 0
        words[at] = was + by
        expect(refused(handle, handle.buffer)).toMatch(/truncated or damaged$/)
        words[at] = was
      }),
    )
    expect(attachSpace(handle).space.slot).toBe(1)
  })

  it('is refused when all slots are taken, and changes nothing', () => {
    const { handle, words } = made()
    attachSpace(handle)
    const { space } = attachSpace(handle)
    const before = words.slice()
    const error = misuse(() => attachSpace(handle))
    expect(error.message).toMatch(/^Arena\.attach: all 3 worker slots are taken/)
    expect(differences(before, words)).toEqual([])
    space.close()
    expect(attachSpace(handle).space.slot).toBe(2)
  })
})

describe('close', () => {
  it('gives the slot back and shuts the door', () => {
    const { space, handle } = createSpace({ bytes: BYTES, maxWorkers: 1 })
    space.assertOpen('x')
    expect(space.isOpen).toBe(true)
    space.close()
    expect(space.isOpen).toBe(false)
    expect(misuse(() => space.assertOpen('arena.zone')).message).toBe(
      'arena.zone: this arena handle was detached; attach again',
    )
    expect(attachSpace(handle).space.slot).toBe(0)
  })
})

it('options may be written down with their type', () => {
  const options: SpaceOptions = { bytes: BYTES, maxWorkers: 1, checks: false }
  expect(createSpace(options).space.slot).toBe(0)
})

it('an arena may have a single page, and no less', () => {
  const words = (pages: number): number => geometry(2 ** 14, 1).pagesAt + pages * PAGE_WORDS
  const make = (pages: number) =>
    createSpace({ buffer: new SharedArrayBuffer(words(pages) * 4), maxWorkers: 1 })
  expect(make(1).space.pages.count).toBe(1)
  expect(misuse(() => make(0)).message).toMatch(/bytes are too few/)
})

describe('a worker that leaves', () => {
  it('has not left if it could not give its slot back, and may leave again', () => {
    const { space } = createSpace({ bytes: BYTES, maxWorkers: 2 })
    const release = vi.spyOn(space.workers, 'release').mockImplementationOnce(() => {
      throw new RangeError('too deep')
    })
    expect(() => space.close()).toThrow('too deep')
    expect(space.isOpen).toBe(true)
    space.close()
    expect([space.isOpen, space.workers.attached()]).toEqual([false, []])
    release.mockRestore()
  })

  it('gives nothing up when its slot is another’s', () => {
    const { space } = createSpace({ bytes: BYTES, maxWorkers: 2 })
    const told = vi.fn()
    space.whenReaped = told
    space.workers.bury(space)
    space.giveUp()
    expect(told).not.toHaveBeenCalled()
    expect(space.isOpen).toBe(true)
  })
})

it('visits that were left behind are ended in a turn of their own, once, if their zone is there', () => {
  const { space } = createSpace({ bytes: BYTES, maxWorkers: 2 })
  const locked = vi.spyOn(space.directory, 'whileLocked')
  space.watch.check()
  expect(locked).not.toHaveBeenCalled()
  const made = space.directory.open('x', Named.zone, 'z', () => 1000)
  const [there, gone] = [vi.fn(), vi.fn()]
  space.visits.push({ serial: made?.serial ?? 0, end: there }, { serial: 77, end: gone })
  space.watch.check()
  expect([there.mock.calls.length, gone.mock.calls.length, space.visits]).toEqual([1, 0, []])
})
