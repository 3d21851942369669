/**
 * Page templates that are used for as long as a response takes: held across awaits, replaced meanwhile.
 *
 *     npm run build && node build/examples/recipes/templates.js
 *
 * A response is written piece by piece, and between two pieces it waits for the client. It must come from
 * one version of its template from beginning to end. A copy would do, at the price of decoding it all for
 * each response. An async section would do, and keep every record of the table from being used again for
 * as long as the slowest client. `hold` keeps this one record, and nothing else. One worker dies in the
 * middle of its responses: what it held is given back by the others.
 */

import { setImmediate as nextTurn } from 'node:timers/promises'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Arena, HashTable, record, type TableOf, u32, utf8 } from 'uma-smr'

const PIECES = 8
const Template = record({ path: utf8(31), version: u32, body: utf8(400) })
type Templates = TableOf<typeof Template, 'path'>

const WORKERS = 3
const RESPONSES = 400
const template = (version: number) => ({
  path: '/',
  version,
  body: `version ${version};`.padEnd(40, '.').repeat(PIECES),
})

/** Writes a response, piece by piece, and says whether all came from one version. */
async function respond(arena: Arena, templates: Templates): Promise<boolean> {
  const held = templates.hold('/')
  if (held === undefined) throw new Error('there is no such page')
  try {
    const { version } = held.get()
    let isWhole = true
    for (let piece = 0; piece < PIECES; piece++) {
      await nextTurn() // for the client
      const text = Template.get.body(arena, held.item).slice(piece * 40, (piece + 1) * 40)
      if (!text.startsWith(`version ${version};`)) isWhole = false
    }
    return isWhole
  } finally {
    held.release()
  }
}

if (isMainThread) {
  const arena = Arena.create({ bytes: 2 ** 22 })
  const options = { record: Template, key: 'path', capacity: 16, holds: 8 } as const
  const templates = HashTable.create(arena, 'templates', options)
  templates.set(template(0))
  const reports: Promise<{ wrong: number } | undefined>[] = []
  for (let i = 0; i < WORKERS; i++) {
    const data = { handle: arena.handle, dies: i === 0 }
    const worker = new Worker(new URL(import.meta.url), { workerData: data })
    arena.supervise(worker)
    reports.push(
      new Promise((resolve) => {
        let told: { wrong: number } | undefined
        worker.once('message', (message) => {
          told = message
        })
        worker.once('exit', () => resolve(told))
      }),
    )
  }
  let edits = 0
  let isOver = false
  const all = Promise.all(reports).finally(() => {
    isOver = true
  })
  for (; !isOver; await nextTurn()) templates.set(template(++edits))
  const told = (await all).filter((each) => each !== undefined)
  // What the dead worker held is found within some writes.
  for (let i = 0; i < 64; i++) templates.set(template(++edits))
  const wrong = told.reduce((sum, each) => sum + each.wrong, 0)
  console.log(`${told.length * RESPONSES} responses by ${WORKERS} workers, one of which died`)
  const say = (isSo: boolean, what: string): void => {
    console.log(`${isSo ? 'yes' : 'NO '}  ${what}`)
    if (!isSo) process.exitCode = 1
  }
  say(told.length === WORKERS - 1 && wrong === 0, 'each came from one version of the page')
  say(edits > 64, 'the page was edited all the time')
  say(templates.zone.stats().live === templates.size, 'nothing is held in the end')
  arena.detach()
} else {
  const arena = Arena.attach(workerData.handle)
  const templates = HashTable.open(arena, 'templates', { record: Template, key: 'path' })
  let wrong = 0
  for (let i = 0; i < RESPONSES; i += 4) {
    const four = [0, 1, 2, 3].map(() => respond(arena, templates))
    if (workerData.dies && i > RESPONSES / 2) process.exit()
    for (const isWhole of await Promise.all(four)) if (!isWhole) wrong++
  }
  parentPort?.postMessage({ wrong })
  arena.detach()
}
