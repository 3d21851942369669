/**
 * The same classes, broken on purpose: to show that the torture can fail.
 *
 * Each kind undoes one of the things that the proof in src/smr/domain.ts stands on, by replacing one
 * method in this worker. A test that passes on the honest build and on one of these proves nothing,
 * so every test must report violations for every kind it is pointed at.
 */

import { Smr, type Zone } from 'uma-smr'

/** What is broken. */
export type Sabotage =
  | 'poll always says yes'
  | 'poll is one step early'
  | 'stamp without advance'
  | 'enter publishes nothing'
  | 'bucket leaves unstamped'
  | 'a turn forgets that it let go'

/** What can be broken in a domain alone; and with a zone on top. */
export const CLOCK_SABOTAGES: readonly Sabotage[] = [
  'poll always says yes',
  'poll is one step early',
  'stamp without advance',
  'enter publishes nothing',
]
export const ZONE_SABOTAGES: readonly Sabotage[] = [...CLOCK_SABOTAGES, 'bucket leaves unstamped']

/** What only turn sections can have broken. */
export const TURN_SABOTAGES: readonly Sabotage[] = ['a turn forgets that it let go']

/** The private parts of a domain that are replaced. */
interface Insides {
  open(how: number): void
  exit(): void
  readonly memory: { store(at: number, value: number): void }
  /** Address of this worker's words, of which the first is what it publishes. */
  readonly reader: number
  readonly goals: Goals
}

interface Goals {
  look(goal: number, ...more: unknown[]): boolean
  stamp(): number
  steps: number
  readonly clock: { rd(): number; readonly step: number }
}

/** Breaks the library in this worker, or leaves it alone. `smr`: the domain, if it is not the zone's. */
export function sabotage(kind: Sabotage | undefined, zone?: Zone, smr?: Smr): void {
  if (kind === undefined) return
  const domain = Smr.prototype as unknown as Insides
  const own = (smr ?? zone?.parts.domain) as unknown as Insides | undefined
  if (own === undefined) throw new Error(`sabotage: "${kind}" needs a domain`)
  const goals = Object.getPrototypeOf(own.goals) as Goals
  if (kind === 'poll always says yes') {
    replace(goals, 'look', () => true)
  } else if (kind === 'poll is one step early') {
    const { look } = goals
    replace(goals, 'look', function (this: Goals, goal, ...more): boolean {
      return look.call(this, goal - this.clock.step, ...more)
    })
  } else if (kind === 'stamp without advance') {
    // The read hand as a goal: it is met by definition.
    replace(goals, 'stamp', function (this: Goals): number {
      this.steps = 0
      return this.clock.rd()
    })
  } else if (kind === 'enter publishes nothing') {
    // What all sections are opened by, those of a table's own calls too.
    const { open } = domain
    replace(domain, 'open', function (this: Insides, how): void {
      open.call(this, how)
      this.memory.store(this.reader, 0)
    })
  } else if (kind === 'a turn forgets that it let go') {
    // The word is cleared, but the next section believes that it still stands there.
    const { exit } = domain
    replace(domain, 'exit', function (this: Insides): void {
      exit.call(this)
      this.memory.store(this.reader, 0)
    })
  } else if (kind === 'bucket leaves unstamped') {
    // The side door that FreeBSD once had: freed items go where safe ones lie.
    if (zone === undefined) throw new Error(`sabotage: "${kind}" needs a zone`)
    const depot = Object.getPrototypeOf(zone.parts.depot) as {
      retire(bucket: number, domain: Smr, exchangeOwner: number): number
      putSafe(bucket: number, exchangeOwner: number): number
    }
    replace(depot, 'retire', function (this: typeof depot, bucket, _domain, exchangeOwner) {
      return this.putSafe(bucket, exchangeOwner)
    })
  }
}

/** A method that is not there any more would be sabotage that does nothing. */
function replace<T, K extends keyof T & string>(prototype: T, name: K, by: T[K]): void {
  if (typeof prototype[name] !== 'function') throw new Error(`sabotage: there is no ${name}`)
  prototype[name] = by
}
