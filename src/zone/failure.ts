/**
 * What becomes of an error that a hook throws in the middle of a batch: the batch is finished first.
 */

import type { Item } from '../words.ts'
import { mend } from './frames.ts'
import type { Hook } from './options.ts'
import type { Parts } from './parts.ts'

/** The first error that a hook has thrown, kept until all of them have run. */
export class Failure {
  private first: { readonly error: unknown } | undefined

  run(parts: Parts, hook: Hook | undefined, item: Item): void {
    if (hook === undefined) return
    const { frames } = parts
    const base = frames.enter()
    frames.marked = 0
    try {
      hook(item)
    } catch (error) {
      this.first ??= { error }
    }
    if (!frames.leave(base)) mend(parts)
  }

  /** Whether one has. */
  get any(): boolean {
    return this.first !== undefined
  }

  /** What another one has kept, unless this has an error already. */
  add(other: Failure): void {
    this.first ??= other.first
  }

  get error(): unknown {
    return this.first?.error
  }

  surface(): void {
    if (this.first !== undefined) throw this.first.error
  }
}
