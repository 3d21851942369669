/** Records of which all fields follow from one number, so that half of one shows. */

import { type Arena, data, HashTable, json, type RecordOf, record, text, u32, utf8 } from 'uma-smr'

const Note = record({
  id: utf8(16),
  version: u32,
  note: text(),
  raw: data(),
  more: json<{ readonly of: string; readonly version: number; readonly list: number[] }>(),
})
export type Note = RecordOf<typeof Note>
const NAME = 'notes'

const lengthOf = (version: number): number => (version % 50 === 0 ? 40_000 : version % 2000)

export function makeNote(id: string, version: number): Note {
  const length = lengthOf(version)
  const list = Array.from({ length: version % 30 }, (_, i) => i * version)
  return {
    id,
    version,
    note: `${version} ä `.repeat(length).slice(0, length),
    raw: new Uint8Array(version % 700).fill(version),
    more: { of: id, version, list },
  }
}

export function isWhole({ id, version, note, raw, more }: Note): boolean {
  const other = makeNote(id, version)
  return (
    note === other.note &&
    raw.length === other.raw.length &&
    raw.every((byte) => byte === other.raw[0]) &&
    JSON.stringify(more) === JSON.stringify(other.more)
  )
}

export function createNotes(arena: Arena) {
  return HashTable.create(arena, NAME, { record: Note, key: 'id', capacity: 64, bucket: 4 })
}

export function openNotes(arena: Arena) {
  return HashTable.open(arena, NAME, { record: Note, key: 'id' })
}
