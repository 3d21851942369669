/**
 * The hash table as it would be if only one worker used it: what histories are judged by.
 *
 * A state is a Map of versions by key. `set` answers nothing, `get` a version or 0, `has` and
 * `delete` whether there was one, `size` how many; `insert` whether there was none, `replace` the version
 * before, and so does `update`, which changes only what is there; `getOrInsert` the version that is there
 * then, `deleteIf` whether there was an even one. Used for histories from the explorer and for short
 * ones from real workers.
 */

import { deterministic, type Operation, type Spec } from './linearizable.ts'

export type Call =
  | 'get'
  | 'has'
  | 'set'
  | 'delete'
  | 'size'
  | 'insert'
  | 'replace'
  | 'update'
  | 'getOrInsert'
  | 'deleteIf'

type State = ReadonlyMap<number, number>

export function tableSpec(initial: Iterable<readonly [number, number]>): Spec<State> {
  return deterministic<State>(new Map(initial), step, keyOf)
}

function step(state: State, call: string, args: readonly unknown[]) {
  const [key, version] = args as readonly [number, number]
  switch (call as Call) {
    case 'get':
      return { state, result: state.get(key) ?? 0 }
    case 'has':
      return { state, result: state.has(key) }
    case 'size':
      return { state, result: state.size }
    case 'set':
      return { state: new Map(state).set(key, version), result: undefined }
    case 'insert':
      if (state.has(key)) return { state, result: false }
      return { state: new Map(state).set(key, version), result: true }
    case 'replace':
      return { state: new Map(state).set(key, version), result: state.get(key) ?? 0 }
    case 'update':
      if (!state.has(key)) return { state, result: 0 }
      return { state: new Map(state).set(key, version), result: state.get(key) }
    case 'getOrInsert':
      if (state.has(key)) return { state, result: state.get(key) }
      return { state: new Map(state).set(key, version), result: version }
    case 'deleteIf': {
      if ((state.get(key) ?? 1) % 2 !== 0) return { state, result: false }
      const next = new Map(state)
      next.delete(key)
      return { state: next, result: true }
    }
    case 'delete': {
      const next = new Map(state)
      const result = next.delete(key)
      return { state: next, result }
    }
  }
}

function keyOf(state: State): string {
  return [...state]
    .sort(([one], [other]) => one - other)
    .map(([key, version]) => `${key}=${version}`)
    .join()
}

/** Names the calls of a history that real workers have reported as numbers. */
export const CALLS: readonly Call[] = ['get', 'has', 'set', 'delete']

export type { Operation }
