/**
 * What workers do in the scenarios of zones: short deeds, to be put together.
 *
 * Items that a deed takes are in the worker's hand, on the board, from the moment it has them; so
 * whatever becomes of the worker, at most the item between the zone and the hand is unaccounted for.
 */

import type { Item } from '#src/index.ts'
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
export const leaving: Body = (_memory, { arena }) => arena.detach()
export const reclaiming =
  (level: 'trim' | 'drain' | 'all'): Body =>
  (_memory, { zone }) =>
    void zone.reclaim(level, { timeoutMs: 0 })
