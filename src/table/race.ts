/**
 * How often a verb that reads and writes begins again when others have written its key first.
 */

import type { Arena } from '../arena/arena.ts'
import { Exhausted, show } from '../base/errors.ts'
import { Deadline } from '../space/wait.ts'

/** What several workers write. */
interface Contended {
  readonly arena: Arena
  readonly name: string
}

const AT_ONCE = 8
const SLEEP_MS = 0.05
const MOST_SLEEPS = 20

/**
 * Bounds how often a write tries again when other workers have written the same key first. Each lost
 * try means that another write has succeeded. After some tries it sleeps in between; how long depends
 * on the slot, so that workers do not meet again.
 */
export class Race {
  private readonly table: Contended
  private readonly verb: string
  private deadline: Deadline | undefined
  /** How often it has lost so far. */
  lost = 0

  constructor(table: Contended, verb: string) {
    this.table = table
    this.verb = verb
  }

  /** Before the next try. Throws Exhausted after as long as a write waits for a lock. */
  again(): void {
    const { arena, name } = this.table
    const { memory, space } = arena
    this.lost++
    if (this.lost < AT_ONCE) {
      memory.pause()
      return
    }
    this.deadline ??= new Deadline(memory, space.locks.patienceMs)
    if (this.deadline.left() <= 0) {
      throw new Exhausted(
        `table.${this.verb}: table ${show(name)}: others have changed the record ${this.lost} times meanwhile; nothing has changed`,
        { table: name, lost: this.lost },
      )
    }
    const ms = SLEEP_MS * (1 + ((this.lost * (space.slot + 1)) % MOST_SLEEPS))
    space.beforeSleep()
    memory.sleep(ms)
    this.deadline.sleeping(memory.sleeps ? ms : 0)
  }
}
