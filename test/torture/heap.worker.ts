/**
 * Blocks of a heap that workers free to one another, and records that own blocks: members for good,
 * and victims without end, which are terminated meanwhile. Every block and every record says what it
 * must hold, and whoever finds something else reports it.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { Arena, type Handle, type Heap, type Item, type Smr } from 'uma-smr'
import { Random } from '../helpers/random.ts'
import { isWhole, makeNote, openNotes } from './notes.ts'

export interface Task {
  readonly handle: Handle
  readonly seed: number
  readonly stream: number
  /** Words of the board, through which blocks change hands. */
  readonly board: number
  /** 0: a victim, which goes on until it is terminated. */
  readonly rounds: number
}

export interface Report {
  readonly reads: number
  readonly swaps: number
  readonly wrong: string[]
}

export const PLACES = 32
const KEYS = 40
const MOST_BYTES = 3000
const LARGE_BYTES = 50_000

const { handle, seed, stream, board, rounds } = workerData as Task
const arena = Arena.attach(handle)
const smr: Smr = arena.smr('heap')
const heap: Heap = arena.heap('blocks')
const notes = openNotes(arena)
const { words } = arena
const random = new Random(seed, stream)
const wrong: string[] = []
let reads = 0
let swaps = 0

/** The first words say how many words there are, and what is in each of them. */
function fill(block: Item, count: number): void {
  const mark = random.next() | 0
  words[block] = count
  words.fill(mark, block + 1, block + count)
}

function check(block: Item, who: string): void {
  const count = words[block] as number
  const mark = words[block + 1]
  const step = Math.max(1, Math.floor(count / 50))
  for (let at = 1; at < count; at += step) {
    if (words[block + at] === mark) continue
    wrong.push(
      `${who}: block ${block} of ${count} words has ${words[block + at]} at ${at}, not ${mark}`,
    )
    return
  }
  if (count < 2 || count > LARGE_BYTES) wrong.push(`${who}: block ${block} says ${count} words`)
}

/** Puts a block of its own on the board, and frees the one that was there, whoever made it. */
function swap(): void {
  const bytes = random.oneIn(20) ? LARGE_BYTES : 8 + random.below(MOST_BYTES)
  const block = heap.tryAllocSmr(bytes)
  if (block === 0) return
  fill(block, Math.floor(bytes / 4))
  const old = Atomics.exchange(words, board + random.below(PLACES), block) as Item
  swaps++
  if (old === 0) return
  check(old, 'who frees')
  heap.freeSmr(old)
}

function read(): void {
  smr.read(() => {
    const block = Atomics.load(words, board + random.below(PLACES)) as Item
    if (block !== 0) check(block, 'a reader')
  })
  reads++
}

function write(): void {
  const id = `note ${random.below(KEYS)}`
  try {
    const kind = random.below(5)
    if (kind === 0) notes.delete(id)
    else if (kind === 1) notes.update(id, () => makeNote(id, random.next()))
    else notes.set(makeNote(id, random.next()))
  } catch (error) {
    // The arena is small: others have all of it just now.
    if ((error as { code?: unknown }).code !== 'ERR_UMA_SMR_EXHAUSTED') throw error
  }
}

function look(): void {
  const found = notes.get(`note ${random.below(KEYS)}`)
  reads++
  if (found !== undefined && !isWhole(found)) wrong.push(`note ${found.id} is torn`)
}

for (let i = 0; rounds === 0 || i < rounds; i++) {
  swap()
  read()
  read()
  write()
  look()
  look()
}
arena.detach()
parentPort?.postMessage({ reads, swaps, wrong: wrong.slice(0, 5) } satisfies Report)
