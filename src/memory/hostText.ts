/**
 * Text straight from and to shared memory, where the host has Buffers, as Node and Bun do.
 *
 * Browsers let neither TextDecoder nor TextEncoder touch shared memory, and nothing there replaces
 * what is here: record/text.ts has a portable path for everything, and takes this one where it is
 * faster. The methods are Node's own, and not documented, so they are tried before they are used.
 *
 * What decodes UTF-8 must not see memory that others can write: V8 counts the characters in a first
 * pass, and stores them in a second one without looking at the count. If a worker writes in between -
 * it should not, but SECURITY.md says that then nothing crashes - the second pass would leave its
 * string. So only two things are done in shared memory itself, both of a length that is known before:
 * bytes are copied as Latin-1, one character each, and text is encoded into a given room. Whatever is
 * not ASCII is decoded from a private copy.
 */

/** A Buffer, as far as text needs it. */
export interface HostBuffer {
  /** Bytes `from` to `end` as text, each a character of its own. */
  latin1Slice(from: number, end: number): string
  /** The text that these bytes are in UTF-8; of private memory only. */
  utf8Slice(from: number, end: number): string
  /** Encodes text into at most `most` bytes from `at` on, and returns how many it took. */
  utf8Write(text: string, at: number, most: number): number
}

export interface HostText {
  /** These bytes as a Buffer. Undefined if they are more than a Buffer can have. */
  over(buffer: ArrayBufferLike): HostBuffer | undefined
  /** Bytes that well-formed text takes in UTF-8. */
  byteLength(text: string): number
  /** Whether bytes are ASCII, where the host can tell. */
  readonly isAscii: ((bytes: Uint8Array) => boolean) | undefined
}

/** The globals that are looked at. */
export interface BufferScope {
  readonly Buffer?: {
    from(buffer: ArrayBufferLike): HostBuffer
    byteLength(text: string): number
  }
  readonly process?: { getBuiltinModule?(id: string): unknown }
}

/** What a host with these globals has; undefined if something does not work. */
export function detect({ Buffer, process }: BufferScope): HostText | undefined {
  if (typeof Buffer?.from !== 'function' || typeof Buffer.byteLength !== 'function')
    return undefined
  const over = (buffer: ArrayBufferLike): HostBuffer | undefined => {
    try {
      return Buffer.from(buffer)
    } catch {
      return undefined
    }
  }
  const more = process?.getBuiltinModule?.('node:buffer') as
    | { readonly isAscii?: (bytes: Uint8Array) => boolean }
    | undefined
  const found = { over, byteLength: Buffer.byteLength.bind(Buffer), isAscii: more?.isAscii }
  return works(found) ? found : undefined
}

const TRIED = 'a\u00e4\u6f22\u{1f600}'
const TRIED_BYTES = 10

/** Whether it does with shared memory what it should. */
function works({ over, byteLength, isAscii }: HostText): boolean {
  try {
    const shared = new SharedArrayBuffer(TRIED_BYTES + 2)
    const bytes = new Uint8Array(shared)
    const view = over(shared)
    const own = over(bytes.slice().buffer)
    return (
      view?.utf8Write(TRIED, 1, TRIED_BYTES) === TRIED_BYTES &&
      over(bytes.slice().buffer)?.utf8Slice(1, TRIED_BYTES + 1) === TRIED &&
      own?.utf8Write(TRIED, 0, 2) === 1 &&
      view.latin1Slice(1, 4) === 'a\u00c3\u00a4' &&
      byteLength(TRIED) === TRIED_BYTES &&
      (isAscii === undefined || (isAscii(bytes.subarray(0, 2)) && !isAscii(bytes)))
    )
  } catch {
    return false
  }
}

/** What this host has. Tests set it to undefined, and so take the portable path. @internal */
export const host: { text: HostText | undefined } = {
  text: detect(globalThis as unknown as BufferScope),
}
