/**
 * The library with the WebAssembly that ships: `shipped` of stage.ts, whose atomic and compound verbs
 * are those of the assembled module, played step by step.
 *
 * Between the two stands the shipped `WasmMemory`, which calls the exports as it does in a program.
 * It never touches its own words: these verbs are all that is taken from it.
 */

import { INTRINSICS } from '#src/memory/intrinsics.generated.ts'
import type { Memory } from '#src/memory/memory.ts'
import { type Intrinsics, WasmMemory } from '#src/memory/wasm.ts'
import { type Library, shipped } from './stage.ts'
import { decodeWasm, type WasmModule } from './wasmModule.ts'
import { playWasm } from './wasmPlayer.ts'

/** The bytes that the build has made. */
export const ASSEMBLED: Uint8Array = Buffer.from(INTRINSICS, 'base64')

/** The library with these intrinsics: those that ship, or a mutant of them. */
export function withIntrinsics(binary: Uint8Array): Library {
  const module = decodeWasm(binary)
  return { ...shipped, memoryOf: (memory) => overlay(module, memory) }
}

export const assembled: Library = withIntrinsics(ASSEMBLED)

/** `memory`, with every verb that the module exports in place of its own. */
export function overlay(module: WasmModule, memory: Memory): Memory {
  const swift = new WasmMemory(bufferOf(memory.words.byteLength), playWasm(module, memory))
  const verbs = [...module.exports.keys()].map((name) => {
    const verb = swift[name as keyof Intrinsics] as (...args: number[]) => number
    return [name, verb.bind(swift)]
  })
  return Object.assign(Object.create(memory), Object.fromEntries(verbs)) as Memory
}

/** Only its size is ever looked at, so one is enough for each. */
const buffers = new Map<number, SharedArrayBuffer>()

function bufferOf(bytes: number): SharedArrayBuffer {
  let buffer = buffers.get(bytes)
  if (buffer === undefined) {
    buffer = new SharedArrayBuffer(bytes)
    buffers.set(bytes, buffer)
  }
  return buffer
}
