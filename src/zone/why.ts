/**
 * Why an allocation found nothing: the first half of what Exhausted says.
 */

import type { Parts } from './parts.ts'
import type { ZoneStats } from './stats.ts'
import type { Supply } from './supply.ts'

export function whyEmpty({ domain }: Parts, supply: Supply, stats: ZoneStats): string {
  const { created, inSlabs, limit } = stats
  if (supply.pendingTooMuch()) {
    const [stall] = domain?.stalled(0) ?? []
    const who = stall ? `worker ${stall.workerId} for ${Math.round(stall.forMs)} ms` : 'readers'
    return `its pendingBytes limit is reached: held back by ${who}`
  }
  const isFull = limit > 0 && created - inSlabs >= limit
  return isFull ? `its limit of ${limit} is reached` : 'nothing is left'
}
