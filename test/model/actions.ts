/**
 * What workers do in the scenarios of zones: short actions, to be put together.
 *
 * Items that a action takes are in the worker's hand, on the board, from the moment it has them; so
 * whatever becomes of the worker, at most the item between the zone and the hand is unaccounted for.
 */

import type { Item, RunTimeOptions, Zone } from '#src/index.ts'
import type { Supply } from '#src/zone/supply.ts'
import { type Body, unlink } from './zoneStage.ts'

/** Takes up to `times` items, as many as there are. */
export const taking =
  (times: number): Body =>
  (_memory, { zone }, hand) => {
    for (let i = 0; i < times; i++) if (!hand.take(zone.tryZallocSmr())) return
  }
/** Takes an item, however long that takes. */
export const insisting: Body = (memory, { zone }, hand) => {
  while (!hand.take(zone.tryZallocSmr())) memory.pause()
}
/** Frees what it holds. */
export const freeing: Body = (_memory, { zone }, hand) => {
  for (let item = hand.drop(); item !== 0; item = hand.drop()) zone.zfreeSmr(item as Item)
}
export const churning =
  (rounds: number, each: number): Body =>
  (memory, hired, hand) => {
    for (let i = 0; i < rounds; i++) {
      taking(each)(memory, hired, hand)
      freeing(memory, hired, hand)
    }
  }
/** The same in a zone without smr. */
export const plainly =
  (rounds: number, each: number): Body =>
  (_memory, { zone }, hand) => {
    for (let i = 0; i < rounds; i++) {
      for (let n = 0; n < each && hand.take(zone.tryZalloc()); n++);
      for (let item = hand.drop(); item !== 0; item = hand.drop()) zone.zfree(item as Item)
    }
  }
export const both =
  (...bodies: Body[]): Body =>
  (memory, hired, hand) => {
    for (const body of bodies) body(memory, hired, hand)
  }

export const unlinking: Body = (memory, { zone }) => unlink(memory, zone, 0)
export const sealing: Body = (_memory, { zone }) => zone.seal()
/** What a timer does when a bucket has grown old: a call, of which the next one knows if it is cut off. */
export const aging: Body = (_memory, { zone }) => {
  const { supply } = zone as unknown as { readonly supply: Supply }
  supply.run((failure) => {
    supply.ageOut()
    supply.easeDepot(failure)
  })
}
export const tuning =
  (knobs: RunTimeOptions): Body =>
  (_memory, { zone }) =>
    zone.tune(knobs)
/** Another zone, whose slabs lie where those of the first may have lain, or will. */
export const otherZone: Body = (_memory, { arena }) => void otherOf(arena)
const otherOf = (arena: { zone(name: string, shape: object): Zone }): Zone =>
  arena.zone('other', { bytes: 512, bucket: 2, trimEveryMs: 0 })
/** Gives an item to the wrong zone, which must refuse it whatever it has known of that page. */
export const straying =
  (times: number): Body =>
  (_memory, { arena, zone }) => {
    const other = otherOf(arena)
    for (let i = 0; i < times; i++) {
      const item = other.tryZalloc()
      if (item === 0) continue
      let refused = false
      try {
        zone.zfreeSmr(item)
      } catch (error) {
        refused = (error as { code?: unknown }).code === 'ERR_UMA_SMR_MISUSE'
      }
      if (!refused) throw new Error(`item ${item} of another zone was taken`)
      other.zfree(item)
      other.reclaim('all', { timeoutMs: 0 })
    }
  }
export const leaving: Body = (_memory, { arena }) => arena.detach()
export const reclaiming =
  (level: 'trim' | 'drain' | 'all'): Body =>
  (_memory, { zone }) =>
    void zone.reclaim(level, { timeoutMs: 0 })
