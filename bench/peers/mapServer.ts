/**
 * The worker behind `PostMessageTable`: owns a `Map`, answers each key with its record.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { type Key, type KeyKind, makeRows } from '../harness/data.ts'

const rows = makeRows(workerData as KeyKind)
const map = new Map(rows.map((row) => [row.id, row]))

parentPort?.on('message', (key: Key) => {
  parentPort?.postMessage(map.get(key))
})
parentPort?.postMessage('ready')
