/**
 * How a whole record becomes an object: the one function that is made from source text.
 *
 * A loop over the fields is ten times slower than an object literal that names them: every step of
 * it calls another function and stores under another name, and engines give up on such places. So
 * the literal is written for each schema, where the host lets us (`new Function`); under a content
 * security policy without `unsafe-eval`, or Node's --disallow-code-generation-from-strings, the loop
 * does the same. The text holds nothing but numbers and the names of fields, which are identifiers.
 */

import type { HasMemory } from './field.ts'
import type { Item } from './words.ts'

/** Fetches one field of a record. */
type Get = (arena: HasMemory, item: Item) => unknown
/** Fetches all of them, under their names. */
export type Read = (arena: HasMemory, item: Item) => Record<string, unknown>

/** Reads the fields of these names, with these functions, in this order. */
export function reader(names: readonly string[], gets: readonly Get[]): Read {
  try {
    return written(names, gets)
  } catch {
    return looped(names, gets)
  }
}

/** @throws what the host throws that does not let text become code. @internal */
export function written(names: readonly string[], gets: readonly Get[]): Read {
  const each = names.map((_, i) => `get${i}`)
  const fields = names.map((name, i) => `${JSON.stringify(name)}: get${i}(arena, item)`)
  const make = new Function(
    `[${each.join()}]`,
    `return (arena, item) => ({ ${fields.join(', ')} })`,
  ) as (gets: readonly Get[]) => Read
  return make(gets)
}

/** @internal */
export function looped(names: readonly string[], gets: readonly Get[]): Read {
  const count = names.length
  return (arena, item) => {
    const object: Record<string, unknown> = {}
    for (let i = 0; i < count; i++) object[names[i] as string] = (gets[i] as Get)(arena, item)
    return object
  }
}
