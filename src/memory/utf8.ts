/**
 * Names and schema texts in and out of private byte arrays.
 *
 * Every host has TextEncoder and TextDecoder, but browsers refuse to let them touch shared memory:
 * text is always copied out first (`Memory.readBytes`) or in afterwards (`Memory.writeBytes`).
 */

interface TextScope {
  readonly TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> }
  readonly TextDecoder: new (
    label: string,
    options: { readonly ignoreBOM: boolean },
  ) => { decode(bytes: Uint8Array<ArrayBuffer>): string }
}

const scope = globalThis as unknown as TextScope
const encoder = new scope.TextEncoder()
/** A byte order mark is a character like any other in a name: it must come back. */
const decoder = new scope.TextDecoder('utf-8', { ignoreBOM: true })

export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text)
}

export function decodeText(bytes: Uint8Array<ArrayBuffer>): string {
  return decoder.decode(bytes)
}
