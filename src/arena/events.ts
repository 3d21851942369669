/**
 * What `arena.on` tells, and the watch that finds stalls.
 *
 * Each worker tells what it notices itself: its own allocations that failed, tables that it grew,
 * workers that it reaped, and readers that it found in the way. Supervise and listen in the thread
 * that stays.
 */

import type { Smr } from '../smr/domain.ts'
import type { Stall } from '../smr/stall.ts'
import type { Told } from '../space/events.ts'
import type { Space } from '../space/space.ts'
import type { Watched } from '../space/watch.ts'
import type { ReapReport } from './reap.ts'

/** How often it happened since it was told last: events that wait together are told as one. */
export interface Times {
  /** 1 or more. The facts are those of the last. */
  readonly times: number
}

/** Memory has run out, or a limit: what the `Exhausted` of the call says, with its facts. */
export interface ExhaustedEvent extends Times {
  /** The message of the error. */
  readonly message: string
  /** The zone, if it is one's. */
  readonly zone?: string
  /** What has run out: pages, or what the zone's limit, or its `pendingBytes`, allows. */
  readonly lack: 'memory' | 'limit' | 'pending'
  /** Bytes that were to be had in one piece. */
  readonly wanted?: number
  /** Bytes that are free in the arena. */
  readonly free?: number
  /** Bytes that zones hold and do not use. */
  readonly reclaimable?: number
  /** The worker whose section holds some of them back. */
  readonly heldBy?: number
}

/** A table has grown by itself. */
export interface GrowEvent extends Times {
  /** Its name. */
  readonly table: string
  /** How many chains it has now. */
  readonly chains?: number
  /** How many records. */
  readonly records?: number
}

/** A section has held memory back for a second. Told once for each section. */
export interface StallEvent extends Stall, Times {
  /** The domain that it is a section of. */
  readonly domain: string
}

/** A dead worker was reaped by this one. */
export interface ReapEvent extends ReapReport, Times {}

/** The events of an arena, and what a listener gets. */
export interface ArenaEvents {
  /** Memory has run out, or a limit. */
  readonly exhausted: ExhaustedEvent
  /** A table has grown by itself. */
  readonly grow: GrowEvent
  /** A section has held memory back for a second. */
  readonly stall: StallEvent
  /** This worker has reaped a dead one. */
  readonly reap: ReapEvent
}

/** A function that `arena.on` calls. */
export type ArenaListener<K extends keyof ArenaEvents> = (told: ArenaEvents[K] & Told) => unknown

const STALL_MS = 1000

/** Looks for stalls in turns of its own, while somebody listens, in the domains that it has open. */
export class StallWatch implements Watched {
  private readonly space: Space
  private readonly domains: () => Iterable<Smr>
  /** Those that were told. */
  private told = new Set<string>()

  constructor(space: Space, domains: () => Iterable<Smr>) {
    this.space = space
    this.domains = domains
  }

  /** @internal */
  check(): void {
    const { events } = this.space
    if (!events.has('stall')) return
    const now = new Set<string>()
    for (const smr of this.domains()) {
      if (!smr.isAlive()) continue
      for (const stall of smr.stalled(STALL_MS)) {
        const id = [smr.serial, stall.workerId, stall.kind, stall.seq].join(' ')
        now.add(id)
        if (!this.told.has(id)) events.publish('stall', { ...stall, domain: smr.name })
      }
    }
    this.told = now
  }
}
