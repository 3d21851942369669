/**
 * What handles show of themselves: one line each, that says the same in `console.log` and in
 * `JSON.stringify`, whatever has become of the arena; and looking changes nothing.
 */

import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { uma_zcreate } from '#src/dialects/freebsd.ts'
import {
  Arena,
  HashTable,
  pointer,
  record,
  SmrList,
  SmrSList,
  SmrStailQ,
  SmrTailQ,
  u32,
} from '#src/index.ts'

const BYTES = 2 ** 20
const City = record({ id: u32, size: u32 })

/** An arena with one of each, and what each of them shows. */
function world() {
  const arena = Arena.create({ bytes: BYTES, maxWorkers: 2 })
  const smr = arena.smr('clock', { sleepable: true })
  const zone = arena.zone('jobs', { bytes: 64, smr })
  const table = HashTable.create(arena, 'cities', { record: City, key: 'id', capacity: 1000 })
  for (let id = 0; id < 3; id++) table.set({ id, size: id })
  const lock = arena.lock('writers')
  const [head, item] = [zone.zallocSmr(), zone.zallocSmr()]
  const queue = new SmrTailQ(arena, { head, link: 1 })
  queue.init()
  queue.insertTail(item)
  const [plain, list, tail] = [SmrSList, SmrList, SmrStailQ].map(
    (Queue) => new Queue(arena, { head: head + 4, link: 1 }),
  ) as [SmrSList, SmrList, SmrStailQ]
  plain.init()
  const at = pointer(arena, head + 6)
  at.initStore(item)
  const cursor = queue.iterate()
  cursor.advance()
  const handles = {
    arena,
    smr,
    zone,
    table,
    lock,
    queue,
    plain,
    list,
    tail,
    at,
    cursor,
    tracker: smr.enterSleepable('a "long" one'),
    schema: City,
    cold: uma_zcreate(arena, 'cold', 8, null, null, null, null, 7, 0),
  }
  const lines: Record<keyof typeof handles, string> = {
    arena: `Arena { workerId: 0, workers: 1, bytes: ${BYTES} }`,
    smr: 'Smr "clock" { clock: "default", entered: true, lag: 0 }',
    zone: `Zone "jobs" { itemBytes: 64, live: 2, created: ${zone.stats().created} }`,
    table: 'HashTable "cities" { size: 3, chains: 1024 }',
    lock: 'Lock "writers" { held: false }',
    queue: `SmrTailQ { head: ${head}, empty: false }`,
    plain: `SmrSList { head: ${head + 4}, empty: true }`,
    list: `SmrList { head: ${head + 4}, empty: true }`,
    tail: `SmrStailQ { head: ${head + 4}, empty: true }`,
    at: `SmrPointer { address: ${head + 6}, item: ${item} }`,
    cursor: `SmrCursor { current: ${item} }`,
    tracker: 'Tracker "a \\"long\\" one"',
    schema: 'Schema { bytes: 8, fields: "id:u32@0,size:u32@1" }',
    cold: 'Zone "cold" { cold: true }',
  }
  return { handles, lines }
}

type World = ReturnType<typeof world>

const lineOf = (handle: unknown): string => {
  const line = inspect(handle)
  expect(line).not.toContain('\n')
  expect(inspect({ a: [handle] })).toContain(line.slice(0, 20))
  const summary = JSON.parse(JSON.stringify(handle)) as { kind: string; name?: string }
  const { kind, name = '' } = summary
  expect(line.startsWith(kind)).toBe(true)
  expect(line).toContain(name.slice(0, 2))
  expect(JSON.stringify(handle).length).toBeLessThan(160)
  return line
}

it('one line each, and looking changes nothing', () => {
  const { handles, lines } = world()
  const before = handles.arena.words.slice()
  const shown = Object.entries(handles).map(([name, handle]) => [name, lineOf(handle)])
  expect(Object.fromEntries(shown)).toEqual(lines)
  expect(handles.arena.words).toEqual(before)
  handles.arena.lock('writers').lock()
  expect(inspect(handles.lock)).toBe('Lock "writers" { held: true }')
  expect(JSON.stringify(handles.table)).toBe(
    '{"kind":"HashTable","name":"cities","size":3,"chains":1024}',
  )
})

const CLOSED = '{ closed: true }'

describe('what has been closed says so', () => {
  const table: readonly [string, (world: World) => unknown, (keyof World['handles'])[]][] = [
    [
      'a detached arena',
      ({ handles: { arena, smr, tracker } }) => {
        smr.exitSleepable(tracker)
        arena.detach()
      },
      ['arena', 'smr', 'zone', 'table', 'lock'],
    ],
    [
      'a table without its zone',
      ({ handles: { table } }) => {
        for (let id = 0; id < 3; id++) table.delete(id)
        table.zone.destroy()
      },
      ['table'],
    ],
    [
      "a table's zone, destroyed by another worker",
      ({ handles: { arena, table } }) => {
        for (let id = 0; id < 3; id++) table.delete(id)
        arena.reclaim('drain')
        Arena.attach(arena.handle).zone('cities').destroy()
      },
      ['table'],
    ],
  ]
  it.each(table)('%s', (_, close, closed) => {
    const each = world()
    close(each)
    for (const [name, handle] of Object.entries(each.handles)) {
      const line = lineOf(handle)
      expect(line.includes(CLOSED), line).toBe((closed as string[]).includes(name))
    }
  })

  it('a zone and a domain that have ended', () => {
    const arena = Arena.create({ bytes: BYTES, maxWorkers: 2 })
    const smr = arena.smr('clock')
    const zone = arena.zone('jobs', { bytes: 64, smr })
    zone.destroy()
    smr.destroy()
    expect([lineOf(zone), lineOf(smr)]).toEqual([`Zone "jobs" ${CLOSED}`, `Smr "clock" ${CLOSED}`])
  })
})

it.each([0, -1, 0x7fff_ffff, 0x55aa_55aa | 0])('memory full of %i: never an exception', (word) => {
  const { handles } = world()
  handles.arena.words.fill(word)
  for (const handle of Object.values(handles)) expect(() => lineOf(handle)).not.toThrow()
})

it('nor for what is no handle of anything', () => {
  const prototypes = [Arena, HashTable, SmrList, SmrTailQ].map(({ prototype }) => prototype)
  for (const each of prototypes) {
    expect(() => inspect(each)).not.toThrow()
    expect(() => inspect(Object.create(each))).not.toThrow()
    expect(() => JSON.stringify(Object.create(each))).not.toThrow()
  }
})
