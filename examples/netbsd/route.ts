/** A route: numbers that belong together. And what main.ts and its reader tell each other. */

import { type Arena, type Handle, type Item, record, u32 } from 'uma-smr'
import { IPL_NONE, pool_cache_init, type pool_cache_t } from 'uma-smr/netbsd'

export const ROUTES = 32

export type Variant = 'before' | 'after'

export interface Order {
  readonly arena: Handle
  readonly variant: Variant
}

export interface Report {
  readonly walks: number
  readonly torn: number
}

/** The name of the word that tells readers to stop. */
export const STOP = 'stop'

const Route = record({ metric: u32, double: u32, check: u32 })

export function poolOf(arena: Arena): pool_cache_t {
  const { bytes } = Route
  return pool_cache_init(arena, bytes, 0, 0, 0, 'routes', null, IPL_NONE, null, null, null)
}

export function write(arena: Arena, route: Item, metric: number): void {
  Route.write(arena, route, { metric, double: 2 * metric, check: ~metric >>> 0 })
}

export function isWhole(arena: Arena, route: Item): boolean {
  const { get } = Route
  const metric = get.metric(arena, route)
  return get.double(arena, route) === 2 * metric && get.check(arena, route) === ~metric >>> 0
}
