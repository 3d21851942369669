/**
 * The codec of a record: how one becomes an object, and an object one.
 *
 * A loop over the fields is ten times slower than code that names them: every step of it calls
 * another function and meets another property, and engines give up on such places. So that code is
 * written for each schema, where the host lets us (`new Function`); under a content security policy
 * without `unsafe-eval`, or Node's --disallow-code-generation-from-strings, a loop does the same.
 * The text holds nothing but numbers and the names of fields, which are identifiers.
 *
 * A write looks at each property once, and at all of them before it stores the first. (A getter
 * that answers differently the second time would slip an unchecked value past the check.) The two
 * halves can be had apart: `take` looks, which may run the object's own code and may refuse;
 * `store` cannot.
 */

import type { Item } from '../base/brands.ts'
import { Misuse, show } from '../base/errors.ts'
import { type Memory, memoryOf } from '../memory/memory.ts'
import { addressOf, type HasMemory } from './field.ts'

/** What a field contributes. */
export interface Part {
  readonly name: string
  accepts(value: unknown): boolean
  get(arena: HasMemory, item: Item): unknown
  /** Trusts that the value was accepted. */
  store(memory: Memory, at: number, value: unknown): void
  /** Throws in the name of `call`: this value, a property of `object`, was not accepted. */
  refuse(call: string, object: object, value: unknown): never
}

type Values = Record<string, unknown>

export interface Codec {
  readonly read: (arena: HasMemory, item: Item) => Values
  readonly write: (arena: HasMemory, item: Item, object: Readonly<Values>) => void
  /** The values of the object, looked at once and accepted; or throws in the name of `call`. */
  readonly take: (call: string, object: Readonly<Values>) => readonly unknown[]
  /** Stores what `take` returned: runs nobody's code, and refuses nothing. */
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

/** @throws what the host throws that does not let text become code. @internal */
export function compiled(parts: readonly Part[]): Codec {
  const each = (line: (i: string, name: string) => string): string =>
    parts.map(({ name }, i) => line(String(i), JSON.stringify(name))).join('\n')
  const make = new Function(
    'parts',
    'begin',
    'addressOf',
    'memoryOf',
    `${each((i) => `const { accepts: accepts${i}, get: get${i}, store: store${i}, refuse: refuse${i} } = parts[${i}]`)}
    return {
      read: (arena, item) => ({
        ${each((i, name) => `${name}: get${i}(arena, item),`)}
      }),
      write: (arena, item, object) => {
        const at = addressOf(item), memory = memoryOf('${WRITE}', arena)
        begin('${WRITE}', object)
        ${each((i, name) => `const value${i} = object[${name}]; if (!accepts${i}(value${i})) refuse${i}('${WRITE}', object, value${i})`)}
        ${each((i) => `store${i}(memory, at, value${i})`)}
      },
      take: (call, object) => {
        begin(call, object)
        ${each((i, name) => `const value${i} = object[${name}]; if (!accepts${i}(value${i})) refuse${i}(call, object, value${i})`)}
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
    return parts.map(({ name, accepts, refuse }) => {
      const value = object[name]
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

/** What comes before the first field: an object, and one of which all properties are known. */
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
      // Most objects list their keys as declared: then the set is never asked.
      if (key === names[i] || known.has(key)) continue
      throw new Misuse(`${call}: unknown field ${show(key)}; known are ${names.join(', ')}`, {
        field: key,
      })
    }
  }
}
