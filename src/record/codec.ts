/**
 * The codec of a record: reads a record as an object, and stores an object as a record.
 *
 * A loop over the fields is ten times slower than code that names them, because each step calls
 * another function for another property, which engines do not optimize. So code is generated for
 * each schema (`new Function`); under a content security policy without `unsafe-eval`, or Node's
 * --disallow-code-generation-from-strings, a loop does the same. The generated text contains only
 * numbers and the names of fields, which are identifiers.
 *
 * A write reads each property once, and all of them before it stores the first. (A getter that
 * returns another value the second time would get around the check.) Tables use the two halves
 * apart: `take` reads the object, may run its code and may throw; `store` does neither.
 */

import type { Item } from '../base/brands.ts'
import { Misuse, show } from '../base/errors.ts'
import { type HasMemory, type Memory, memoryOf } from '../memory/memory.ts'
import { addressOf } from './field.ts'

/** One field of a record. */
export interface Part {
  readonly name: string
  accepts(value: unknown): boolean
  get(arena: HasMemory, item: Item): unknown
  /**
   * Where there is one, it stands for `accepts`, and makes what is stored: undefined if it refuses.
   */
  readonly convert?: ((value: unknown) => unknown) | undefined
  /** The value must have been accepted, or made by `convert`. */
  store(memory: Memory, at: number, value: unknown): void
  /** Throws Misuse for `call`: this value, a property of `object`, was not accepted. */
  refuse(call: string, object: object, value: unknown): never
}

type Values = Record<string, unknown>

export interface Codec {
  readonly read: (arena: HasMemory, item: Item) => Values
  readonly write: (arena: HasMemory, item: Item, object: Readonly<Values>) => void
  /** The values of the object, each read once and accepted; else throws Misuse for `call`. */
  readonly take: (call: string, object: Readonly<Values>) => readonly unknown[]
  /** Stores what `take` returned: runs no code of the user, and does not throw. */
  readonly store: (memory: Memory, at: number, values: readonly unknown[]) => void
}

const WRITE = 'record.write'

/** Reads and writes records of these parts, in this order. */
export function codecOf(parts: readonly Part[]): Codec {
  try {
    return compiled(parts)
  } catch {
    return interpreted(parts)
  }
}

/** @throws if the host does not allow generated code. @internal */
export function compiled(parts: readonly Part[]): Codec {
  const each = (line: (i: string, name: string) => string): string =>
    parts.map(({ name }, i) => line(String(i), JSON.stringify(name))).join('\n')
  // One local constant for each value, which is read once.
  const taken = (call: string): string =>
    each((i, name) =>
      parts[Number(i)]?.convert === undefined
        ? `const value${i} = object[${name}]; if (!accepts${i}(value${i})) refuse${i}(${call}, object, value${i})`
        : `const given${i} = object[${name}], value${i} = convert${i}(given${i}); if (value${i} === undefined) refuse${i}(${call}, object, given${i})`,
    )
  const make = new Function(
    'parts',
    'begin',
    'addressOf',
    'memoryOf',
    `${each((i) => `const { accepts: accepts${i}, convert: convert${i}, get: get${i}, store: store${i}, refuse: refuse${i} } = parts[${i}]`)}
    return {
      read: (arena, item) => ({
        ${each((i, name) => `${name}: get${i}(arena, item),`)}
      }),
      write: (arena, item, object) => {
        const at = addressOf(item), memory = memoryOf('${WRITE}', arena)
        begin('${WRITE}', object)
        ${taken(`'${WRITE}'`)}
        ${each((i) => `store${i}(memory, at, value${i})`)}
      },
      take: (call, object) => {
        begin(call, object)
        ${taken('call')}
        return [${parts.map((_, i) => `value${i}`).join(', ')}]
      },
      store: (memory, at, values) => {
        ${each((i) => `store${i}(memory, at, values[${i}])`)}
      },
    }`,
  ) as (
    parts: readonly Part[],
    begin: Begin,
    address: typeof addressOf,
    memory: typeof memoryOf,
  ) => Codec
  return make(parts, beginner(parts), addressOf, memoryOf)
}

/** @internal */
export function interpreted(parts: readonly Part[]): Codec {
  const begin = beginner(parts)
  const take: Codec['take'] = (call, object) => {
    begin(call, object)
    return parts.map(({ name, accepts, convert, refuse }) => {
      const value = object[name]
      if (convert !== undefined) return convert(value) ?? refuse(call, object, value)
      return accepts(value) ? value : refuse(call, object, value)
    })
  }
  const store: Codec['store'] = (memory, at, values) => {
    for (const [i, part] of parts.entries()) part.store(memory, at, values[i])
  }
  return {
    read(arena, item) {
      const object: Values = {}
      for (const { name, get } of parts) object[name] = get(arena, item)
      return object
    },
    write(arena, item, object) {
      const at = addressOf(item)
      store(memoryOf(WRITE, arena), at, take(WRITE, object))
    },
    take,
    store,
  }
}

/** The check before the first field: an object without unknown properties. */
type Begin = (call: string, object: object) => void

function beginner(parts: readonly Part[]): Begin {
  const names = parts.map((part) => part.name)
  const known = new Set(names)
  return (call, object) => {
    if (typeof object !== 'object' || object === null) {
      throw new Misuse(`${call}: the record is ${show(object)}; give an object`)
    }
    const keys = Object.keys(object)
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string
      // Most objects have their keys in the order of declaration: then the set is not used.
      if (key === names[i] || known.has(key)) continue
      throw new Misuse(`${call}: unknown field ${show(key)}; known are ${names.join(', ')}`, {
        field: key,
      })
    }
  }
}
