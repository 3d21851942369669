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

/** What can be broken in a domain alone; and with a zone on top. */
export const CLOCK_SABOTAGES: readonly Sabotage[] = [
  'poll always says yes',
  'poll is one step early',
  'stamp without advance',
  'enter publishes nothing',
]
export const ZONE_SABOTAGES: readonly Sabotage[] = [...CLOCK_SABOTAGES, 'bucket leaves unstamped']

/** The private parts of a domain that are replaced. */
interface Insides {
  look(goal: number, strict: boolean): boolean
  stamp(): number
  enter(): void
  state: number
  stepped: boolean
  readonly clock: { rd(): number; readonly step: number }
}

const INSIDE = 1

/** Breaks the library in this worker, or leaves it alone. */
export function sabotage(kind: Sabotage | undefined, zone?: Zone): void {
  const domain = Smr.prototype as unknown as Insides
  if (kind === 'poll always says yes') {
    replace(domain, 'look', () => true)
  } else if (kind === 'poll is one step early') {
    const { look } = domain
    replace(domain, 'look', function (this: Insides, goal, strict): boolean {
      return look.call(this, goal - this.clock.step, strict)
    })
  } else if (kind === 'stamp without advance') {
    // The read hand as a goal: it is met by definition.
    replace(domain, 'stamp', function (this: Insides): number {
      this.stepped = false
      return this.clock.rd()
    })
  } else if (kind === 'enter publishes nothing') {
    replace(domain, 'enter', function (this: Insides): void {
      this.state = INSIDE
    })
  } else if (kind === 'bucket leaves unstamped') {
    // The side door that FreeBSD once had: freed items go where safe ones lie.
    if (zone === undefined) throw new Error(`sabotage: "${kind}" needs a zone`)
    const depot = Object.getPrototypeOf(zone.parts.depot) as {
      retire(bucket: number, domain: Smr, exchangeHome: number): number
      putSafe(bucket: number, exchangeHome: number): number
    }
    replace(depot, 'retire', function (this: typeof depot, bucket, _domain, exchangeHome) {
      return this.putSafe(bucket, exchangeHome)
    })
  }
}

/** A method that is not there any more would be sabotage that does nothing. */
function replace<T, K extends keyof T & string>(prototype: T, name: K, by: T[K]): void {
  if (typeof prototype[name] !== 'function') throw new Error(`sabotage: there is no ${name}`)
  prototype[name] = by
}
