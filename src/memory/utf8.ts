/**
 * Names and schema texts in and out of private byte arrays.
 *
 * Every host has TextEncoder and TextDecoder, but browsers refuse to let them touch shared memory:
 * text is always copied out first (`Memory.readBytes`) or in afterwards (`Memory.writeBytes`).
 */

interface TextScope {
  readonly TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> }
  readonly TextDecoder: new () => { decode(bytes: Uint8Array<ArrayBuffer>): string }
}

const scope = globalThis as unknown as TextScope
const encoder = new scope.TextEncoder()
const decoder = new scope.TextDecoder()

export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text)
}

export function decodeText(bytes: Uint8Array<ArrayBuffer>): string {
  return decoder.decode(bytes)
}
