/**
 * Numbers that mean something are types.
 *
 * An address, a sequence and a worker's number are all small integers, and mixing two of them up is
 * the classic fault of code over a flat memory: free the goal, poll the item. A brand makes each
 * its own type for the compiler and costs nothing when the program runs. Handing a plain number
 * back in - one that came through `postMessage`, say - takes an explicit `as Item`, which is the
 * right place to ask oneself whether it still is one.
 *
 * Zero always means "none": no item, no goal. (Worker 0 is a worker.)
 */

declare const kind: unique symbol

/**
 * A record: the word index of its first word in `arena.words`. Positive and even, so that 64-bit
 * fields are aligned; 0 is null. It means something only in its own arena, and only until it has
 * been freed and, in an SMR zone, reclaimed.
 */
export type Item = number & { readonly [kind]: 'item' }

/**
 * What to wait for: the sequence that `smr.advance()` returned. `smr.poll(goal)` tells whether every
 * section that was open then has ended. A point on a circle: compare two of them with seq.ts only.
 * It means something only in its own domain.
 */
export type Goal = number & { readonly [kind]: 'goal' }

/**
 * A worker's name in its arena: slot + 256 x the slot's generation, so that a slot's next worker has
 * another name. For the first to use a slot it is the slot itself, 0 to `maxWorkers - 1`.
 */
export type WorkerId = number & { readonly [kind]: 'worker' }

/** The null item, as code that links records writes it. */
export const NULL_ITEM: Item = 0 as Item
