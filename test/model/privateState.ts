/**
 * What a thread keeps to itself, as it was at one moment: all objects that its handles lead to.
 *
 * A time limit of node:vm ends a call without running any `finally`. Here a call can only be ended by
 * an exception, which runs them all; so what they have changed in the thread's own objects is undone
 * afterwards. (In shared memory they change nothing: their calls have no effect.) What only closures
 * know is not found; the library keeps its state in fields.
 */

import { ModelMemory } from './modelMemory.ts'

type Fields = Record<string | symbol, unknown>

/** Answers what puts everything back. */
export function keepPrivateState(handles: unknown): () => void {
  const undo: (() => void)[] = []
  const seen = new Set<unknown>([undefined, null])
  const left: unknown[] = [handles]
  while (left.length > 0) {
    const next = left.pop()
    if (typeof next !== 'object' || seen.has(next)) continue
    seen.add(next)
    if (next instanceof ModelMemory) continue
    if (next instanceof Map) undo.push(keepMap(next, left))
    else if (next instanceof Set) undo.push(keepSet(next, left))
    else if (ArrayBuffer.isView(next)) undo.push(keepView(next))
    if (!ArrayBuffer.isView(next)) undo.push(keepFields(next as Fields, left))
  }
  return () => {
    for (const each of undo) each()
  }
}

function keepMap(map: Map<unknown, unknown>, left: unknown[]): () => void {
  const entries = [...map]
  left.push(...entries.flat())
  return () => {
    map.clear()
    for (const [key, value] of entries) map.set(key, value)
  }
}

function keepSet(set: Set<unknown>, left: unknown[]): () => void {
  const members = [...set]
  left.push(...members)
  return () => {
    set.clear()
    for (const member of members) set.add(member)
  }
}

function keepView(view: ArrayBufferView): () => void {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  const copy = bytes.slice()
  return () => bytes.set(copy)
}

function keepFields(object: Fields, left: unknown[]): () => void {
  const fields: [string | symbol, unknown][] = []
  for (const key of Reflect.ownKeys(object)) {
    const field = Object.getOwnPropertyDescriptor(object, key)
    if (field === undefined || !('value' in field)) continue
    left.push(field.value)
    if (field.writable) fields.push([key, field.value])
  }
  const names = new Set(Reflect.ownKeys(object))
  return () => {
    for (const key of Reflect.ownKeys(object)) if (!names.has(key)) delete object[key]
    for (const [key, value] of fields) if (object[key] !== value) object[key] = value
  }
}
