/**
 * A worker's event loop, turned by hand: what the library puts off to a later turn waits here until
 * the test says that this turn has come. Time is not looked at: what shall happen in 8 ms happens in
 * the next turn, and how long it wanted to wait can be read.
 */

import type { Arena } from '#src/index.ts'

export interface Due {
  readonly action: () => void
  readonly ms: number
  readonly keepAlive: boolean
}

export class Loop {
  /** What waits for the next turn, in order. */
  due: Due[] = []

  constructor({ space }: Arena) {
    space.turn.later = (action, ms, keepAlive) => {
      this.due.push({ action, ms, keepAlive })
    }
  }

  /** One turn: what waits now is done, what that puts off waits. Says how much was done. */
  turn(): number {
    const now = this.due
    this.due = []
    for (const { action } of now) action()
    return now.length
  }

  /** Turns until nothing waits, at most so often. Says how often. */
  run(most = 1000): number {
    let turns = 0
    while (turns < most && this.turn() > 0) turns++
    return turns
  }
}
