/**
 * Which workers get the intrinsics and which do not, how that is chosen, and where it shows.
 */

import { afterEach, describe, expect, it, vi } from 'vitest'
import { Arena } from '#src/index.ts'
import { INTRINSICS } from '#src/memory/intrinsics.generated.ts'
import { Memory } from '#src/memory/memory.ts'
import type { Intrinsics } from '#src/memory/wasm.ts'
import { misuse } from '../../helpers/refusals.ts'
import { HONEST, intrinsicsOf, onePage, Wasm } from '../../helpers/wat.ts'

describe('the choice', () => {
  const bytes = 2 ** 18
  const kindOf = (arena: Arena) => arena.stats().intrinsics

  afterEach(() => {
    vi.unstubAllGlobals()
  })

  it('is what the build embeds: small enough for a page, and valid', () => {
    const binary = Buffer.from(INTRINSICS, 'base64')
    expect(binary.length).toBeLessThan(4096)
    expect(Wasm.validate(binary)).toBe(true)
  })

  it('falls on WebAssembly where the arena lies over its memory, and on TypeScript elsewhere', () => {
    const arena = Arena.create({ bytes })
    expect([kindOf(arena), kindOf(Arena.attach(arena.handle))]).toEqual(['wasm', 'wasm'])
    const own = new Wasm.Memory({ initial: 8, maximum: 8, shared: true })
    expect(kindOf(Arena.create({ memory: own }))).toBe('wasm')
    const plain = Arena.create({ buffer: new SharedArrayBuffer(bytes) })
    expect([kindOf(plain), kindOf(Arena.attach(plain.handle))]).toEqual([
      'typescript',
      'typescript',
    ])
  })

  it('is each worker’s own, and can be forced', () => {
    const arena = Arena.create({ bytes, intrinsics: false })
    const other = Arena.attach(arena.handle, { intrinsics: true })
    const third = Arena.attach(arena.handle, { intrinsics: false })
    expect([arena, other, third].map(kindOf)).toEqual(['typescript', 'wasm', 'typescript'])
    const goal = arena.smr('d').advance()
    other.smr('d').enter()
    expect(third.smr('d').poll(goal)).toBe(true)
    expect(third.smr('d').poll(third.smr('d').advance())).toBe(false)
  })

  it('is refused where it cannot be had, and where it is no choice', () => {
    const buffer = new SharedArrayBuffer(bytes)
    expect(misuse(() => Arena.create({ buffer, intrinsics: true })).message).toMatch(
      /plain SharedArrayBuffer/,
    )
    const { handle } = Arena.create({ buffer })
    expect(misuse(() => Arena.attach(handle, { intrinsics: true })).message).toMatch(
      /plain SharedArrayBuffer/,
    )
    expect(
      misuse(() => Arena.attach(handle, { intrinsics: 'yes' as unknown as boolean })).message,
    ).toMatch(/true or false/)
    expect(misuse(() => Arena.attach(handle, { wasm: true } as object)).message).toMatch(/wasm/)
  })

  it('falls on TypeScript under a policy that forbids to compile, or says so', () => {
    class Module {
      constructor() {
        throw new EvalError('refused by the content security policy')
      }
    }
    vi.stubGlobal('WebAssembly', { Memory: Wasm.Memory, Module })
    expect(kindOf(Arena.create({ bytes }))).toBe('typescript')
    expect(misuse(() => Arena.create({ bytes, intrinsics: true })).message).toMatch(
      /content security policy/,
    )
    vi.unstubAllGlobals()
    vi.stubGlobal('atob', undefined)
    expect(kindOf(Arena.create({ bytes }))).toBe('typescript')
  })

  it('compiles what has every verb', async () => {
    const wasm: Intrinsics = await intrinsicsOf(HONEST, onePage())
    const names = Object.keys(wasm).sort()
    for (const name of names) expect(Memory.prototype).toHaveProperty(name)
    expect(names).toHaveLength(12)
  })
})
