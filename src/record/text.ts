/**
 * Text and byte strings inside a record.
 *
 *   | length | bytes ............ | unused |        length: one byte up to 255, two beyond
 *            '---------- max -----------'
 *
 * A length in front, not a zero behind: a string may contain NUL, may be empty, and may fill its
 * field to the last byte. Nothing is aligned, so a country code of two letters takes three bytes.
 *
 * The bytes are UTF-8, JavaScript's strings are UTF-16, and the two differ in one more thing than
 * size: UTF-16 allows half of a surrogate pair to stand alone, UTF-8 has no such character. Whoever
 * encodes one silently stores U+FFFD and reads back another string, so it is refused at the door
 * (`utf8Length` says -1). Everything that was stored is therefore well formed and round trips.
 *
 * Names, codes and keys are short and mostly ASCII, and for these a call into TextEncoder or
 * TextDecoder costs more than the work. So encoding and comparing are loops over `charCodeAt` that
 * step aside only for characters beyond 0x7f, and allocate nothing; decoding builds short ASCII by
 * hand and gives the rest to TextDecoder - from a private copy, because browsers refuse to decode
 * shared memory. Offsets here are bytes from the first word of the record.
 *
 * A length is believed only up to the size of its field: should somebody read a record that is
 * being rewritten, the text may be nonsense, but never a neighbour's bytes.
 */

import { BYTES_PER_WORD, type Memory } from '../memory/memory.ts'

/** Most bytes in one text or bytes field: what two bytes of length can say. */
export const MAX_BYTES = 0xffff

const BYTE_BITS = 8
const BYTE_MASK = 0xff
const ASCII_END = 0x80

// The host's, but no environment's types are assumed here.
declare class TextDecoder {
  constructor(label: string, options: { ignoreBOM: boolean })
  decode(bytes: Uint8Array): string
}

/** A byte order mark is a character like any other in a record: it must come back. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Where text is copied before it is decoded, whole words at a time: four times fewer steps, and a
 * fresh array of more than 64 bytes costs a microsecond. Longer text gets a copy of its own.
 */
const scratch = new Uint32Array(1024)
const scratchBytes = new Uint8Array(scratch.buffer)

/** Up to here, building the string beats TextDecoder (measured: the two meet at 12 to 16). */
const SHORT = 12

// ---- lengths ---------------------------------------------------------------------------------

/** Bytes in front of a field of at most `max` bytes that tell how many are in use. */
export function headBytes(max: number): number {
  return max > BYTE_MASK ? 2 : 1
}

/** How many bytes the field at `at` holds, never more than its `max`. */
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

/** Lead byte of a character of so many bytes, before its bits are added. */
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

/** The byte of a character that `behind` more bytes follow. */
function utf8Byte(point: number, size: 1 | 2 | 3 | 4, behind: number): number {
  const bits = point >>> (behind * TAIL_BITS)
  return behind === size - 1 ? LEAD[size] | bits : TAIL | (bits & TAIL_MASK)
}

function isLoneSurrogate(point: number): boolean {
  return point >= 0xd800 && point <= 0xdfff
}

/** Bytes that `text` takes in UTF-8, or -1 when it holds a lone surrogate and cannot be encoded. */
export function utf8Length(text: string): number {
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

/** Encodes `text`, which the caller has measured; returns the offset behind its last byte. */
export function encode(memory: Memory, item: number, at: number, text: string): number {
  let to = at
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < ASCII_END) {
      memory.pokeByte(item, to++, unit)
      continue
    }
    const point = text.codePointAt(i) as number
    const size = utf8Size(point)
    for (let behind = size - 1; behind >= 0; behind--) {
      memory.pokeByte(item, to++, utf8Byte(point, size, behind))
    }
    if (size === 4) i++
  }
  return to
}

/** Whether the `length` bytes at `at` are `text`, in full, without building a string. */
export function sameText(
  memory: Memory,
  item: number,
  at: number,
  length: number,
  text: string,
): boolean {
  // A UTF-16 unit becomes one byte at least, so longer text cannot be the one stored.
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
    // Half a surrogate pair spells three bytes that no stored text has.
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
  // The lead byte spends one bit per byte of the character, and a zero, on saying its size.
  let point = lead & (BYTE_MASK >>> (size + 1))
  for (let i = 1; i < size; i++) {
    point = (point << TAIL_BITS) | (memory.peekByte(item, at + i) & TAIL_MASK)
  }
  return point
}

// ---- strings ---------------------------------------------------------------------------------

/** The text in the `length` bytes at `at`. */
export function decode(memory: Memory, item: number, at: number, length: number): string {
  if (length <= SHORT) {
    const text = shortAscii(memory, item, at, length)
    if (text !== undefined) return text
  }
  const skip = at % BYTES_PER_WORD
  const words = Math.ceil((skip + length) / BYTES_PER_WORD)
  if (words > scratch.length) return decoder.decode(memory.readBytes(item, at, length))
  const first = item + (at - skip) / BYTES_PER_WORD
  for (let i = 0; i < words; i++) scratch[i] = memory.peek(first + i)
  return decoder.decode(scratchBytes.subarray(skip, skip + length))
}

/** Four letters at a time, because each call makes a string; undefined unless all are ASCII. */
function shortAscii(memory: Memory, item: number, at: number, length: number): string | undefined {
  let text = ''
  let seen = 0
  let i = 0
  for (; i + 4 <= length; i += 4) {
    const a = memory.peekByte(item, at + i)
    const b = memory.peekByte(item, at + i + 1)
    const c = memory.peekByte(item, at + i + 2)
    const d = memory.peekByte(item, at + i + 3)
    seen |= a | b | c | d
    text += String.fromCharCode(a, b, c, d)
  }
  for (; i < length; i++) {
    const unit = memory.peekByte(item, at + i)
    seen |= unit
    text += String.fromCharCode(unit)
  }
  return seen < ASCII_END ? text : undefined
}
