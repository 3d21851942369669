/**
 * ck's torture of a grace period, with two words and no allocator. (Concurrency Kit, ck_epoch.)
 *
 * A writer raises `valid`, synchronizes, raises `invalid`, synchronizes, several times over; then it
 * resets `invalid`, synchronizes, resets `valid`, synchronizes. So whatever a section sees of
 * `invalid`, and whatever it sees of `valid`, before or after:
 *
 *   while raising    invalid goes to k only when everybody who saw valid below k has left
 *   while resetting  valid goes to 0 only when everybody who saw invalid above 0 has left
 *
 * and `invalid > valid` within one section detects the grace period. Looking at `valid` first is
 * sharp against a broken raise, looking at `invalid` first against a broken reset; we take either
 * order, twice, with a pause in between.
 *
 * All accesses to the pair are plain, on both sides. That is the claim: synchronize alone orders
 * them, for readers that take no lock and use no atomics of their own.
 */

import { Arena, type Handle, type Item } from 'uma-smr'
import { Member } from '../helpers/member.ts'
import { dwell, turnEnds } from './dwell.ts'
import { type Sabotage, sabotage } from './sabotage.ts'

export interface Task {
  readonly handle: Handle
  readonly sabotage: Sabotage | undefined
  /** Whether to let the turn end now and then. */
  readonly turns: boolean
  /** All pairs, one for each writer. */
  readonly pairs: readonly Item[]
  /** The pair that this member writes; a reader has none. */
  readonly own: Item | undefined
  /** Whether this member works with intrinsics; not told: as it comes. */
  readonly intrinsics?: boolean
}

/** Words of a pair: a cache line apart. */
const VALID = 0
const INVALID = 16
const RAISES = 4
const SYNCHRONIZE_MS = 15_000

const member = new Member<Task>()
const { handle, own, pairs, turns } = member.task
const { random } = member
const { intrinsics } = member.task
const arena = Arena.attach(handle, intrinsics === undefined ? {} : { intrinsics })
const smr = arena.smr('grace')
const { words } = arena
sabotage(member.task.sabotage, undefined, smr)

let reads = 0
let writes = 0

function synchronize(): void {
  if (smr.synchronize({ timeoutMs: SYNCHRONIZE_MS })) return
  member.violation(`no grace period within ${SYNCHRONIZE_MS} ms`)
}

function raise(at: number): void {
  words[at] = (words[at] as number) + 1
  writes++
  synchronize()
}

function reset(at: number): void {
  words[at] = 0
  writes++
  synchronize()
}

function write(pair: Item): void {
  for (let i = 0; i < RAISES && !member.stopped; i++) {
    raise(pair + VALID)
    raise(pair + INVALID)
  }
  reset(pair + INVALID)
  reset(pair + VALID)
}

function read(pair: Item): void {
  let leastValid = RAISES + 1
  let mostInvalid = 0
  const lookValid = (): void => {
    leastValid = Math.min(leastValid, words[pair + VALID] as number)
  }
  const lookInvalid = (): void => {
    mostInvalid = Math.max(mostInvalid, words[pair + INVALID] as number)
  }
  const first = random.oneIn(2) ? lookValid : lookInvalid
  const second = first === lookValid ? lookInvalid : lookValid
  smr.enter()
  first()
  dwell(random)
  second()
  dwell(random)
  first()
  second()
  smr.exit()
  reads++
  if (mostInvalid > leastValid) member.violation(`invalid ${mostInvalid} > valid ${leastValid}`)
}

member.begin()
while (!member.stopped) {
  if (own !== undefined) write(own)
  else read(pairs[random.below(pairs.length)] as Item)
  if (turns) await turnEnds(random)
}
arena.detach()
member.report({ reads, writes })
