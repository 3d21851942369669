/**
 * Sessions: a login in one worker is known in all others at once, and ends in all of them at once.
 *
 *     npm run build && node build/examples/recipes/sessions.js
 *
 * The data of a session is JSON of any size, here 100 bytes to 4 KB: it takes what it needs. What is asked
 * at every request, when the session ends and who it belongs to, has fields of its own, so that a check
 * need not parse anything. Four workers make 20,000 sessions, read those of each other, add to them,
 * and sweep what has ended.
 */

import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Arena, f64, HashTable, json, record, type TableOf, u32, utf8 } from 'uma-smr'

interface Data {
  readonly cart: readonly { readonly article: number; readonly text: string }[]
  readonly visits: number
}

const Session = record({ id: utf8(36), user: u32, endsAt: f64, data: json<Data>() })
type Sessions = TableOf<typeof Session, 'id'>

const SESSIONS = 20_000
const WORKERS = 4
const HOUR_MS = 3_600_000
/** Every so-many-th session has ended already. */
const ENDED = 5
const MOST_ARTICLES = 28

/** What user `user` has in the cart: so all can check it. */
function dataOf(user: number): Data {
  const article = (i: number) => ({ article: user + i, text: `${user} `.repeat(20).slice(0, 100) })
  const articles = user % (MOST_ARTICLES + 1)
  return { cart: Array.from({ length: articles }, (_, i) => article(i)), visits: 0 }
}

/** Makes a session, and returns its secret name. */
function login(sessions: Sessions, user: number, lastsMs: number): string {
  const id = randomUUID()
  sessions.set({ id, user, endsAt: Date.now() + lastsMs, data: dataOf(user) })
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

/** Counts a visit, as one step: no other worker's is lost. */
function visit(sessions: Sessions, id: string): void {
  sessions.update(
    id,
    (old) => old && { ...old, data: { ...old.data, visits: old.data.visits + 1 } },
  )
}

/** Takes out what has ended: one worker does so now and then. */
function sweep(arena: Arena, sessions: Sessions): number {
  const now = Date.now()
  const hasEnded = (item: Parameters<typeof Session.get.endsAt>[1]): boolean =>
    Session.get.endsAt(arena, item) <= now
  let swept = 0
  for (const id of sessions.keys()) if (sessions.deleteIf(id, hasEnded)) swept++
  return swept
}

if (isMainThread) await main()
else work()

async function main(): Promise<void> {
  const arena = Arena.create({ bytes: 2 ** 28 })
  const options = { record: Session, key: 'id', capacity: SESSIONS } as const
  const sessions = HashTable.create(arena, 'sessions', options)
  const workers = Array.from({ length: WORKERS }, (_, number) => {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { handle: arena.handle, number },
    })
    arena.supervise(worker)
    return worker
  })
  const told = async (): Promise<unknown[]> =>
    (await Promise.all(workers.map((worker) => once(worker, 'message')))).map(([said]) => said)
  const ids = (await told()).flat() as string[]
  const known = told()
  for (const worker of workers) worker.postMessage(ids)
  const answers = (await known) as { known: number; visits: number }[]
  const swept = sweep(arena, sessions)
  const right = [...sessions].filter(({ data, user }) => {
    const { visits, ...rest } = data
    return JSON.stringify({ ...rest, visits: 0 }) === JSON.stringify(dataOf(user)) && visits > 0
  })
  const visits = [...sessions.values()].reduce((sum, { data }) => sum + data.visits, 0)
  const { blocks = 0, bytes = 0 } = sessions.stats().heap ?? {}
  const alive = SESSIONS - SESSIONS / ENDED
  console.log(
    `${SESSIONS} logins in ${WORKERS} workers; ${swept} have ended; ${blocks} values take ${(bytes / 2 ** 20).toFixed(1)} MiB`,
  )
  say(
    answers.every((each) => each.known === alive),
    'each worker knew all that had not ended',
  )
  say(swept === SESSIONS / ENDED && sessions.size === alive, 'those that had ended are gone')
  say(visits === WORKERS * alive, 'no visit was lost')
  say(right.length === alive && blocks === alive, 'the data of every session came back whole')
  for (const worker of workers) worker.postMessage('end')
}

function work(): void {
  const { handle, number } = workerData as { handle: Arena['handle']; number: number }
  const arena = Arena.attach(handle)
  const sessions = HashTable.open(arena, 'sessions', { record: Session, key: 'id' })
  const own: string[] = []
  for (let user = number + 1; user <= SESSIONS; user += WORKERS) {
    own.push(login(sessions, user, user % ENDED === 0 ? 0 : HOUR_MS))
  }
  parentPort?.on('message', (said: string[] | 'end') => {
    if (said === 'end') {
      arena.detach()
      parentPort?.close()
      return
    }
    let known = 0
    for (const id of said) {
      if (userOf(arena, sessions, id) === 0) continue
      known++
      visit(sessions, id)
    }
    parentPort?.postMessage({ known })
  })
  parentPort?.postMessage(own)
}

function say(isSo: boolean, what: string): void {
  console.log(`${isSo ? 'yes' : 'NO '}  ${what}`)
}
