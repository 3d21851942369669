/**
 * Text as UTF-8: names, labels and schema texts.
 *
 * Every host has TextEncoder and TextDecoder, but browsers do not let them touch shared memory:
 * text is copied out first (`Memory.readBytes`) or in afterwards (`Memory.writeBytes`).
 */

import { BYTES_PER_WORD } from './memory.ts'

interface TextScope {
  readonly TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> }
  readonly TextDecoder: new (
    label: string,
    options: { readonly ignoreBOM: boolean },
  ) => { decode(bytes: Uint8Array<ArrayBuffer>): string }
}

const scope = globalThis as unknown as TextScope
const encoder = new scope.TextEncoder()
/** A byte order mark is part of a name, and must not be dropped. */
const decoder = new scope.TextDecoder('utf-8', { ignoreBOM: true })

export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text)
}

export function decodeText(bytes: Uint8Array<ArrayBuffer>): string {
  return decoder.decode(bytes)
}

/** The text in at most `words` words; a longer one is cut between two characters. */
export function packText(text: string, words: number): { bytes: number; packed: number[] } {
  const all = encodeText(text)
  const isInside = (byte: number | undefined): boolean => ((byte ?? 0) & INSIDE_MASK) === INSIDE
  let bytes = Math.min(all.length, words * BYTES_PER_WORD)
  while (bytes > 0 && bytes < all.length && isInside(all[bytes])) bytes--
  const packed: number[] = []
  for (let at = 0; at < bytes; at += BYTES_PER_WORD) {
    let word = 0
    for (let i = 0; i < BYTES_PER_WORD && at + i < bytes; i++) {
      word |= (all[at + i] as number) << (i * BITS_PER_BYTE)
    }
    packed.push(word)
  }
  return { bytes, packed }
}

/** The text of so many bytes in words that `packText` made. */
export function unpackText(bytes: number, word: (index: number) => number): string {
  const text = new Uint8Array(bytes)
  for (let at = 0; at < bytes; at++) {
    const shift = (at % BYTES_PER_WORD) * BITS_PER_BYTE
    text[at] = word(Math.floor(at / BYTES_PER_WORD)) >> shift
  }
  return decodeText(text)
}

const BITS_PER_BYTE = 8
/** In UTF-8 the bytes that do not begin a character look like 10xxxxxx. */
const INSIDE_MASK = 0xc0
const INSIDE = 0x80
