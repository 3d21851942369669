/**
 * The player of WebAssembly against the real thing: the same answers, the same memory afterwards;
 * and against the TypeScript reference, access by access.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChainsWord, NodeWords, PAGE_WORDS } from '#src/memory/layout.ts'
import { Memory } from '#src/memory/memory.ts'
import { KEYS_AT_ONCE } from '#src/memory/units.ts'
import { type Intrinsics, instantiate } from '#src/memory/wasm.ts'
import { mix } from '#src/record/hash.ts'
import { assemble, HONEST, onePage } from '../helpers/wat.ts'
import {
  damagedFloorsEnd,
  findsAgree,
  floorsAgree,
  sectionsAgree,
  verbsAgree,
} from '../unit/memory/intrinsicsLaws.ts'
import { ASSEMBLED, overlay } from './assembled.ts'
import { decodeWasm } from './wasmModule.ts'
import { playWasm } from './wasmPlayer.ts'

const BYTES = 2 ** 16
const module = decodeWasm(ASSEMBLED)
const played = (): Memory => overlay(module, new Memory(new SharedArrayBuffer(BYTES)))

describe('what ships', () => {
  it('is what the text says', async () => {
    expect(Buffer.from(await assemble(HONEST)).equals(ASSEMBLED)).toBe(true)
  })

  it('is played as the reference has it', () => {
    verbsAgree(played, 100)
    sectionsAgree(played, 100)
    findsAgree(played, 50)
    floorsAgree(played, 30)
    damagedFloorsEnd(played)
  })
})

// ---- the real thing --------------------------------------------------------------------------

const WR = 64
const SLOT = 96
const CHAINS = 128
const MANY = 200
const HEADS = PAGE_WORDS
const NODES = 2 * PAGE_WORDS
const NODE_WORDS = 8
const BEHIND = 4

/** Chains that end: a node leads to a later one, and so does what is not in a chain at all. */
const aMemory = fc.record({
  hand: fc.integer(),
  bits: fc.integer({ min: 1, max: 6 }),
  link: fc.constantFrom(0, 1),
  keys: fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 40 }),
  jumps: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 40, maxLength: 80 }),
  asked: fc.array(fc.integer({ min: -5, max: 40 }), { minLength: 1, maxLength: 20 }),
})
type Shape = typeof aMemory extends fc.Arbitrary<infer T> ? T : never

function build(memory: Memory, { hand, bits, link, keys, jumps }: Shape): void {
  const node = (i: number): number => (i < keys.length ? NODES + i * NODE_WORDS : 0)
  memory.poke(WR, hand)
  const chains = HEADS | (bits << ChainsWord.bitsShift) | link
  for (const stripe of [0, 1]) memory.poke(CHAINS + stripe, chains)
  for (let i = 0; i < 2 ** bits; i++) memory.poke(HEADS + i, node(i % keys.length))
  keys.forEach((key, i) => {
    const at = node(i) + BEHIND
    for (const each of [0, 1]) {
      const jump = jumps[(2 * i + each) % jumps.length] as number
      memory.poke(at + NodeWords.links + each, jump === 0 ? 0 : node(i + jump))
    }
    memory.poke(at + NodeWords.hash, mix(key))
  })
}

describe('against the real thing', () => {
  const place = onePage()
  const real = new Memory(place.buffer)
  const wasm = instantiate(ASSEMBLED, place)
  const other = new Memory(new SharedArrayBuffer(BYTES))
  const ours = playWasm(module, other)

  it('answers and memory are the same', () => {
    fc.assert(
      fc.property(aMemory, (shape) => {
        for (const memory of [real, other]) {
          memory.fill(0, memory.words.length, 0)
          build(memory, shape)
        }
        const calls: ((verbs: Intrinsics) => number)[] = [(verbs) => verbs.enterSection(WR, SLOT)]
        for (const key of shape.asked) {
          calls.push(
            (verbs) => verbs.findHash(CHAINS, BEHIND, mix(key)),
            (verbs) => verbs.lookUpHash(WR, SLOT, CHAINS, BEHIND, mix(key)),
            (verbs) => verbs.add(WR, key),
          )
          for (const memory of [real, other]) {
            for (const i of [0, 1, 2]) memory.poke(MANY + i, mix(key + i))
          }
          calls.push((verbs) => verbs.findMany(MANY, 3, CHAINS, 31, BEHIND) as unknown as number)
        }
        for (const [i, each] of calls.entries()) {
          expect(each(ours), `call ${i}`).toBe(each(wasm))
        }
        expect(Buffer.compare(other.bytes, real.bytes)).toBe(0)
      }),
      { numRuns: 200 },
    )
  })

  it('every instruction that takes two numbers, on all kinds of them', async () => {
    const names = [
      'add sub mul and or xor shl shr_s shr_u eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u',
    ].flatMap((line) => line.split(' '))
    const values = [0, 1, -1, 2, 31, 32, 33, 2 ** 31 - 1, -(2 ** 31), 12345, -98765]
    for (const name of names) {
      const [here, there] = await both(
        `(func (export "run") (param i32 i32) (result i32) (i32.${name} (local.get 0) (local.get 1)))`,
      )
      for (const x of values) {
        for (const y of values) expect(here(x, y), `${name} ${x} ${y}`).toBe(there(x, y))
      }
    }
  })

  it.each<[name: string, func: string]>([
    ['if and else', '(if (result i32) (local.get 0) (then (i32.const 5)) (else (i32.const 7)))'],
    [
      'if alone, and return',
      '(if (i32.lt_s (local.get 0) (i32.const 3)) (then (return (i32.const 9)))) (local.get 1)',
    ],
    [
      'a loop that counts down, with a value below it',
      '(i32.const 40) (block $out (loop $on (br_if $out (i32.eqz (local.get 0))) (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br $on))) (i32.add (local.get 0))',
    ],
    [
      'a branch out of a block with a result, over what it leaves',
      '(block $b (result i32) (i32.const 1) (i32.const 2) (br $b (i32.add (local.get 1) (i32.const 3))))',
    ],
    [
      'tee, drop, nop, select',
      '(drop (local.tee 1 (i32.const 4))) nop (select (local.get 0) (local.get 1) (local.get 0))',
    ],
    ['a call of another', '(call $twice (call $twice (local.get 0)))'],
  ])('%s', async (_name, func) => {
    const [here, there] = await both(
      `(func $twice (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1)))
       (func (export "run") (param i32 i32) (result i32) ${func})`,
    )
    for (const x of [0, 1, 2, 3, 5]) {
      for (const y of [0, 7]) expect(here(x, y), `${x} ${y}`).toBe(there(x, y))
    }
  })

  it('what is not known is an error that names it', async () => {
    const decode = async (text: string) => decodeWasm(await assemble(`(module ${text})`))
    await expect(decode('(func (export "f") (drop (i64.const 1)))')).rejects.toThrow(
      'wasm: f: opcode 0x42 is not known here',
    )
    await expect(decode('(func (param i64))')).rejects.toThrow('0x7e, is not known here')
    await expect(decode('(global i32 (i32.const 1))')).rejects.toThrow('section 6 is not known')
    await expect(decode('(import "a" "f" (func))')).rejects.toThrow('import a.f, of a kind')
  })

  it('traps', async () => {
    const text = '(func (export "run") (param i32 i32) (result i32) unreachable)'
    for (const run of await both(text)) expect(() => run(1, 2)).toThrow('unreachable')
    const crooked =
      '(import "arena" "memory" (memory 1 1 shared)) (func (export "run") (param i32 i32) (result i32) (i32.atomic.load (local.get 0)))'
    for (const run of await both(crooked)) expect(() => run(1, 2)).toThrow('unaligned')
  })
})

type Run = (one: number, other: number) => number

/** `run` of a module that is this text: played, and real. */
async function both(text: string): Promise<[Run, Run]> {
  const binary = await assemble(`(module ${text})`)
  const memory = new Memory(new SharedArrayBuffer(BYTES))
  const here = playWasm(decodeWasm(binary), memory) as unknown as { run: Run }
  const there = instantiate(binary, onePage()) as unknown as { run: Run }
  return [here.run, there.run]
}

// ---- the reference ---------------------------------------------------------------------------

/** Writes down every access that others could notice, and every plain one. */
class Recorder extends Memory {
  readonly atomic: string[] = []
  readonly plain: number[] = []

  override load(at: number): number {
    const value = super.load(at)
    this.atomic.push(`load ${at}: ${value}`)
    return value
  }

  override store(at: number, value: number): void {
    this.atomic.push(`store ${at}: ${value}`)
    super.store(at, value)
  }

  override peek(at: number): number {
    this.plain.push(at)
    return super.peek(at)
  }
}

describe('step by step', () => {
  const accesses = (shape: Shape, run: (memory: Memory, key: number) => number, wasm: boolean) => {
    const memory = new Recorder(new SharedArrayBuffer(BYTES))
    build(memory, shape)
    const runs: { found: number; atomic: string[]; plain: number[] }[] = []
    for (const key of shape.asked) {
      memory.atomic.length = 0
      memory.plain.length = 0
      const found = run(wasm ? overlay(module, memory) : memory, key)
      runs.push({ found, atomic: [...memory.atomic], plain: [...memory.plain] })
    }
    return runs
  }

  /**
   * The atomic accesses are those of the reference, in its order, with one more: between the first
   * two nodes the module picks without a branch, so it loads the link of the first one even if that
   * is the one it wants. Its hash is then looked at again.
   */
  it.each<[name: string, run: (memory: Memory, key: number) => number]>([
    ['enterSection', (memory) => memory.enterSection(WR, SLOT)],
    ['findHash', (memory, key) => memory.findHash(CHAINS, BEHIND, mix(key))],
    ['lookUpHash', (memory, key) => memory.lookUpHash(WR, SLOT, CHAINS, BEHIND, mix(key))],
    [
      'findMany',
      (memory, key) => {
        memory.poke(MANY, mix(key))
        memory.findMany(MANY, 1, CHAINS, 31, BEHIND)
        return memory.words[MANY + KEYS_AT_ONCE] as number
      },
    ],
  ])('%s', (_name, run) => {
    fc.assert(
      fc.property(aMemory, (shape) => {
        const link = BEHIND + NodeWords.links + shape.link
        const reference = accesses(shape, run, false)
        for (const [i, { found, atomic, plain }] of accesses(shape, run, true).entries()) {
          const wanted = reference[i] as (typeof reference)[number]
          expect(found).toBe(wanted.found)
          const more = atomic.filter((each) => !wanted.atomic.includes(each))
          expect(atomic.filter((each) => wanted.atomic.includes(each))).toEqual(wanted.atomic)
          expect(more.map((each) => Number.parseInt(each.slice('load '.length), 10))).toEqual(
            more.length === 0 ? [] : [found + link],
          )
          expect(new Set(plain)).toEqual(new Set(wanted.plain))
        }
      }),
      { numRuns: 50 },
    )
  })
})
