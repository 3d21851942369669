/**
 * The text of the intrinsics, assembled as the build does it: as it is, or with a fault put in.
 */

import wabt from 'wabt'
import { type Intrinsics, instantiate } from '#src/memory/wasm.ts'

const ROOT = import.meta.url.includes('/build/') ? '../../../' : '../../'

/** What scripts/wat.js exports. */
interface Expander {
  expand(text: string): string
  intrinsicsText(): string
  numbers(): Readonly<Record<string, number>>
}
export const { expand, intrinsicsText, numbers } = (await import(
  /* @vite-ignore */ new URL(`${ROOT}scripts/wat.js`, import.meta.url).href
)) as Expander

interface WasmScope {
  readonly WebAssembly: {
    Memory: new (shape: object) => { readonly buffer: SharedArrayBuffer }
    validate(binary: Uint8Array): boolean
  }
}
export const { WebAssembly: Wasm } = globalThis as unknown as WasmScope

/** The smallest memory that two workers can share. */
export const onePage = () => new Wasm.Memory({ initial: 1, maximum: 1, shared: true })

/** The shipped text, expanded. */
export const HONEST: string = intrinsicsText()

/** The shipped text, with each `find` replaced: the expanded text has the walk three times. */
export function faulty(find: string, replace: string): string {
  if (!HONEST.includes(find)) throw new Error(`intrinsics.wat has no ${find}`)
  return HONEST.replaceAll(find, replace)
}

/** Bytes of the module that `text` spells. */
export async function assemble(text: string): Promise<Uint8Array> {
  const { parseWat } = await wabt()
  return parseWat('intrinsics.wat', text, { threads: true }).toBinary({}).buffer
}

/** The intrinsics that `text` spells over `memory`. */
export async function intrinsicsOf(text: string, memory: object): Promise<Intrinsics> {
  return instantiate(await assemble(text), memory)
}
