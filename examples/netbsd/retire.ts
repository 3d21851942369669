/**
 * A retire list of one's own: what smr_advance, smr_poll, smr_wait and smr_synchronize are for.
 *
 *     npm run build && node build/examples/netbsd/retire.js
 *
 * Who frees into a pool_cache with a domain needs none of this. It is for what is no pool's: indices,
 * file descriptors, memory of several caches that has to go together - here, objects of a cache
 * without a domain, which would come back at once if they were put at once.
 *
 *   smr_advance      after the unlink: takes the goal. Once for a whole batch: the goal of the last
 *                    unlink will do for all before it. Never inside a section, never before the unlink
 *                    (a goal from before says nothing about readers that came in between).
 *   smr_poll         later, when something is wanted: whether the goal is met. Does not block, so it
 *                    is right everywhere, and nearly always says yes if one asks late enough. Right
 *                    after smr_advance it is the wrong question: readers have had no time to leave.
 *   smr_wait         when one must have something now and will not grow: for the *oldest* goal, which
 *                    is the likeliest to be met without any waiting. Blocks; outside sections only.
 *   smr_synchronize  advance and wait in one: the newest goal there can be, hence the longest wait. For
 *                    teardown, where nothing is left to do meanwhile. Not once per object.
 *
 * The reader below is a second attachment to the arena, in the same thread so that the story has one
 * order only; the arena cannot tell it from a worker thread.
 */

import { Arena, type Item } from 'uma-smr'
import {
  IPL_NONE,
  PR_NOWAIT,
  pool_cache_get,
  pool_cache_init,
  pool_cache_put,
  type pool_cache_t,
  SMR_SEQ_MAX,
  smr_advance,
  smr_create,
  smr_enter,
  smr_exit,
  smr_poll,
  type smr_seq_t,
  smr_synchronize,
  type smr_t,
  smr_wait,
} from 'uma-smr/netbsd'

const BATCH = 4
const OBJECT_BYTES = 32

class RetireList {
  private readonly smr: smr_t
  private readonly pool: pool_cache_t
  private open: Item[] = []
  /** Oldest first, since goals only grow. */
  private readonly stamped: { readonly goal: smr_seq_t; readonly objects: readonly Item[] }[] = []

  constructor(smr: smr_t, pool: pool_cache_t) {
    this.smr = smr
    this.pool = pool
  }

  /** Takes what was unlinked already. Costs a push; one advance per batch. */
  retire(object: Item): void {
    this.open.push(object)
    if (this.open.length < BATCH) return
    this.stamped.push({ goal: smr_advance(this.smr), objects: this.open })
    this.open = []
  }

  /** Gives back what is out of sight, without waiting. How many objects that was. */
  reap(): number {
    let reaped = 0
    for (;;) {
      const [oldest] = this.stamped
      // The first no is the last word: whatever was stamped later is not met either.
      if (oldest === undefined || !smr_poll(this.smr, oldest.goal, false)) return reaped
      reaped += this.putOldest()
    }
  }

  /** Gives back one batch at least, waiting for it if need be. */
  reapPatiently(): number {
    const [oldest] = this.stamped
    if (oldest === undefined) return 0
    smr_wait(this.smr, oldest.goal)
    return this.reap()
  }

  /** Whether everything stamped is met: one question, to the latest goal. */
  isMet(): boolean {
    const goals = this.stamped.map(({ goal }) => goal)
    return goals.length === 0 || smr_poll(this.smr, goals.reduce(SMR_SEQ_MAX), false)
  }

  /** The end: all of it, part-filled batch included, which never was stamped. */
  drain(): number {
    smr_synchronize(this.smr)
    let reaped = 0
    while (this.stamped.length > 0) reaped += this.putOldest()
    for (const object of this.open.splice(0)) {
      pool_cache_put(this.pool, object)
      reaped++
    }
    return reaped
  }

  private putOldest(): number {
    const { objects } = this.stamped.shift() ?? { objects: [] }
    for (const object of objects) pool_cache_put(this.pool, object)
    return objects.length
  }
}

// ---- the story -------------------------------------------------------------------------------

const arena = Arena.create({ bytes: 2 ** 20 })
const smr = smr_create(arena, 'own', 0, 0)
const pool = pool_cache_init(arena, OBJECT_BYTES, 0, 0, 0, 'own', null, IPL_NONE, null, null, null)
const list = new RetireList(smr, pool)

const there = Arena.attach(arena.handle)
const reader = smr_create(there, 'own', 0, 0)

retireSome(2 * BATCH)
claim(`${2 * BATCH} objects retired, and the clock moved twice`, smr.stats().advances === 2)
claim('nobody reads: polls give all of them back', list.reap() === 2 * BATCH)

smr_enter(reader)
retireSome(2 * BATCH)
claim('a reader is inside: polls give nothing back, and do not wait', list.reap() === 0)
smr_exit(reader)
retireSome(BATCH)
claim(
  'it has left: one wait for the oldest goal, and polls give the rest',
  list.reapPatiently() === 3 * BATCH,
)

retireSome(BATCH)
smr_enter(reader)
claim(
  "a reader that came after the stamp is in nobody's way",
  list.isMet() && list.reap() === BATCH,
)
smr_exit(reader)

retireSome(BATCH + 1)
claim('teardown: synchronize once, then everything goes', list.drain() === BATCH + 1)
claim('no object is lost', arena.zone('own').stats().live === 0)
there.detach()
arena.detach()

/** In earnest, each would be unlinked from some structure before it is retired. */
function retireSome(count: number): void {
  for (let n = 0; n < count; n++) list.retire(pool_cache_get(pool, PR_NOWAIT))
}

function claim(what: string, isSo: boolean): void {
  console.log(`  ${isSo ? 'yes' : 'NO '}  ${what}`)
  if (!isSo) process.exitCode = 1
}
