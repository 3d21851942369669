/**
 * Short ASCII as a string: the bytes are read as words, and one call makes the string.
 *
 * Joining parts makes a rope of more than twelve characters, which is copied once more when somebody
 * looks at it; calls into the host cost as much as 40 characters do here. So there is a case for
 * each length, up to the one from which the host is faster.
 */

import { BYTES_PER_WORD, type Memory } from '../memory/memory.ts'

/** The longest text that is made here, in bytes. */
export const MOST_SHORT = 24

const { fromCharCode } = String
const BITS_PER_BYTE = 8
const BYTE = 0xff
/** The bits that ASCII does not have, in each byte of a word. */
export const NOT_ASCII: number = 0x80808080 | 0

/** The four bytes that begin `shift` bits behind the first one of `word` and go on in `next`. */
function joined(word: number, next: number, shift: number): number {
  // Two shifts, since one by 32 bits would be none.
  return (word >>> shift) | ((next << 1) << (31 - shift))
}

/** The text in the `length` bytes at `at`, at most MOST_SHORT; undefined unless all are ASCII. */
export function shortAscii(
  memory: Memory,
  item: number,
  at: number,
  length: number,
): string | undefined {
  const skip = at % BYTES_PER_WORD
  const first = item + (at - skip) / BYTES_PER_WORD
  const shift = skip * BITS_PER_BYTE
  // Words without a byte of this text may be another worker's.
  const end = skip + length
  const r0 = end > 0 ? memory.peek(first) : 0
  const r1 = end > 4 ? memory.peek(first + 1) : 0
  const r2 = end > 8 ? memory.peek(first + 2) : 0
  const r3 = end > 12 ? memory.peek(first + 3) : 0
  const r4 = end > 16 ? memory.peek(first + 4) : 0
  const r5 = end > 20 ? memory.peek(first + 5) : 0
  const r6 = end > 24 ? memory.peek(first + 6) : 0
  const w0 = joined(r0, r1, shift)
  const w1 = joined(r1, r2, shift)
  const w2 = joined(r2, r3, shift)
  const w3 = joined(r3, r4, shift)
  const w4 = joined(r4, r5, shift)
  const w5 = joined(r5, r6, shift)
  // The last word of the text without the bytes behind it.
  const tail = -1 >>> ((-length & (BYTES_PER_WORD - 1)) * BITS_PER_BYTE)
  let seen = w0 & (length < 4 ? tail : -1)
  if (length > 4) seen |= w1 & (length < 8 ? tail : -1)
  if (length > 8) seen |= w2 & (length < 12 ? tail : -1)
  if (length > 12) seen |= w3 & (length < 16 ? tail : -1)
  if (length > 16) seen |= w4 & (length < 20 ? tail : -1)
  if (length > 20) seen |= w5 & (length < 24 ? tail : -1)
  if ((seen & NOT_ASCII) !== 0) return undefined
  const a = w0 & BYTE
  const b = (w0 >>> 8) & BYTE
  const c = (w0 >>> 16) & BYTE
  const d = w0 >>> 24
  const e = w1 & BYTE
  const f = (w1 >>> 8) & BYTE
  const g = (w1 >>> 16) & BYTE
  const h = w1 >>> 24
  const i = w2 & BYTE
  const j = (w2 >>> 8) & BYTE
  const k = (w2 >>> 16) & BYTE
  const l = w2 >>> 24
  const m = w3 & BYTE
  const n = (w3 >>> 8) & BYTE
  const o = (w3 >>> 16) & BYTE
  const p = w3 >>> 24
  const q = w4 & BYTE
  const r = (w4 >>> 8) & BYTE
  const s = (w4 >>> 16) & BYTE
  const t = w4 >>> 24
  const u = w5 & BYTE
  const v = (w5 >>> 8) & BYTE
  const w = (w5 >>> 16) & BYTE
  const x = w5 >>> 24
  switch (length) {
    case 0:
      return ''
    case 1:
      return fromCharCode(a)
    case 2:
      return fromCharCode(a, b)
    case 3:
      return fromCharCode(a, b, c)
    case 4:
      return fromCharCode(a, b, c, d)
    case 5:
      return fromCharCode(a, b, c, d, e)
    case 6:
      return fromCharCode(a, b, c, d, e, f)
    case 7:
      return fromCharCode(a, b, c, d, e, f, g)
    case 8:
      return fromCharCode(a, b, c, d, e, f, g, h)
    case 9:
      return fromCharCode(a, b, c, d, e, f, g, h, i)
    case 10:
      return fromCharCode(a, b, c, d, e, f, g, h, i, j)
    case 11:
      return fromCharCode(a, b, c, d, e, f, g, h, i, j, k)
    case 12:
      return fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l)
    case 13:
      return fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m)
    case 14:
      return fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m, n)
    case 15:
      return fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o)
    case 16:
      return fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)
    case 17:
      return fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q)
    case 18:
      return fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r)
    case 19:
      return fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s)
    case 20:
      return fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t)
    case 21:
      return fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u)
    case 22:
      return fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v)
    case 23:
      return fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w)
    case 24:
      return fromCharCode(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x)
    default:
      return undefined
  }
}
