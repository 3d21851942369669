/**
 * The load under which workers meet at the depot: batches larger than a bucket, out and back.
 */
import type { Item, Zone } from 'uma-smr'

export const BATCH = 1000
const held = new Array<Item>(BATCH)

export function churn(zone: Zone): void {
  for (let i = 0; i < BATCH; i++) held[i] = zone.zallocSmr()
  for (let i = 0; i < BATCH; i++) zone.zfreeSmr(held[i] as Item)
}
