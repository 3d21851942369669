/**
 * The shortest honest tour: one arena, one clock, one zone, and what happens to freed memory.
 *
 *     npm run build && node build/examples/01-first-zone.js
 *
 * A zone hands out records of one size. What it takes back it collects in buckets - of 4 here, so
 * that one can watch; of a hundred or so by default. A full bucket is *retired*: the clock advances
 * once, and the bucket is stamped with the time that the clock then shows, its *goal*. Its records
 * are handed out again only when a *poll* says that every reader which was inside a section at that
 * time has left it. So freeing costs a store, the clock is written once per bucket, and nobody ever
 * waits: if the poll says no, the zone takes fresh memory and asks again later.
 *
 * The reader below is a second attachment to the same arena. The arena cannot tell it from a worker
 * thread: each attachment is a worker, with a number of its own. Here it lives in the same thread,
 * so that the story has only one order. 02-hash-table uses real threads.
 */

import { Arena, f64, type Item, NULL_ITEM, record } from 'uma-smr'

const BUCKET = 4
const POINTS = 2 * BUCKET

// ---- what everything stands on ---------------------------------------------------------------

const arena = Arena.create({ bytes: 2 ** 20 })
const smr = arena.smr('readers')
const Point = record({ x: f64, y: f64 })
const points = arena.zone('points', { record: Point, smr, bucket: BUCKET })

// Handles belong to the worker that asked for them. Another one attaches and opens by name.
const there = Arena.attach(arena.handle)
const reader = there.smr('readers')

// ---- the story -------------------------------------------------------------------------------

console.log(`a zone of points, ${Point.bytes} bytes each, in buckets of ${BUCKET}\n`)
headline()

const first = take()
show(`${POINTS} points allocated`)

for (const point of first) points.zfreeSmr(point)
show(`all ${POINTS} freed`)
claim('the first bucket was retired when a free found it full', points.stats().retired === 1)

points.seal() // Retires what has been freed so far, full or not.
show('seal()')
claim(`${POINTS} frees moved the clock twice`, points.stats().advances === POINTS / BUCKET)

const second = take()
show(`${POINTS} allocated again`)
claim('nobody was reading, so the same memory came back', isSame(second, first))

// A reader comes. From enter() to exit() nothing that it can find is used again.
const point = second[0] ?? NULL_ITEM
Point.write(arena, point, { x: 3, y: 4 })
reader.enter()
show('a reader enters a section')

// A writer would now unlink the points from some list or table, so that no *new* reader can find
// them. What this reader has found already is its own until it leaves.
for (const item of second) points.zfreeSmr(item)
points.seal()
show(`all ${POINTS} freed and sealed`)

const third = take()
for (const item of third) Point.write(arena, item, { x: -1, y: -1 })
show(`${POINTS} allocated`)
claim('none of them is one that was freed', !third.some((item) => second.includes(item)))
claim('it did not wait: the poll said no, the memory is fresh', points.stats().pollFails > 0)
claim(
  'the freed point still says (3, 4)',
  Point.get.x(there, point) === 3 && Point.get.y(there, point) === 4,
)

reader.exit()
show('the reader leaves')

const fourth = take()
for (const item of fourth) Point.write(arena, item, { x: -1, y: -1 })
show(`${POINTS} allocated`)
claim('now the freed memory came back', isSame(fourth, second))
claim(
  'and with it the point that was read: it is another one now',
  Point.get.x(arena, point) === -1,
)

// ---- and all of it goes back -----------------------------------------------------------------

for (const item of [...third, ...fourth]) points.zfreeSmr(item)
const { remaining } = points.reclaim('all')
show('all freed and reclaimed')
claim('nothing remains behind', remaining === 0)
points.check() // Throws unless every record of the zone is in exactly one place.
points.destroy()
there.detach()
arena.detach()

// ---- helpers ---------------------------------------------------------------------------------

function take(): Item[] {
  return Array.from({ length: POINTS }, () => points.zallocSmr())
}

/** The same addresses, in whatever order: a bucket hands out last what it was given first. */
function isSame(some: readonly Item[], others: readonly Item[]): boolean {
  return some.length === others.length && some.every((item) => others.includes(item))
}

function headline(): void {
  row('', ['live', 'pending', 'safe', 'retired', 'advances', 'poll yes', 'poll no', 'imports'])
}

/** One line of the zone's own numbers. `pending`: freed, but not known to be out of sight. */
function show(what: string): void {
  const { live, pending, safe, retired, advances, pollHits, pollFails, imports } = points.stats()
  row(what, [live, pending, safe, retired, advances, pollHits, pollFails, imports])
}

function row(what: string, cells: readonly (string | number)[]): void {
  console.log(what.padEnd(26) + cells.map((cell) => String(cell).padStart(9)).join(''))
}

function claim(what: string, isSo: boolean): void {
  console.log(`  ${isSo ? 'yes' : 'NO '}  ${what}`)
  if (!isSo) process.exitCode = 1
}
