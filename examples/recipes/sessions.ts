/**
 * Sessions: a login in one worker is known in all others at once, and ends in all of them at once.
 *
 *     npm run build && node build/examples/recipes/sessions.js
 *
 * The data of a session is JSON in a field of text: it takes its 256 bytes whether it is full or not. What is
 * asked at every request, when the session ends and who it belongs to, has fields of its own, so that a check
 * need not decode any text.
 */

import { randomUUID } from 'node:crypto'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Arena, f64, HashTable, record, type TableOf, u32, utf8 } from 'uma-smr'

const Session = record({ id: utf8(36), user: u32, endsAt: f64, data: utf8(256) })
type Sessions = TableOf<typeof Session, 'id'>

const HOUR_MS = 3_600_000

/** Makes a session, and returns its secret name. */
function login(sessions: Sessions, user: number, lastsMs: number): string {
  const id = randomUUID()
  const data = JSON.stringify({ cart: [user, user + 1], language: 'en' })
  sessions.set({ id, user, endsAt: Date.now() + lastsMs, data })
  return id
}

/** The user of a session that has not ended, 0 if there is none. Nothing is copied. */
function userOf(arena: Arena, sessions: Sessions, id: string): number {
  const now = Date.now()
  const user = sessions.read(id, (item) =>
    Session.get.endsAt(arena, item) > now ? Session.get.user(arena, item) : 0,
  )
  return user ?? 0
}

/** Takes out what has ended: one worker does so now and then. */
function sweep(sessions: Sessions): number {
  const now = Date.now()
  let swept = 0
  for (const { id, endsAt } of sessions.entries()) {
    if (endsAt <= now && sessions.delete(id)) swept++
  }
  return swept
}

if (isMainThread) {
  const arena = Arena.create({ bytes: 2 ** 22 })
  const options = { record: Session, key: 'id', capacity: 1000 } as const
  const sessions = HashTable.create(arena, 'sessions', options)
  const ids = Array.from({ length: 100 }, (_, i) => login(sessions, i + 1, i < 40 ? 0 : HOUR_MS))
  const worker = new Worker(new URL(import.meta.url), { workerData: { handle: arena.handle, ids } })
  arena.supervise(worker)
  worker.once('message', (report: { known: number; swept: number }) => {
    const last = ids.at(-1) ?? ''
    const { data = '' } = sessions.get(last) ?? {}
    console.log(`100 logins here; the other worker knew ${report.known}, and swept ${report.swept}`)
    say(report.known === 60, 'the other worker knew those that had not ended')
    say(report.swept === 40 && sessions.size === 60, 'those that had ended are gone everywhere')
    say(JSON.parse(data).cart[0] === 100, 'the data of a session came back whole')
  })
} else {
  const arena = Arena.attach(workerData.handle)
  const sessions = HashTable.open(arena, 'sessions', { record: Session, key: 'id' })
  const ids: string[] = workerData.ids
  const known = ids.filter((id) => userOf(arena, sessions, id) !== 0).length
  const swept = sweep(sessions)
  arena.detach()
  parentPort?.postMessage({ known, swept })
}

function say(isSo: boolean, what: string): void {
  console.log(`${isSo ? 'yes' : 'NO '}  ${what}`)
}
