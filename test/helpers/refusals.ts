/**
 * Refusals under test: catch the error, insist on its type, hand it back for a closer look. And
 * `unchanged`, because a refusal promises that nothing has happened: it compares every word of the
 * arena before and after.
 */

import { expect } from 'vitest'
import { Corruption, Exhausted, Misuse, type UmaSmrError } from '#src/base/errors.ts'

type Class<E> = abstract new (...args: never[]) => E

function caught<E extends UmaSmrError>(type: Class<E>, fn: () => unknown): E {
  let thrown: unknown
  try {
    fn()
  } catch (error) {
    thrown = error
  }
  return checked(type, thrown)
}

function checked<E extends UmaSmrError>(type: Class<E>, thrown: unknown): E {
  if (thrown instanceof type) return thrown
  expect.unreachable(`expected ${type.name}, got ${String(thrown)}`)
}

export function misuse(fn: () => unknown): Misuse {
  return caught(Misuse, fn)
}

export function exhausted(fn: () => unknown): Exhausted {
  return caught(Exhausted, fn)
}

export function corruption(fn: () => unknown): Corruption {
  return caught(Corruption, fn)
}

/** The reason of a rejection, which must be of this type. */
export async function rejected<E extends UmaSmrError>(
  type: Class<E>,
  promise: Promise<unknown>,
): Promise<E> {
  return checked(
    type,
    await promise.then(
      () => undefined,
      (error: unknown) => error,
    ),
  )
}

/** A value that the type system would not let through, as a caller in plain JavaScript has it. */
export function wild(value: unknown): never {
  return value as never
}

interface HasWords {
  readonly words: Int32Array
}

/** Runs `fn` and insists that no word of shared memory differs afterwards. */
export function unchanged<T>({ words }: HasWords, fn: () => T): T {
  const before = words.slice()
  const result = fn()
  expect(differences(before, words)).toEqual([])
  return result
}

/** The first few words that differ, as [address, before, after]. */
export function differences(before: Int32Array, after: Int32Array): number[][] {
  const found: number[][] = []
  for (let at = 0; at < before.length && found.length < 10; at++) {
    const was = before[at] ?? 0
    const is = after[at] ?? 0
    if (was !== is) found.push([at, was, is])
  }
  return found
}
