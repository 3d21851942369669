/**
 * The table of near.test.ts: notes of text, so that half of one and half of another shows.
 */

import { type Arena, HashTable, json, type RecordOf, record, u32, utf8 } from 'uma-smr'

export const Note = record({
  name: utf8(16),
  version: u32,
  body: json<{ of: string; v: number }>(),
})
type Note = RecordOf<typeof Note>
export type Notes = ReturnType<typeof openNotes>

/** Names of the words that say which version of a key is visible. */
export const VISIBLE = 'visible-'

export function createNotes(arena: Arena) {
  return HashTable.create(arena, 'notes', { record: Note, key: 'name', capacity: 16, seed: 0 })
}

/** With room for half of the keys, so that copies come and go. */
export function openNotes(arena: Arena, keys: number) {
  const near = { max: Math.max(2, Math.floor(keys / 2)) }
  return HashTable.open(arena, 'notes', { record: Note, key: 'name', near })
}

export function nameOf(i: number): string {
  return `note-${i}`
}

export function putNext(table: Pick<Notes, 'set'>, i: number, version: number): void {
  table.set({ name: nameOf(i), version, body: { of: nameOf(i), v: version } })
}

/** The version that was found; any, if there is none: its writer is between delete and set. */
export function versionOf(found: Note | undefined, i: number): number {
  if (found === undefined) return Number.POSITIVE_INFINITY
  const { name, version, body } = found
  if (name === nameOf(i) && body.of === name && body.v === version) return version
  throw new Error(`key ${i}: found ${JSON.stringify(found)}`)
}
