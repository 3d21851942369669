/** Whether the host can work on shared text is tried out, and nobody is believed. */

import { expect, it } from 'vitest'
import { type BufferScope, detect } from '#src/memory/hostText.ts'

const { Buffer: own, process } = globalThis

const hostWith = (globals: object) =>
  detect({ Buffer: own, process, ...globals } as unknown as BufferScope)

/** Buffers with other methods. */
const buffers = (more: object, fixed: object = {}) => ({
  from: (buffer: ArrayBuffer) => Object.assign(own.from(buffer), more),
  byteLength: (text: string) => own.byteLength(text),
  ...fixed,
})

it('Node can', () => {
  const text = hostWith({})
  expect(text?.byteLength('\u00e4')).toBe(2)
  const bytes = new Uint8Array(new SharedArrayBuffer(16))
  const view = text?.over(bytes.buffer)
  expect(view?.utf8Write('\u00e4b', 1, 2)).toBe(2)
  expect([...bytes.slice(0, 5)]).toEqual([0, 0xc3, 0xa4, 0, 0])
  expect(view?.latin1Slice(0, 3)).toBe('\0\u00c3\u00a4')
})

it('without the newer modules it counts ASCII itself', () => {
  const text = hostWith({ process: {} })
  expect(text).toBeDefined()
  expect(text?.isAscii).toBeUndefined()
})

it('more bytes than a Buffer can have', () => {
  const text = hostWith({
    Buffer: buffers(
      {},
      {
        from: (buffer: ArrayBuffer) => {
          if (buffer.byteLength > 64) throw new RangeError('too large')
          return own.from(buffer)
        },
      },
    ),
  })
  expect(text?.over(new SharedArrayBuffer(64))).toBeDefined()
  expect(text?.over(new SharedArrayBuffer(65))).toBeUndefined()
})

it.each([
  ['no Buffer', undefined],
  ['a Buffer that cannot be made', {}],
  ['one that does not count', { from: own.from }],
  ['one that has no such methods', buffers({ utf8Write: undefined })],
  [
    'one that does not take shared memory',
    buffers({}, { from: () => new Error('shared').message }),
  ],
  ['one that writes beyond its room', buffers({ utf8Write: () => 10 })],
  ['one that decodes otherwise', buffers({ utf8Slice: () => 'other' })],
  ['one that has another Latin-1', buffers({ latin1Slice: () => 'a\u00e4\u6f22' })],
  ['one that counts otherwise', buffers({}, { byteLength: (text: string) => text.length })],
  [
    'one that throws',
    buffers({
      latin1Slice: () => {
        throw new TypeError('shared')
      },
    }),
  ],
])('%s: the portable way is taken', (_what, Buffer) => {
  expect(hostWith({ Buffer })).toBeUndefined()
})

it('a host that takes all for ASCII is not believed', () => {
  const getBuiltinModule = () => ({ isAscii: () => true })
  expect(hostWith({ process: { getBuiltinModule } })).toBeUndefined()
})
