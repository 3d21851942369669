/**
 * What becomes of an error that a hook throws in the middle of a batch: the batch is finished first.
 */

import type { Item } from '../words.ts'
import type { Hook } from './options.ts'

/** The first error that a hook has thrown, kept until all of them have run. */
export class Failure {
  private first: { readonly error: unknown } | undefined

  run(hook: Hook | undefined, item: Item): void {
    try {
      hook?.(item)
    } catch (error) {
      this.first ??= { error }
    }
  }

  get error(): unknown {
    return this.first?.error
  }

  surface(): void {
    if (this.first !== undefined) throw this.first.error
  }
}
