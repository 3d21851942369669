/**
 * Text and byte strings inside a record.
 *
 *   | length | bytes ............ | unused |        length: one byte up to 255, two beyond
 *            '---------- max -----------'
 *
 * The length comes first, without a terminating zero: a string may contain NUL, may be empty, and
 * may fill its field. Nothing is aligned, so a country code of two letters takes three bytes.
 *
 * The bytes are UTF-8, JavaScript's strings UTF-16. UTF-16 strings may contain lone surrogates,
 * which UTF-8 cannot encode: TextEncoder would store U+FFFD, and another string would be read back.
 * So they are refused (`utf8Length` returns -1), and everything stored is well formed and is read
 * back unchanged.
 *
 * Names, codes and keys are short and mostly ASCII, and for these a call into the host costs more
 * than the work: loops encode and compare them, and one call makes the string of up to 24 bytes of ASCII
 * that were read as words. Beyond that the host is faster, where it has Buffers (memory/hostText.ts).
 * Where it has none, TextEncoder and TextDecoder do it through private memory, because browsers refuse
 * to touch shared memory. Both ways store the same bytes and make the same strings. Offsets here are
 * bytes from the first word of the record.
 *
 * A stored length is limited to the size of its field: if a record is read while it is rewritten,
 * the text may be wrong, but never contains a neighbour's bytes.
 */

import { type HostBuffer, host } from '../memory/hostText.ts'
import { BYTES_PER_WORD, type Memory } from '../memory/memory.ts'
import { encodeText } from '../memory/utf8.ts'
import { MOST_SHORT, NOT_ASCII, shortAscii } from './ascii.ts'

/** Most bytes in one text or bytes field: the largest length in two bytes. */
export const MAX_BYTES = 0xffff

const BYTE_BITS = 8
const BYTE_MASK = 0xff
const ASCII_END = 0x80

// The host's; declared here, because no environment's types are assumed.
declare class TextDecoder {
  constructor(label: string, options: { ignoreBOM: boolean })
  decode(bytes: Uint8Array): string
}

/** A byte order mark is kept like any other character. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Text is copied here before it is decoded, by words: a quarter of the steps, and a new array of
 * more than 64 bytes costs a microsecond. Longer text gets its own copy.
 */
const scratch = new Uint32Array(1024)
const scratchBytes = new Uint8Array(scratch.buffer)
const scratchHost = host.text?.over(scratch.buffer)

// Lengths from which another way is faster, as measured; the ways agree.
/** Up to this length a loop encodes faster than the host, and counts faster. */
const LOOPED = 16
/** From this length on ASCII is looked for, to be copied into its string at once. */
const LONG = 64
/** From this length on the host looks for it. */
const VERY_LONG = 512
/** From this length on a TextEncoder is faster than a loop, though it needs a copy. */
const ENCODED = 64

// ---- lengths ---------------------------------------------------------------------------------

/** Bytes of the length in front of a field of at most `max` bytes. */
export function headBytes(max: number): number {
  return max > BYTE_MASK ? 2 : 1
}

/** The stored length of the field at `at`, at most `max`. */
export function readLength(memory: Memory, item: number, at: number, max: number): number {
  let length = memory.peekByte(item, at)
  if (max > BYTE_MASK) length |= memory.peekByte(item, at + 1) << BYTE_BITS
  return Math.min(length, max)
}

export function writeLength(
  memory: Memory,
  item: number,
  at: number,
  max: number,
  length: number,
): void {
  memory.pokeByte(item, at, length & BYTE_MASK)
  if (max > BYTE_MASK) memory.pokeByte(item, at + 1, length >>> BYTE_BITS)
}

// ---- UTF-8, one character at a time ----------------------------------------------------------

/** Lead byte of a character of this many bytes, before its bits are added. */
const LEAD = [0, 0, 0xc0, 0xe0, 0xf0] as const
const TAIL = 0x80
const TAIL_BITS = 6
const TAIL_MASK = 0x3f

/** Bytes that a code point takes in UTF-8. */
export function utf8Size(point: number): 1 | 2 | 3 | 4 {
  if (point < ASCII_END) return 1
  if (point < 0x800) return 2
  return point < 0x10000 ? 3 : 4
}

/** The byte of a character that is followed by `behind` more bytes. */
export function utf8Byte(point: number, size: 1 | 2 | 3 | 4, behind: number): number {
  const bits = point >>> (behind * TAIL_BITS)
  return behind === size - 1 ? LEAD[size] | bits : TAIL | (bits & TAIL_MASK)
}

export function isLoneSurrogate(point: number): boolean {
  return point >= 0xd800 && point <= 0xdfff
}

/** Bytes that `text` takes in UTF-8, or -1 when it holds a lone surrogate and cannot be encoded. */
export function utf8Length(text: string): number {
  const { text: tools } = host
  if (tools === undefined || text.length <= LOOPED) return countUtf8(text)
  return isWellFormed(text) ? tools.byteLength(text) : -1
}

function countUtf8(text: string): number {
  let length = 0
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) < ASCII_END) {
      length++
      continue
    }
    const point = text.codePointAt(i) as number
    if (isLoneSurrogate(point)) return -1
    const size = utf8Size(point)
    length += size
    if (size === 4) i++
  }
  return length
}

interface NewerString {
  isWellFormed?(): boolean
}
const asked = typeof (String.prototype as NewerString).isWellFormed === 'function'

/** Whether it can be encoded: without a lone surrogate. */
export function isWellFormed(text: string): boolean {
  return asked ? (text as string & Required<NewerString>).isWellFormed() : countUtf8(text) >= 0
}

/** Bytes of UTF-8 that one UTF-16 unit takes at most. */
const MOST_PER_UNIT = 3

/** Whether it takes at most `max` bytes, and can be encoded. */
export function fits(text: string, max: number): boolean {
  const { length } = text
  // Each unit takes at least one byte.
  if (length > max) return false
  if (length * MOST_PER_UNIT <= max) return isWellFormed(text)
  const bytes = utf8Length(text)
  return bytes >= 0 && bytes <= max
}

/**
 * Encodes `text`, which is well formed and takes at most `most` bytes; returns the offset behind its last
 * byte.
 */
export function encode(
  memory: Memory,
  item: number,
  at: number,
  text: string,
  most: number,
): number {
  const { length } = text
  if (length > LOOPED) {
    const { host } = memory
    const start = item * BYTES_PER_WORD + at
    if (host !== undefined && start + most <= memory.bytes.length) {
      return at + host.utf8Write(text, start, most)
    }
    if (length >= ENCODED) return encodeByCopy(memory, item, at, text)
  }
  let to = at
  let i = 0
  for (; i < length; i++) {
    const unit = text.charCodeAt(i)
    if (unit >= ASCII_END) break
    memory.pokeByte(item, to++, unit)
  }
  for (; i < length; i++) {
    const point = text.codePointAt(i) as number
    const size = utf8Size(point)
    for (let behind = size - 1; behind >= 0; behind--) {
      memory.pokeByte(item, to++, utf8Byte(point, size, behind))
    }
    if (size === 4) i++
  }
  return to
}

function encodeByCopy(memory: Memory, item: number, at: number, text: string): number {
  const bytes = encodeText(text)
  memory.writeBytes(item, at, bytes)
  return at + bytes.length
}

/** Whether the `length` bytes at `at` are `text`, in full, without building a string. */
export function sameText(
  memory: Memory,
  item: number,
  at: number,
  length: number,
  text: string,
): boolean {
  // A UTF-16 unit takes at least one byte, so longer text cannot be equal.
  if (text.length > length) return false
  const end = at + length
  let from = at
  for (let i = 0; i < text.length; i++) {
    if (from >= end) return false
    const unit = text.charCodeAt(i)
    // Comparing units with bytes is right for ASCII only: U+00C3 U+00A9 are not the bytes C3 A9.
    if (unit < ASCII_END) {
      if (memory.peekByte(item, from++) !== unit) return false
      continue
    }
    // A lone surrogate gives three bytes that no stored text has.
    const point = text.codePointAt(i) as number
    const size = utf8Size(point)
    for (let behind = size - 1; behind >= 0; behind--) {
      if (memory.peekByte(item, from++) !== utf8Byte(point, size, behind)) return false
    }
    if (size === 4) i++
  }
  return from === end
}

/** The code point whose first byte is at `at`; `utf8Size` of it leads to the next one. */
export function pointAt(memory: Memory, item: number, at: number): number {
  const lead = memory.peekByte(item, at)
  if (lead < LEAD[2]) return lead
  const size = lead < LEAD[3] ? 2 : lead < LEAD[4] ? 3 : 4
  // The lead byte has one 1 bit per byte of the character, then a 0, then its own bits.
  let point = lead & (BYTE_MASK >>> (size + 1))
  for (let i = 1; i < size; i++) {
    point = (point << TAIL_BITS) | (memory.peekByte(item, at + i) & TAIL_MASK)
  }
  return point
}

// ---- strings ---------------------------------------------------------------------------------

/** The text in the `length` bytes at `at`. */
export function decode(memory: Memory, item: number, at: number, length: number): string {
  if (length <= MOST_SHORT) {
    const text = shortAscii(memory, item, at, length)
    if (text !== undefined) return text
  } else if (length > LONG) {
    const text = longAscii(memory, item, at, length)
    if (text !== undefined) return text
  }
  const skip = at % BYTES_PER_WORD
  const words = Math.ceil((skip + length) / BYTES_PER_WORD)
  const end = skip + length
  if (words > scratch.length) return decodeCopy(memory, memory.readBytes(item, at, length))
  const first = item + (at - skip) / BYTES_PER_WORD
  for (let i = 0; i < words; i++) scratch[i] = memory.peek(first + i)
  if (memory.host !== undefined && scratchHost !== undefined)
    return scratchHost.utf8Slice(skip, end)
  return decoder.decode(scratchBytes.subarray(skip, end))
}

/** Longer text, from a copy of its own. */
function decodeCopy(memory: Memory, copy: Uint8Array<ArrayBuffer>): string {
  const { text } = host
  const own = memory.host === undefined ? undefined : text?.over(copy.buffer)
  return own === undefined ? decoder.decode(copy) : own.utf8Slice(0, copy.length)
}

/**
 * Long text if it is ASCII, undefined if it is not, or the host has no Buffers. It is looked at before it
 * is copied: if somebody writes there meanwhile, the text is wrong, and nothing else is.
 */
function longAscii(memory: Memory, item: number, at: number, length: number): string | undefined {
  const { bytes } = memory
  const own: HostBuffer | undefined = memory.host
  const from = item * BYTES_PER_WORD + at
  const end = from + length
  if (own === undefined || end > bytes.length) return undefined
  const isAscii = length < VERY_LONG ? undefined : host.text?.isAscii
  const is =
    isAscii === undefined ? isAsciiByWord(memory, from, end) : isAscii(bytes.subarray(from, end))
  return is ? own.latin1Slice(from, end) : undefined
}

/** Whether the bytes from `from` to `end` are ASCII, looked at by words. */
function isAsciiByWord(memory: Memory, from: number, end: number): boolean {
  const first = Math.floor(from / BYTES_PER_WORD)
  const last = Math.floor((end - 1) / BYTES_PER_WORD)
  let seen = memory.peek(first) & (-1 << ((from - first * BYTES_PER_WORD) * BYTE_BITS))
  for (let i = first + 1; i < last; i++) seen |= memory.peek(i)
  const behind = (last + 1) * BYTES_PER_WORD - end
  seen |= memory.peek(last) & (-1 >>> (behind * BYTE_BITS))
  return (seen & NOT_ASCII) === 0
}
