/**
 * Plain stores that have been made and not yet been seen.
 *
 * JavaScript orders plain stores with nothing: another worker may see two of them in either order,
 * or long after later atomic loads of their own thread. Here a delayed store waits in its thread's
 * buffer. Its own thread reads it at once. Others meet it only when they read or write that very
 * word: then, and only then, does it matter whether it has become visible, and the explorer tries
 * every answer (how many of each thread's stores to the word, in their order). Making the choice at
 * the moment of looking covers all earlier moments, because in between nobody could tell.
 *
 * An atomic write of the thread makes all its earlier stores visible first; an atomic load does not.
 * When nobody can run, everything becomes visible: stores are late, never lost.
 */

import type { Cells } from './cells.ts'
import type { Engine } from './engine.ts'
import { mixA, mixB } from './hash.ts'

interface Held {
  at: number
  value: number
}

export class StoreBuffers {
  /** Stores held in all buffers. */
  total = 0
  private readonly cells: Cells
  private readonly queues: Held[][]
  /** Stores held per word, for a fast "none". */
  private readonly count: Uint16Array

  constructor(cells: Cells, threads: number) {
    this.cells = cells
    this.queues = Array.from({ length: threads }, () => [])
    this.count = new Uint16Array(cells.words.length)
  }

  clear(): void {
    if (this.total === 0) return
    for (const queue of this.queues) {
      for (const { at } of queue) this.count[at] = 0
      queue.length = 0
    }
    this.total = 0
  }

  put(t: number, at: number, value: number): void {
    this.queue(t).push({ at, value })
    this.count[at] = (this.count[at] as number) + 1
    this.total++
  }

  /** What `t` reads at `at` after others' stores have been revealed: its own latest, or memory. */
  read(t: number, at: number): number {
    if (this.count[at] !== 0) {
      const queue = this.queue(t)
      for (let i = queue.length - 1; i >= 0; i--) {
        const held = queue[i] as Held
        if (held.at === at) return held.value
      }
    }
    return this.cells.words[at] as number
  }

  /** Decides which of the others' stores to `at` have become visible by now. */
  reveal(engine: Engine, t: number, at: number): void {
    if (this.count[at] === 0) return
    for (let u = 0; u < this.queues.length; u++) {
      if (u === t) continue
      const queue = this.queue(u)
      let held = 0
      for (const each of queue) if (each.at === at) held++
      if (held === 0) continue
      let visible = engine.choose(held + 1)
      for (let i = 0; visible > 0; ) {
        if ((queue[i] as Held).at === at) {
          this.show(engine, u, i)
          visible--
        } else i++
      }
    }
  }

  /** Makes all stores of `t` visible, in their order. */
  drain(engine: Engine, t: number): void {
    const queue = this.queue(t)
    while (queue.length > 0) this.show(engine, t, 0)
  }

  drainAll(engine: Engine): void {
    for (let t = 0; t < this.queues.length; t++) this.drain(engine, t)
  }

  mixA(hash: number): number {
    let h = hash
    for (const queue of this.queues) {
      for (const { at, value } of queue) h = mixA(mixA(h, at), value)
      h = mixA(h, queue.length)
    }
    return h
  }

  mixB(hash: number): number {
    let h = hash
    for (const queue of this.queues) {
      for (const { at, value } of queue) h = mixB(mixB(h, at), value)
      h = mixB(h, queue.length)
    }
    return h
  }

  private show(engine: Engine, t: number, i: number): void {
    const [{ at, value }] = this.queue(t).splice(i, 1) as [Held]
    this.count[at] = (this.count[at] as number) - 1
    this.total--
    engine.plainStoreLands(t, at, value)
  }

  private queue(t: number): Held[] {
    return this.queues[t] as Held[]
  }
}
