/**
 * What does it cost to count?
 *
 * A few numbers in records, to which one is added: by one worker, and by two at the same time. Beside `table.add`
 * what it could have been: the same by `update`, which replaces the record, and with the lock of the record
 * each time. The baseline shares nothing; `Atomics.add` knows neither keys nor records.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { time } from '../harness/measure.ts'
import type { Outcome, Question, Settings, Variant } from '../harness/question.ts'
import {
  adderOf,
  type HitOrder,
  hitOrder,
  KEYS,
  READY,
  STOP,
  WAYS,
  type Way,
} from '../peers/hitOrder.ts'

const OPERATIONS = 20_000
const SETTLE_MS = 200

function loop(add: (id: number) => number): () => number {
  return () => {
    let sum = 0
    for (let i = 0; i < OPERATIONS; i++) sum += add(i & (KEYS - 1))
    return sum
  }
}

function inMap(settings: Settings): Outcome {
  const map = new Map<number, { id: number; hits: number; size: number }>()
  for (let id = 0; id < KEYS; id++) map.set(id, { id, hits: 0, size: 1 })
  const add = (id: number): number => {
    const old = map.get(id)
    const hits = (old?.hits ?? 0) + 1
    map.set(id, { id, hits, size: 1 })
    return hits
  }
  return time(settings, OPERATIONS, loop(add))
}

async function together(order: HitOrder, measure: () => Outcome): Promise<Outcome> {
  const { control } = order
  const peer = new Worker(new URL('../peers/hitAdder.js', import.meta.url), { workerData: order })
  let failure: unknown
  peer.on('error', (error) => {
    failure = error
  })
  while (Atomics.load(control, READY) === 0) {
    if (failure !== undefined) throw failure
    await sleep(5)
  }
  await sleep(SETTLE_MS)
  const outcome = measure()
  const left = once(peer, 'exit')
  Atomics.store(control, STOP, 1)
  await left
  return outcome
}

function variants(areTwo: boolean): Variant[] {
  return WAYS.map((way: Way) => ({
    name: way === 'Atomics.add' ? way : `uma ${way}`,
    run: (settings) => {
      const order = hitOrder(way)
      const measure = () => time(settings, OPERATIONS, loop(adderOf(order)))
      return areTwo ? together(order, measure) : measure()
    },
  }))
}

const question: Question = {
  name: 'hits',
  asks: 'what does it cost to count, alone and beside another worker that counts the same?',
  groups: [
    {
      name: 'one worker',
      operation: `one added to one of ${KEYS} numbers`,
      baseline: 'Map.get + Map.set',
      variants: [{ name: 'Map.get + Map.set', run: inMap }, ...variants(false)],
    },
    {
      name: 'two workers',
      operation: `one added to one of ${KEYS} numbers, while another worker adds to the same ones`,
      baseline: 'Atomics.add',
      variants: variants(true),
    },
  ],
}

export default question
