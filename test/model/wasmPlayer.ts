/**
 * Plays a decoded WebAssembly module over a `Memory`, instruction by instruction: every access to
 * memory is a verb. Over the model's memory each is a step of the explorer, so what is explored is
 * the module that ships, and not what a text says of it.
 *
 *   i32.atomic.load store rmw.*    load store add swap cas or and
 *   i32.load i32.store             peek poke
 *
 * The rest - numbers, locals, branches - no other worker can notice.
 */

import type { Memory } from '#src/memory/memory.ts'
import type { Intrinsics } from '#src/memory/wasm.ts'
import type { Instruction, WasmFunction, WasmModule } from './wasmModule.ts'

const WORD_SHIFT = 2
const WORD_BYTES = 4
/** Of WebAssembly's pages. */
const WORDS_PER_PAGE = 2 ** 14

interface WasmScope {
  readonly WebAssembly: { readonly RuntimeError: new (message: string) => Error }
}
const { WebAssembly: Wasm } = globalThis as unknown as WasmScope

/** What the module exports, as an instance of it over this memory would. */
export function playWasm(module: WasmModule, memory: Memory): Intrinsics {
  const exports = [...module.exports].map(([name, one]) => [
    name,
    // As where JavaScript calls WebAssembly: numbers become 32 bits, missing ones 0.
    (...args: number[]) =>
      call(
        module,
        one,
        memory,
        Int32Array.from({ length: one.params }, (_, i) => args[i] ?? 0),
      ),
  ])
  return Object.fromEntries(exports) as Intrinsics
}

/** A block that is being played: where a branch to it goes on, and what it leaves on the stack. */
interface Label {
  readonly to: number
  readonly isLoop: boolean
  readonly results: number
  readonly height: number
}

function call(
  module: WasmModule,
  one: WasmFunction,
  memory: Memory,
  args: ArrayLike<number>,
): number | undefined {
  const { code, locals: more, params, results } = one
  const locals = new Int32Array(params + more)
  locals.set(args)
  const stack: number[] = []
  const labels: Label[] = [{ to: code.length, isLoop: false, results, height: 0 }]
  const pop = (): number => {
    const value = stack.pop()
    if (value === undefined) throw new Error(`wasm: ${one.name}: the stack is empty`)
    return value
  }

  /** Where to go on after a branch out of `depth` blocks. */
  const branch = (depth: number): number => {
    const label = labels[labels.length - 1 - depth] as Label
    labels.length -= label.isLoop ? depth : depth + 1
    if (!label.isLoop) stack.splice(label.height, stack.length - label.height - label.results)
    else stack.length = label.height
    return label.to
  }

  for (let at = 0; at < code.length; at++) {
    const each = code[at] as Instruction
    const { name, a } = each
    switch (name) {
      case 'nop':
        break
      case 'unreachable':
        throw new Wasm.RuntimeError('unreachable')
      case 'block':
        labels.push({ to: each.end, isLoop: false, results: a, height: stack.length })
        break
      case 'loop':
        labels.push({ to: at, isLoop: true, results: a, height: stack.length })
        break
      case 'if': {
        const holds = pop() !== 0
        labels.push({ to: each.end, isLoop: false, results: a, height: stack.length })
        // The else has its end as well: playing goes on behind what is named here.
        if (!holds && each.other !== each.end) at = each.other
        else if (!holds) at = branch(0)
        break
      }
      case 'else':
        at = branch(0)
        break
      case 'end':
        labels.pop()
        break
      case 'br':
        at = branch(a)
        break
      case 'br_if':
        if (pop() !== 0) at = branch(a)
        break
      case 'return':
        at = branch(labels.length - 1)
        break
      case 'call': {
        const callee = module.functions[a] as WasmFunction
        const given = stack.splice(stack.length - callee.params, callee.params)
        const answer = call(module, callee, memory, given)
        if (answer !== undefined) stack.push(answer)
        break
      }
      case 'drop':
        pop()
        break
      case 'select': {
        const holds = pop() !== 0
        const other = pop()
        if (!holds) stack[stack.length - 1] = other
        break
      }
      case 'local.get':
        stack.push(locals[a] as number)
        break
      case 'local.set':
        locals[a] = pop()
        break
      case 'local.tee':
        locals[a] = stack.at(-1) as number
        break
      case 'i32.const':
        stack.push(a)
        break
      case 'memory.size':
        stack.push(Math.ceil(memory.words.length / WORDS_PER_PAGE))
        break
      case 'i32.eqz':
        stack.push(pop() === 0 ? 1 : 0)
        break
      case 'i32.clz':
        stack.push(Math.clz32(pop()))
        break
      case 'i32.load':
        stack.push(memory.peek(wordAt(each, pop())))
        break
      case 'i32.atomic.load':
        stack.push(memory.load(wordAt(each, pop())))
        break
      case 'i32.store': {
        const value = pop()
        memory.poke(wordAt(each, pop()), value)
        break
      }
      case 'i32.atomic.store': {
        const value = pop()
        memory.store(wordAt(each, pop()), value)
        break
      }
      case 'i32.atomic.rmw.add': {
        const value = pop()
        stack.push(memory.add(wordAt(each, pop()), value))
        break
      }
      case 'i32.atomic.rmw.and': {
        const value = pop()
        stack.push(memory.and(wordAt(each, pop()), value))
        break
      }
      case 'i32.atomic.rmw.or': {
        const value = pop()
        stack.push(memory.or(wordAt(each, pop()), value))
        break
      }
      case 'i32.atomic.rmw.xchg': {
        const value = pop()
        stack.push(memory.swap(wordAt(each, pop()), value))
        break
      }
      case 'i32.atomic.rmw.cmpxchg': {
        const value = pop()
        const expected = pop()
        stack.push(memory.cas(wordAt(each, pop()), expected, value))
        break
      }
      default: {
        const right = pop()
        const left = pop()
        stack.push(calculate(name, left, right))
      }
    }
  }
  return results === 0 ? undefined : pop()
}

/** The word that the instruction accesses, when the address on the stack is this. */
function wordAt({ name, a: offset }: Instruction, address: number): number {
  const at = (address >>> 0) + offset
  // An atomic access would trap; a plain one would read parts of two words, which nobody means.
  if (at % WORD_BYTES !== 0) throw new Wasm.RuntimeError(`${name}: unaligned, at byte ${at}`)
  return at / 2 ** WORD_SHIFT
}

/** Two numbers of 32 bits in, one out. */
function calculate(name: string, left: number, right: number): number {
  switch (name) {
    case 'i32.add':
      return (left + right) | 0
    case 'i32.sub':
      return (left - right) | 0
    case 'i32.mul':
      return Math.imul(left, right)
    case 'i32.and':
      return left & right
    case 'i32.or':
      return left | right
    case 'i32.xor':
      return left ^ right
    case 'i32.shl':
      return left << right
    case 'i32.shr_s':
      return left >> right
    case 'i32.shr_u':
      return (left >>> right) | 0
    case 'i32.eq':
      return left === right ? 1 : 0
    case 'i32.ne':
      return left !== right ? 1 : 0
    case 'i32.lt_s':
      return left < right ? 1 : 0
    case 'i32.lt_u':
      return left >>> 0 < right >>> 0 ? 1 : 0
    case 'i32.gt_s':
      return left > right ? 1 : 0
    case 'i32.gt_u':
      return left >>> 0 > right >>> 0 ? 1 : 0
    case 'i32.le_s':
      return left <= right ? 1 : 0
    case 'i32.le_u':
      return left >>> 0 <= right >>> 0 ? 1 : 0
    case 'i32.ge_s':
      return left >= right ? 1 : 0
    case 'i32.ge_u':
      return left >>> 0 >= right >>> 0 ? 1 : 0
    default:
      throw new Error(`wasm: ${name} cannot be played`)
  }
}
