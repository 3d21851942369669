/** A victim of the storm, or the one who lives on: see storm.test.ts. */

import { setImmediate as turn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { Arena } from 'uma-smr'
import { Random } from '../helpers/random.ts'
import { type Fate, PAUSE, Stage, SURVIVOR, VERBS, type Verb, VIOLATIONS } from './stormVerbs.ts'
import { entry, isWhole } from './tableRecord.ts'

const ROUNDS_PER_TURN = 8

const fate = workerData as Fate
const random = new Random(fate.seed)
const arena = Arena.attach(fate.handle)
const stage = new Stage(arena, fate.smr)
const cast = { stage, random, fate }

/** Others are dying, and memory is scarce: what a verb may be told then. */
async function tolerant(verb: () => void | Promise<void>): Promise<void> {
  try {
    await verb()
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    if (code === 'ERR_UMA_SMR_EXHAUSTED') return
    // Names come and go: another worker was faster.
    if (code === 'ERR_UMA_SMR_MISUSE' && /passing|destroyed/.test(message)) return
    throw error
  }
}

/** Reads and writes the table, and stands still whenever the test looks at everything. */
async function survive(): Promise<void> {
  const pauseAt = arena.root(PAUSE)
  const wrongAt = arena.root(VIOLATIONS)
  parentPort?.postMessage('ready')
  for (let n = 0; ; n++) {
    const order = Atomics.load(arena.words, pauseAt)
    if (order < 0) break
    if (order % 2 === 1) {
      arena.reclaim('all', { timeoutMs: 200 })
      // Nothing of this worker's may be published while it stands still.
      await turn()
      parentPort?.postMessage('paused')
      while (Atomics.load(arena.words, pauseAt) === order) {
        Atomics.wait(arena.words, pauseAt, order, 50)
      }
      continue
    }
    await tolerant(() => {
      for (let i = 0; i < ROUNDS_PER_TURN; i++) {
        const key = random.below(64)
        const found = stage.table.get(key)
        const whole = found === undefined || (found.key === key && isWhole(found))
        if (!whole) Atomics.add(arena.words, wrongAt, 1)
        if (n % 4 === 0) stage.table.set(entry(key, random.below(1000)))
      }
    })
    await turn()
  }
  arena.detach()
}

async function doomed(): Promise<void> {
  const verb = (VERBS[fate.verb] as () => Verb)()
  parentPort?.postMessage('ready')
  for (;;) {
    for (let i = 0; i < ROUNDS_PER_TURN; i++) await tolerant(() => verb(cast))
    await turn()
  }
}

await (fate.verb === SURVIVOR ? survive() : doomed())
