/**
 * Types for numbers with a meaning.
 *
 * An address, a sequence and a worker's number are all small integers, and mixing up two of them is
 * a common bug in code over flat memory: freeing the goal, polling the item. A brand makes each a
 * type of its own for the compiler, and costs nothing at run time. A plain number, for example one
 * that came through `postMessage`, needs an explicit `as Item`: check there that it still is one.
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
 * What `smr.advance()` returns: `smr.poll(goal)` tells whether every section that was open then has
 * ended. A point on a circle: do not compare two of them with `<`. It means something only in its
 * own domain.
 */
export type Goal = number & { readonly [kind]: 'goal' }

/**
 * A worker's id in its arena: slot + 256 x the slot's generation, so the next worker in the slot
 * has another id. For the first to use a slot it is the slot itself, 0 to `maxWorkers - 1`.
 */
export type WorkerId = number & { readonly [kind]: 'worker' }

/** The null item, for code that links records. */
export const NULL_ITEM: Item = 0 as Item
