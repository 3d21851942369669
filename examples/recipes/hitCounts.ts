/**
 * Hits per page, counted by all workers, while one of them takes the counts out and another edits the pages.
 *
 *     npm run build && node build/examples/recipes/hitCounts.js
 *
 * A hit is one `add` to an atomic field: no lock, and the record is not replaced. The one who takes the
 * counts out, as one would to write them to a database, replaces a record by one with no hits, and is given
 * the last count. The editor changes a title by `update`, which carries the count over. However they meet,
 * each hit is counted once: by who takes it out, or it is still there at the end.
 */

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Arena, atomic, HashTable, record, u32, utf8 } from 'uma-smr'

const Page = record({ path: utf8(32), title: utf8(32), hits: atomic(u32) })
const NAME = 'pages'
const PATHS = ['/', '/docs', '/docs/api', '/news', '/about']
const COUNTERS = 2
const HITS = 1_000_000
/** The word in shared memory that tells the others that it is over. */
const OVER = 'over'

type Role = 'count' | 'take out' | 'edit'

if (isMainThread) {
  const arena = Arena.create({ bytes: 2 ** 22 })
  const pages = HashTable.create(arena, NAME, { record: Page, key: 'path', capacity: 100 })
  for (const path of PATHS) pages.set({ path, title: 'first', hits: 0 })
  const start = (role: Role): Promise<number> => {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { handle: arena.handle, role },
    })
    arena.supervise(worker)
    return new Promise((resolve) => void worker.once('message', resolve))
  }
  const others = [start('take out'), start('edit')]
  await Promise.all(Array.from({ length: COUNTERS }, () => start('count')))
  Atomics.store(arena.words, arena.root(OVER), 1)
  const [taken = 0, edits = 0] = await Promise.all(others)
  const left = [...pages].reduce((all, { hits }) => all + hits, 0)
  console.log(`${COUNTERS} workers counted ${COUNTERS * HITS} hits on ${PATHS.length} pages`)
  const say = (isSo: boolean, what: string) => console.log(`${isSo ? 'yes' : 'NO '}  ${what}`)
  say(taken + left === COUNTERS * HITS, 'each hit was counted once: taken out, or still there')
  const isLast = ({ title }: { title: string }) => title === `edit ${edits - 1}`
  say([...pages].every(isLast), 'the last edit of each title is there')
} else {
  const { handle, role } = workerData as { handle: Arena['handle']; role: Role }
  const arena = Arena.attach(handle)
  const pages = HashTable.open(arena, NAME, { record: Page, key: 'path' })
  const isOver = () => Atomics.load(arena.words, arena.root(OVER)) === 1
  let answer = 0
  if (role === 'count') {
    for (let i = 0; i < HITS; i++) pages.add(PATHS[i % PATHS.length] ?? '', 'hits', 1)
  } else if (role === 'take out') {
    while (!isOver()) {
      for (const path of PATHS) {
        let taken = 0
        pages.update(path, (page) => {
          taken = page?.hits ?? 0
          return page && { ...page, hits: 0 }
        })
        answer += taken
      }
    }
  } else {
    do {
      const title = `edit ${answer++}`
      for (const path of PATHS) pages.update(path, (page) => page && { ...page, title })
    } while (!isOver())
  }
  arena.detach()
  parentPort?.postMessage(answer)
}
