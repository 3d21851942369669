/**
 * The fingerprint of a whole state, from which everything that can still happen follows.
 *
 * It has the words (with who wrote them last), every thread's log, who sleeps and until when, the
 * delayed stores, virtual time, and the history as far as it will be judged. Happens-before needs no
 * words of its own: each log says not only *what* was read but *which write* it was read from, and
 * that determines every vector clock.
 *
 * With a preemption bound, who runs now matters as well, because going on with it is free. What has
 * been spent is not in the fingerprint: it is the price that `Visited` keeps beside it.
 */

import type { Engine } from './engine.ts'
import { mixA, mixB } from './hash.ts'
import { PAUSED, WAITING } from './thread.ts'

/** Deadlines in microseconds are exact enough to tell states apart. */
const PER_MS = 1000

export function fingerprint(engine: Engine, goesOn: boolean): void {
  const { cells, threads, history, buffers, waiting } = engine
  let a = mixA(cells.hashA, history.hashA)
  let b = mixB(cells.hashB, history.hashB)
  const time = (waiting.time * PER_MS) | 0
  a = mixA(a, time)
  b = mixB(b, time)
  for (const t of threads) {
    a = mixA(a, t.hashA)
    b = mixB(b, t.hashB)
    const news = waiting.news(t) ? 1 : 0
    const bits = (t.status << 2) | (news << 1) | (t.begun ? 1 : 0)
    a = mixA(a, bits)
    b = mixB(b, bits)
    if (t.status === PAUSED || t.status === WAITING) {
      const left = t.wakesAt === Number.POSITIVE_INFINITY ? -1 : (t.wakesAt * PER_MS) | 0
      a = mixA(a, left)
      b = mixB(b, left)
    }
  }
  for (const sleeper of waiting.sleepers) {
    a = mixA(a, sleeper.index)
    b = mixB(b, sleeper.index)
  }
  if (buffers.total > 0) {
    a = buffers.mixA(a)
    b = buffers.mixB(b)
  }
  if (engine.rules.hostile) {
    a = mixA(a, engine.past.hashA)
    b = mixB(b, engine.past.hashB)
  }
  if (engine.rules.impatience > 0) {
    a = mixA(a, engine.surprises)
    b = mixB(b, engine.surprises)
  }
  if (engine.rules.bound !== Number.POSITIVE_INFINITY) {
    const mover = ((goesOn ? engine.last : -1) << 1) | (engine.free ? 1 : 0)
    a = mixA(a, mover)
    b = mixB(b, mover)
  }
  engine.keyA = a | 0
  engine.keyB = b | 0
}
