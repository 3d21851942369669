/**
 * `Memory` with its atomic and compound verbs in WebAssembly, which is faster.
 *
 * Both classes work on the same shared memory, and workers of one arena may use different ones. A
 * worker gets this one if the arena lies over a WebAssembly.Memory and the host lets us compile; a
 * strict content security policy does not.
 *
 * Plain verbs stay in JavaScript: engines inline them, and nothing is faster. A worker has one
 * class of memory, so call sites still see one shape.
 */

import { Corruption, Misuse, show } from '../base/errors.ts'
import { INTRINSICS } from './intrinsics.generated.ts'
import { type IntrinsicsKind, Memory } from './memory.ts'

/** What intrinsics.wat exports. Addresses are word indices, all numbers 32 bits. */
export interface Intrinsics {
  load(at: number): number
  store(at: number, value: number): void
  add(at: number, value: number): number
  swap(at: number, value: number): number
  cas(at: number, expected: number, value: number): number
  or(at: number, bits: number): number
  and(at: number, bits: number): number
  enterSection(wrAt: number, at: number): number
  findHash(chainsAt: number, behind: number, hash: number): number
  lookUpHash(wrAt: number, at: number, chainsAt: number, behind: number, hash: number): number
  findMany(at: number, count: number, chainsAt: number, shift: number, behind: number): void
  floorWord(changesAt: number, rootAt: number, word: number, flip: number, key: number): number
}

/** The memory of an arena: part of its handle, and of the options of `create`. */
interface MemorySource {
  readonly buffer: SharedArrayBuffer
  readonly memory?: { readonly buffer: ArrayBufferLike }
}

interface WasmScope {
  readonly WebAssembly?: {
    Module: new (binary: Uint8Array) => object
    Instance: new (module: object, imports: object) => { readonly exports: unknown }
  }
  atob?(base64: string): string
}

const scope = globalThis as WasmScope

export class WasmMemory extends Memory {
  // Kept in fields, since reading from the exports of an instance is slow.
  private readonly wasmLoad: Intrinsics['load']
  private readonly wasmStore: Intrinsics['store']
  private readonly wasmAdd: Intrinsics['add']
  private readonly wasmSwap: Intrinsics['swap']
  private readonly wasmCas: Intrinsics['cas']
  private readonly wasmOr: Intrinsics['or']
  private readonly wasmAnd: Intrinsics['and']
  private readonly wasmEnterSection: Intrinsics['enterSection']
  private readonly wasmFindHash: Intrinsics['findHash']
  private readonly wasmLookUpHash: Intrinsics['lookUpHash']
  private readonly wasmFindMany: Intrinsics['findMany']
  private readonly wasmFloorWord: Intrinsics['floorWord']

  constructor(buffer: SharedArrayBuffer, wasm: Intrinsics) {
    super(buffer)
    this.wasmLoad = wasm.load
    this.wasmStore = wasm.store
    this.wasmAdd = wasm.add
    this.wasmSwap = wasm.swap
    this.wasmCas = wasm.cas
    this.wasmOr = wasm.or
    this.wasmAnd = wasm.and
    this.wasmEnterSection = wasm.enterSection
    this.wasmFindHash = wasm.findHash
    this.wasmLookUpHash = wasm.lookUpHash
    this.wasmFindMany = wasm.findMany
    this.wasmFloorWord = wasm.floorWord
  }

  override get intrinsics(): IntrinsicsKind {
    return 'wasm'
  }

  override load(at: number): number {
    try {
      return this.wasmLoad(at)
    } catch (cause) {
      throw this.outside(at, cause)
    }
  }

  override store(at: number, value: number): void {
    try {
      this.wasmStore(at, value)
    } catch (cause) {
      throw this.outside(at, cause)
    }
  }

  override add(at: number, value: number): number {
    try {
      return this.wasmAdd(at, value)
    } catch (cause) {
      throw this.outside(at, cause)
    }
  }

  override swap(at: number, value: number): number {
    try {
      return this.wasmSwap(at, value)
    } catch (cause) {
      throw this.outside(at, cause)
    }
  }

  override cas(at: number, expected: number, value: number): number {
    try {
      return this.wasmCas(at, expected, value)
    } catch (cause) {
      throw this.outside(at, cause)
    }
  }

  override or(at: number, bits: number): number {
    try {
      return this.wasmOr(at, bits)
    } catch (cause) {
      throw this.outside(at, cause)
    }
  }

  override and(at: number, bits: number): number {
    try {
      return this.wasmAnd(at, bits)
    } catch (cause) {
      throw this.outside(at, cause)
    }
  }

  override enterSection(wrAt: number, at: number): number {
    return this.wasmEnterSection(wrAt, at) >>> 0
  }

  override findHash(chainsAt: number, behind: number, hash: number): number {
    try {
      return this.wasmFindHash(chainsAt, behind, hash)
    } catch (cause) {
      throw this.trapped(cause)
    }
  }

  override lookUpHash(
    wrAt: number,
    at: number,
    chainsAt: number,
    behind: number,
    hash: number,
  ): number {
    try {
      return this.wasmLookUpHash(wrAt, at, chainsAt, behind, hash)
    } catch (cause) {
      // The walk had opened a section, which the caller does not know of: close it.
      this.store(at, 0)
      throw this.trapped(cause)
    }
  }

  override findMany(
    at: number,
    count: number,
    chainsAt: number,
    shift: number,
    behind: number,
  ): void {
    try {
      this.wasmFindMany(at, count, chainsAt, shift, behind)
    } catch (cause) {
      throw this.trapped(cause)
    }
  }

  override floorWord(
    changesAt: number,
    rootAt: number,
    word: number,
    flip: number,
    key: number,
  ): number {
    try {
      return this.wasmFloorWord(changesAt, rootAt, word, flip, key)
    } catch (cause) {
      throw this.trapped(cause)
    }
  }

  /** The error for a walk that trapped: a link led out of the arena. */
  private trapped(cause: unknown): unknown {
    if (!(cause instanceof Error) || cause.name !== 'RuntimeError') return cause
    return new Corruption('memory: a chain leads out of the arena: its table is damaged')
  }
}

/**
 * The memory of an arena: with intrinsics if `wanted` is true, without if false, and by default
 * with them where that is possible. Misuse if they are wanted and not possible.
 */
export function memoryAt(call: string, place: MemorySource, wanted: boolean | undefined): Memory {
  if (wanted !== undefined && typeof wanted !== 'boolean') {
    throw new Misuse(`${call}: intrinsics is ${show(wanted)}; give true or false`)
  }
  if (wanted === false) return new Memory(place.buffer)
  if (place.memory === undefined) {
    if (wanted) throw without(call, 'this arena lies in a plain SharedArrayBuffer')
    return new Memory(place.buffer)
  }
  try {
    // The buffer of the memory that the intrinsics work on, whatever the handle says.
    const buffer = place.memory.buffer as SharedArrayBuffer
    return new WasmMemory(buffer, instantiate(binary(), place.memory))
  } catch (cause) {
    if (wanted) throw without(call, `this host does not let us compile WebAssembly: ${cause}`)
    return new Memory(place.buffer)
  }
}

/** The intrinsics over this memory. Throws what the host throws. */
export function instantiate(wasm: Uint8Array, memory: object): Intrinsics {
  const { WebAssembly } = scope
  if (WebAssembly === undefined) throw new Error('there is no WebAssembly')
  const module = new WebAssembly.Module(wasm)
  return new WebAssembly.Instance(module, { arena: { memory } }).exports as Intrinsics
}

function binary(): Uint8Array {
  if (scope.atob === undefined) throw new Error('there is no atob')
  return Uint8Array.from(scope.atob(INTRINSICS), (char) => char.charCodeAt(0))
}

function without(call: string, why: string): Misuse {
  return new Misuse(`${call}: intrinsics cannot be had: ${why}; leave the option out`)
}
